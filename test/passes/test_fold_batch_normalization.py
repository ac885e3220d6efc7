"""BatchNormalization goes into the filters before it, where that is right and the numbers stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnx_tf.model.loading import load_model
from onnx_tf.passes.fold_batch_normalization import fold_batch_normalization
from test.layout.running import run

RNG = np.random.default_rng(0)


def model_of(
    op_type: str = "Conv", bias: bool = True, group: int = 1, outputs: tuple[str, ...] = ("y",), **bn: Any
) -> onnx.ModelProto:
    filters = (6, 4 // group, 3, 3) if op_type == "Conv" else (4, 6 // group, 3, 3)
    constants = {"w": RNG.uniform(-1, 1, filters), "b": RNG.uniform(-1, 1, 6)}
    constants |= {name: RNG.uniform(0.5, 1.5, 6) for name in ("scale", "shift", "mean", "var")}
    nodes = [
        helper.make_node(op_type, ["x", "w"] + ["b"] * bias, ["a"], group=group),
        helper.make_node("BatchNormalization", ["a", "scale", "shift", "mean", "var"], ["y"], **bn),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 4, 8, 8])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("op_type", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("group", [1, 2])
def test_folded(op_type: str, bias: bool, group: int) -> None:
    proto = model_of(op_type, bias, group, epsilon=1e-2)
    model = load_model(proto)
    assert fold_batch_normalization(model)
    assert [node.op_type for node in model.graph] == [op_type]
    x = RNG.uniform(-1, 1, (2, 4, 8, 8)).astype(np.float32)
    expected, actual = (run(p, {"x": x})["y"] for p in (proto, ir.to_proto(model)))
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("what", [{"training_mode": 1}, {"outputs": ("y", "a")}])
def test_left_alone(what: dict[str, Any]) -> None:
    model = load_model(model_of(**what))
    assert not fold_batch_normalization(model)
    assert [node.op_type for node in model.graph] == ["Conv", "BatchNormalization"]


def concatenation(axis: int = 1, last: str = "Conv") -> onnx.ModelProto:
    constants = {name: RNG.uniform(-1, 1, (channels, 4, 1, 1)) for name, channels in (("v", 2), ("w", 6))}
    constants |= {name: RNG.uniform(0.5, 1.5, 8) for name in ("scale", "shift", "mean", "var")}
    nodes = [
        helper.make_node("Conv", ["x", "v"], ["a"]),
        helper.make_node(last, ["x", "w"][: 1 + (last == "Conv")], ["b"]),
        helper.make_node("Concat", ["a", "b"], ["c"], axis=axis),
        helper.make_node("BatchNormalization", ["c", "scale", "shift", "mean", "var"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 4, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_folded_into_concatenated_convolutions() -> None:
    proto = concatenation()
    model = load_model(proto)
    assert fold_batch_normalization(model)
    assert [node.op_type for node in model.graph] == ["Conv", "Conv", "Concat"]
    x = RNG.uniform(-1, 1, (2, 4, 8, 8)).astype(np.float32)
    expected, actual = (run(p, {"x": x})["y"] for p in (proto, ir.to_proto(model)))
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("what", [{"last": "Relu"}, {"axis": 2}])
def test_concatenations_left_alone(what: dict[str, Any]) -> None:
    model = load_model(concatenation(**what))
    assert not fold_batch_normalization(model)
    assert [node.op_type for node in model.graph][2:] == ["Concat", "BatchNormalization"]
