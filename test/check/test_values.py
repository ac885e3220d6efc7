"""Where a model and ONNX Runtime part: a fault put into one node is found at that node."""

from __future__ import annotations

import json

import numpy as np
import pytest

from onnx_tf import prepare
from onnx_tf.check.values import check_values
from test.check.faults import (
    FAULTS,
    MAX_NODES,
    NAMES,
    found_by_bisect,
    found_by_check,
    guilty_node,
    network,
    wrong_operator,
    wrong_weight,
)
from test.models import text_model

QUICK = 2


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if i >= QUICK else []) for i, name in enumerate(NAMES)]
)
def test_the_guilty_node(name):
    model, feed = network(name)
    assert check_values(model, prepare(model), feed).first_diverging is None
    for fault in FAULTS:
        guilty = guilty_node(model, fault)
        found = found_by_check(model, fault, guilty, feed)
        assert found, fault.__name__
        assert found.node == guilty, fault.__name__


@pytest.mark.parametrize(("name", "fault"), [("vit_opset20_gelu", wrong_weight), ("silu_mlp_mixer", wrong_operator)])
def test_what_is_left_of_a_network(name, fault):
    model, feed = network(name)
    guilty = guilty_node(model, fault)
    part = found_by_bisect(model, fault, guilty, feed)
    assert guilty in part.nodes
    assert len(part.nodes) <= MAX_NODES


SMALL = """
    agraph (float[2, 3] x) => (float[2, 3] y, float[2, 3] r)
    <float[3] one = {1, 1, 1}, float[3] zero = {0, 0, 0}> {
        a = Add (x, one)
        m = Mul (a, a)
        r = Relu (m)
        d = Div (one, zero)
        y = Add (r, d)
    }"""


def test_every_value_in_its_order_with_its_node():
    model = text_model(SMALL)
    values = check_values(model, prepare(model))
    assert [value.name for value in values.checked] == ["a", "m", "r", "d", "y"]
    assert [value.op for value in values.checked] == ["Add", "Mul", "Relu", "Div", "Add"]
    assert values.fits
    assert values.first_diverging is None
    assert values.inputs == {"x": "float32[2, 3]"}
    assert values.first_not_finite.name == "d"


def test_groups_of_values_are_as_all_at_once():
    model = text_model(SMALL)
    feed = {"x": np.arange(6, dtype=np.float32).reshape(2, 3)}
    told = []
    rep = prepare(model)
    assert check_values(model, rep, feed, max_bytes=1, progress=told.append) == check_values(model, rep, feed)
    assert len(told) == 5


def test_fields_are_json():
    model, other = text_model(SMALL), text_model(SMALL.replace("Relu", "Neg"))
    values = check_values(model, prepare(other))
    fields = json.loads(json.dumps(values.first_diverging.fields(), allow_nan=False))
    assert (fields["value"], fields["op"], fields["fits"]) == ("r", "Relu", False)
    assert fields["error"] > 1
    assert [value.name for value in values.worst(2)] == ["r"]


def test_a_value_that_became_part_of_another():
    model = text_model("""
        agraph (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
        <int64[4] s = {2, 3, 1, 1}, float[2] scale = {1, 2}, float[2] b = {0, 1}, float[2] m = {0, 0},
         float[2] v = {1, 1}> {
            w = ConstantOfShape <value = float[1] {0.5}> (s)
            c = Conv (x, w)
            n = BatchNormalization (c, scale, b, m, v)
            y = Relu (n)
        }""")
    values = check_values(model, prepare(model))
    assert values.fits
    assert {value.name for value in values.checked} | set(values.dropped) >= {"c", "n", "y"}
