"""A BatchNormalization that no convolution takes up is a product and a sum, for inference."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import helper, numpy_helper

from onnx_tf import prepare
from onnx_tf.passes.lower_batch_normalization import lower_batch_normalization
from test.layout.running import run, simplified

RNG = np.random.default_rng(0)


def model_of(
    shape: list[int | str] | None, dtype: Any = np.float32, opset: int = 17, given: str = "", **attributes: Any
) -> onnx.ModelProto:
    """Return a model of one BatchNormalization; ``given`` names a parameter that is an input."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    names = ["scale", "shift", "mean", "var"]
    constants = {name: RNG.uniform(0.5, 1.5, 3).astype(dtype) for name in names if name != given}
    inputs = [helper.make_tensor_value_info("x", kind, shape)]
    inputs += [helper.make_tensor_value_info(given, kind, [3])] * bool(given)
    outputs = ["y", "m", "v"] if attributes.get("training_mode") else ["y"]
    graph = helper.make_graph(
        [helper.make_node("BatchNormalization", ["x", *names], outputs, name="norm", **attributes)],
        "g",
        inputs,
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def operators(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph]


@pytest.mark.parametrize(
    ("shape", "dtype", "opset"), [((2, 3), "f4", 17), ((2, 3, 4, 5), "f4", 8), ((1, 3, 2, 2, 2), "f8", 17)]
)
def test_lowered(shape: tuple[int, ...], dtype: str, opset: int) -> None:
    proto = model_of(["n", *shape[1:]], np.dtype(dtype), opset, epsilon=1e-2)
    model = simplified(proto)
    assert lower_batch_normalization(model)
    assert operators(model) == ["Mul", "Add"]
    feed = {"x": RNG.uniform(-1, 1, shape).astype(dtype)}
    expected = run(proto, feed)["y"]
    np.testing.assert_allclose(run(ir.to_proto(model), feed)["y"], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(prepare(proto).run(feed)[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "what",
    [
        {"shape": [2, 3, 4], "training_mode": 1},
        {"shape": [2, 3, 4], "given": "mean"},
        {"shape": [2, 3, 4], "dtype": np.float16},
        {"shape": None},
        {"shape": [2, 3, 4, 4], "opset": 6, "is_test": 1},
    ],
)
def test_left_alone(what: dict[str, Any]) -> None:
    model = simplified(model_of(**what))
    assert not lower_batch_normalization(model)
    assert operators(model) == ["BatchNormalization"]


def test_training_keeps_the_statistics() -> None:
    nodes = prepare(model_of([2, 3, 4]), training=True).tf_module.graph.nodes
    assert "BatchNormalization" in [node.context.op_type for node in nodes]


def test_names_that_are_taken_stay_what_they_are() -> None:
    model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["": 17]>
        g (float[2,3,4,4] x, float[3,1,1] y_factor) => (float[2,3,4,4] z)
        <float[3] s = {1.0, 2.0, 3.0}, float[3] b = {0.5, 0.2, 0.1}, float[3] m = {0.1, 0.2, 0.3},
         float[3] v = {1.0, 2.0, 3.0}>
        { y_Mul = Neg(x)  y = BatchNormalization(x, s, b, m, v)  w = Add(y, y_Mul)  z = Mul(w, y_factor) }""")
    x, factor = (RNG.normal(size=shape).astype(np.float32) for shape in ((2, 3, 4, 4), (3, 1, 1)))
    feed = {"x": x, "y_factor": factor}
    np.testing.assert_allclose(prepare(model).run(feed)["z"], run(model, feed)["z"], rtol=1e-5, atol=1e-5)
