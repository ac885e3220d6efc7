"""What is known to hold no -inf holds none in ONNX Runtime, and pools make use of it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from onnx_tf import prepare
from onnx_tf.passes.known_bounds import lower_bounds
from onnx_tf.pipeline import lower
from test.models import text_model
from test.reference import ort_outputs

X = np.array([-np.inf, -3e38, -1e-40, -0.0, 0.0, 1.0, 3e38, np.inf], np.float32).reshape(1, 1, 1, 8).repeat(8, 2)
CONSTANTS = "<float low = {-2.0}, float high = {6.0}, float lowest = {-inf}, int64[8] pads = {0, 0, 1, 1, 0, 0, 1, 1}>"


def model_of(body: str) -> onnx.ModelProto:
    return text_model(f"g (float[1, 1, 8, 8] x) => (float[N, C, H, W] y) {CONSTANTS} {{ {body} }}", opset=22)


def is_bounded(body: str) -> bool:
    graph = lower(model_of(body), until="infer shapes").model.graph
    return graph.outputs[0] in lower_bounds(graph)


@pytest.mark.parametrize(
    "body",
    [
        *[
            f"y = {op}(x)"
            for op in "Abs Elu Erf Exp HardSigmoid HardSwish Relu Sigmoid Softmax Softplus Softsign Tanh".split()  # noqa: SIM905
        ],
        "y = Clip(x, low, high)",
        "y = Clip(x, low)",
        "r = Relu(x) y = Transpose <perm = [0, 1, 3, 2]> (r)",
        "r = Relu(x) y = Concat <axis = 1> (r, r)",
        "r = Relu(x) y = Pad(r, pads)",
        "r = Relu(x) y = Pad(r, pads, low)",
        "r = Relu(x) y = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (r)",
    ],
)
def test_what_is_bounded_holds_no_negative_infinity(body: str) -> None:
    assert is_bounded(body)
    assert not np.isneginf(ort_outputs(model_of(body), {"x": X})["y"]).any()


@pytest.mark.parametrize(
    "body",
    [
        "y = Identity(x)",
        "y = Clip(x, lowest, high)",
        "y = Clip(x, , lowest)",
        "r = Relu(x) y = Concat <axis = 1> (r, x)",
        "r = Relu(x) y = Pad(r, pads, lowest)",
        "r = Relu(x) y = Neg(r)",
        "r = Relu(x) y = Add(r, x)",
    ],
)
def test_nothing_is_said_of_others(body: str) -> None:
    assert not is_bounded(body)


@pytest.mark.parametrize(("op", "products"), [("Relu", 0), ("Identity", 0), ("Neg", 1)])
def test_pools_of_bounded_data_take_one_operation(op: str, products: int) -> None:
    body = f"r = Relu(x) s = {op}(r) y = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (s)"
    model = model_of(body)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 32  # of few channels no kernel is taken
    operations = prepare(model).graph.get_operations()
    assert sum(operation.type == "Mul" for operation in operations) == 2 * products
