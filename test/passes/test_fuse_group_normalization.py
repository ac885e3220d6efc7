"""GroupNormalization is recognised in what PyTorch writes for it, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnx_tf.options import Options
from onnx_tf.passes.fuse_group_normalization import fuse_group_normalization
from onnx_tf.pipeline import lower
from test.layout.running import run, simplified

RNG = np.random.default_rng(0)
CHANNELS, GROUPS = 8, 2


def model_of(
    shape: tuple[int | str, ...] = (3, CHANNELS, 4, 4),
    first: tuple[int, ...] = (0, GROUPS, -1),
    second: tuple[int, ...] | None = None,
    weight: tuple[int, ...] | None = (CHANNELS, 1, 1),
    outputs: tuple[str, ...] = ("y",),
    bias_first: bool = False,
) -> onnx.ModelProto:
    constants = {"first": np.array(first, np.int64), "scale": RNG.uniform(1, 2, GROUPS), "b": RNG.uniform(1, 2, GROUPS)}
    nodes = [
        helper.make_node("Reshape", ["x", "first"], ["grouped"]),
        helper.make_node("InstanceNormalization", ["grouped", "scale", "b"], ["normalized"], epsilon=0.01),
    ]
    if second is None:
        nodes.append(helper.make_node("Shape", ["x"], ["second"]))
    else:
        constants["second"] = np.array(second, np.int64)
    nodes.append(helper.make_node("Reshape", ["normalized", "second"], ["y" if weight is None else "back"]))
    if weight is not None:
        constants |= {"w": RNG.uniform(1, 2, weight), "c": RNG.uniform(1, 2, weight)}
        nodes.append(helper.make_node("Mul", ["w", "back"], ["scaled"]))
        nodes.append(helper.make_node("Add", ["c", "scaled"] if bias_first else ["scaled", "c"], ["y"]))
    arrays = {n: a if a.dtype == np.int64 else a.astype(np.float32) for n, a in constants.items()}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"shape": ("n", CHANNELS, "h", "w")},
        {"shape": ("n", CHANNELS, 4, 4), "second": (-1, CHANNELS, 4, 4)},
        {"second": (3, CHANNELS, 4, 4), "first": (3, GROUPS, -1)},
        {"shape": (3, CHANNELS, 5), "weight": (CHANNELS, 1), "bias_first": True},
        {"weight": (1, CHANNELS, 1, 1)},
        {"weight": (1,)},
        {"weight": None},
    ],
    ids=str,
)
def test_fused(form: dict[str, Any]) -> None:
    proto = model_of(**form)
    model = simplified(proto)
    assert fuse_group_normalization(model)
    assert [node.op_type for node in model.graph if node.op_type != "Shape"] == ["GroupNormalization"]
    sizes = {"n": 3, "h": 4, "w": 4}
    shape = [sizes.get(d, d) for d in form.get("shape", (3, CHANNELS, 4, 4))]
    x = RNG.uniform(-1, 1, shape).astype(np.float32)
    expected, actual = (run(p, {"x": x})["y"] for p in (proto, ir.to_proto(model)))
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "form",
    [
        {"first": (1, GROUPS, -1)},  # statistics over the images of a batch
        {"second": (3, 4, CHANNELS, 4)},
        {"outputs": ("y", "grouped")},
        {"outputs": ("y", "normalized")},
        {"shape": ("n", CHANNELS, "h", "w"), "second": (-1, CHANNELS, 8, 2)},
    ],
    ids=str,
)
def test_left_alone(form: dict[str, Any]) -> None:
    assert not fuse_group_normalization(simplified(model_of(**form)))


def test_what_differs_along_other_axes_stays_outside() -> None:
    model = simplified(model_of(weight=(4, 1)))
    assert fuse_group_normalization(model)
    assert [node.op_type for node in model.graph if node.op_type != "Shape"] == ["GroupNormalization", "Mul", "Add"]


def test_training_keeps_the_weights_apart() -> None:
    model = lower(model_of(), Options(training=True), until="layout").model
    assert "InstanceNormalization" in {node.op_type for node in model.graph}
