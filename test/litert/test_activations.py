"""Activations become LiteRT's own operators, few of them."""

from __future__ import annotations

import numpy as np
import pytest

from onnx_tf.check.compare import Elementwise
from test.handlers.check import make_op_model
from test.litert.check import check_tflite
from test.models import text_model

RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return (3 * RNG.standard_normal(shape)).astype(np.float32)


@pytest.mark.parametrize(
    ("op_type", "attributes", "operators"),
    [
        ("Celu", {}, {"ELU": 1}),
        ("Celu", {"alpha": 0.3}, {"ELU": 1, "GREATER": 1, "MUL": 2, "SELECT_V2": 1}),
        ("Elu", {}, {"ELU": 1}),
        ("Elu", {"alpha": 0.4}, {"ELU": 1, "GREATER": 1, "MUL": 1, "SELECT_V2": 1}),
        ("HardSigmoid", {}, {"ADD": 1, "MINIMUM": 1, "MUL": 1, "RELU": 1}),
        ("HardSigmoid", {"alpha": 1 / 6}, {"ADD": 1, "MUL": 1}),
        ("HardSwish", {}, {"HARD_SWISH": 1}),
        ("Selu", {}, {"ELU": 1, "GREATER": 1, "MUL": 2, "SELECT_V2": 1}),
    ],
)
def test_one_input(op_type, attributes, operators, tmp_path):
    model = make_op_model(op_type, [normal(2, 3)], attributes, dynamic=True)
    assert check_tflite(model, [{"x0": normal(2, 3)}, {"x0": normal(4, 5)}], tmp_path) == operators


@pytest.mark.parametrize("product", ["Mul(x, h)", "Mul(h, x)"])
def test_hard_swish_as_pytorch_writes_it_out(product, tmp_path):
    model = text_model(
        f"g (float[N, 3] x) => (float[N, 3] y) {{ h = HardSigmoid <alpha = 0.16666667> (x) y = {product} }}"
    )
    x = np.concatenate([normal(50, 3), [[-3, 3, 0], [-1e9, 1e9, -0.0]]]).astype(np.float32)
    assert check_tflite(model, {"x": x}, tmp_path) == {"HARD_SWISH": 1}


@pytest.mark.parametrize("shape", [(), (1,), (5,), (3, 1, 1), (1, 3, 1, 1), (3, 4, 5)])
def test_prelu_of_a_constant_slope(shape, tmp_path):
    model = make_op_model("PRelu", [normal(2, 3, 4, 5), normal(*shape)], constants=[1])
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    feeds = [{"x0": normal(n, 3, 4, 5)} for n in (1, 3)]
    assert check_tflite(model, feeds, tmp_path) == {"PRELU": 1}


@pytest.mark.parametrize(("x", "slope"), [((2, 3, 4), (2, 1, 1)), ((3,), (3,)), ((2, 3, 4), (3, 1))])
def test_prelu_of_any_slope(x, slope, tmp_path):
    inputs = [normal(*x), normal(*slope)]
    check_tflite(make_op_model("PRelu", inputs), {"x0": inputs[0], "x1": inputs[1]}, tmp_path)


def test_nothing_overflows(tmp_path):
    text = "g (float[N] x) => (float[N] s, float[N] m, float[N] l) "
    model = text_model(text + "{ s = Softplus(x) m = Mish(x) n = Neg(x) p = Softplus(n) l = Neg(p) }", opset=18)
    x = np.array([-1000, -100, -89, -88, -20, -1, 0, 1, 20, 87, 88, 88.5, 89, 100, 1000], np.float32)
    check_tflite(model, {"x": x}, tmp_path, tolerance=Elementwise(1e-6, 2e-7))


def test_bounds_that_are_not_given_cost_nothing(tmp_path):
    model = text_model(
        "g (float[N] x, float low) => (float[N] a, float[N] b, float[N] c) "
        "<float zero = {0.0}, float six = {6.0}> { a = Clip(x, zero) b = Clip(x, zero, six) c = Clip(x, low) }"
    )
    feed = {"x": normal(50), "low": np.array(-1, np.float32)}
    assert check_tflite(model, feed, tmp_path) == {"MAXIMUM": 1, "RELU": 1, "RELU6": 1}
