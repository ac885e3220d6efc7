"""Barriers lie where TensorFlow's merged kernels are wrong, or slow by variable filters, and nowhere else."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from onnx_tf.passes.keep_apart import keep_apart
from onnx_tf.passes.keep_unfused import keep_unfused
from onnx_tf.registry import BARRIER_DOMAIN, CHANNELS_LAST_DOMAIN

BOUNDS = "float six = {6.0}, float zero = {0.0}"


def barriers(body: str, group: int = 1, rank: int = 4, filters: str = "w") -> list[tuple[str, bool]]:
    """Return the value that each Barrier takes, and whether it is for variable filters alone."""
    spatial = ", ".join("5" * (rank - 2))
    model = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["": 22]> g (float[1, {spatial}, 8] x, float[1, {spatial}, 8] r)
        => (float[1, {spatial}, 8] y) <{BOUNDS}> {{ {body.replace("CONV", f"Conv(x, {filters}, b)")} }}"""
    )
    arrays = {"w": np.zeros([8, 8 // group] + [1] * (rank - 2), np.float32), "b": np.zeros(8, np.float32)}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in arrays.items())
    lowered = ir.from_proto(model)
    for node in lowered.graph:
        if node.op_type == "Conv":
            node.domain, node.version = CHANNELS_LAST_DOMAIN, 22
            node.attributes["group"] = ir.AttrInt64("group", group)
    changed = keep_apart(lowered) | keep_unfused(lowered)
    found = [node for node in lowered.graph if node.domain == BARRIER_DOMAIN]
    assert changed == bool(found)
    return [(str(node.inputs[0].name), bool(node.attributes.get_int("variables_only"))) for node in found]


@pytest.mark.parametrize(
    "body",
    [
        "c = CONV y = Add(c, r)",
        "c = CONV y = Sum(r, c)",
        "c = CONV y = Clip(c, zero, six)",
        "c = CONV s = Sigmoid(c) y = Mul(c, s)",
        "c = CONV y = Elu(c)",
        "c = CONV d = Dropout(c) y = Add(d, r)",
        "c = CONV s = Add(c, r) y = Relu(s)",
    ],
)
def test_what_is_slow_is_kept_apart_from_variable_filters(body: str) -> None:
    assert barriers(body) == [("c", True)]


@pytest.mark.parametrize("body", ["c = CONV y = Relu(c)", "c = CONV y = LeakyRelu(c)", "c = CONV y = Mul(c, r)"])
def test_what_merges_well_stays(body: str) -> None:
    assert barriers(body) == []


def test_groups_and_images_of_other_ranks_are_not_slow() -> None:
    assert barriers("c = CONV y = Elu(c)", group=8) == []
    assert barriers("c = CONV y = Elu(c)", rank=5) == []


def test_computed_filters_are_no_constants_in_any_export() -> None:
    assert barriers("v = Neg(w) c = CONV y = Elu(c)", filters="v") == [("c", False)]


@pytest.mark.parametrize(
    "after",
    [
        "y = LeakyRelu(s)",
        "y = Mish(s)",
        "p = Softplus(s) t = Tanh(p) y = Mul(s, t)",
        "m = Mul(s, six) y = Max(s, m)",
        "d = Dropout(s) y = LeakyRelu(d)",
    ],
)
@pytest.mark.parametrize("total", ["Add(c, r)", "Sum(r, c)", "Sub(c, r)"])
@pytest.mark.parametrize("rank", [4, 5])
def test_what_a_sum_loses_is_kept_apart_from_it(after: str, total: str, rank: int) -> None:
    found = barriers(f"c = CONV s = {total} {after}", rank=rank)
    assert ("s", False) in found
    assert set(found) <= {("s", False), ("c", True)}
