"""Where a model and ONNX Runtime part: a fault put into one node is found at that node."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from onnx_tf import prepare
from onnx_tf.check.values import check_values
from test.models import text_model
from test.zoo.compare import MODELS, manifest
from test.zoo.materialize import make_inputs, materialize

ENTRIES = manifest()
QUICK = ["vit_opset20_gelu", "silu_mlp_mixer"]
SLOW = [
    "resnet18",
    "bert_cls",
    "dinov2_swiglu_reg",
    "mobilevit_deeplab",
    "squeezebert",
    "mpnet",
    "llama",
    "mobilevitv2",
]
NAMES = [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]


def wrong_weight(model: onnx.ModelProto) -> str:
    node, tensor = _with_weight(model, {"Conv", "MatMul", "Gemm"})
    tensor.CopyFrom(numpy_helper.from_array(np.flip(numpy_helper.to_array(tensor)) + np.float32(0.25), tensor.name))
    return node.name


def wrong_operator(model: onnx.ModelProto) -> str:
    node = _middle(model, {"Add", "Mul", "Sub"})
    node.op_type = {"Add": "Mul", "Mul": "Add", "Sub": "Add"}[node.op_type]
    return node.name


def changed_attribute(model: onnx.ModelProto) -> str:
    """Make a sum of a mean, or of another result that an attribute or a constant decides."""
    node = next((n for n in model.graph.node if n.op_type in {"LeakyRelu", "BatchNormalization"}), None)
    if node is not None:
        name = {"LeakyRelu": "alpha", "BatchNormalization": "epsilon"}[node.op_type]
        kept = [a for a in node.attribute if a.name != name]
        del node.attribute[:]
        node.attribute.extend([*kept, onnx.helper.make_attribute(name, 5.0)])
        return node.name
    return wrong_weight(model)


def swapped_axis(model: onnx.ModelProto) -> str:
    """Let a weight lie the other way round, along its first axis."""
    node, tensor = _with_weight(model, {"Conv", "MatMul", "Gemm"}, last=True)
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[::-1].copy(), tensor.name))
    return node.name


FAULTS = (wrong_weight, wrong_operator, changed_attribute, swapped_axis)


def _middle(model, kinds):
    """Return a node that takes two computed values: a small constant may make no difference."""
    constants = {tensor.name for tensor in model.graph.initializer}
    constants |= {name for node in model.graph.node if node.op_type == "Constant" for name in node.output}
    nodes = [node for node in model.graph.node if node.op_type in kinds and constants.isdisjoint(node.input)]
    return nodes[len(nodes) // 2]


def _with_weight(model, kinds, last=False):
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    found = [
        (node, weights[name])
        for node in model.graph.node
        if node.op_type in kinds
        for name in list(node.input)[1:2]
        if name in weights and sum(name in other.input for other in model.graph.node) == 1
    ]
    return found[-1 if last else len(found) // 3]


@pytest.mark.parametrize("name", NAMES)
def test_the_guilty_node(name):
    right = materialize(MODELS / f"{name}.onnx")
    feed = make_inputs(ENTRIES[name]["inputs"])
    assert check_values(right, prepare(right), feed).first_diverging is None
    for fault in FAULTS:
        wrong = onnx.ModelProto()
        wrong.CopyFrom(right)
        guilty = fault(wrong)
        found = check_values(right, prepare(wrong), feed).first_diverging
        assert found, fault.__name__
        assert found.node == guilty, fault.__name__


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
