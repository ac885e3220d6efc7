"""Activations: parameters, dtypes, special values, and the coercion to a matrix before opset 13."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf

from onnx_tf import prepare
from test.handlers.check import check_op, make_op_model

RNG = np.random.default_rng(2)
SPECIAL = np.array([-np.inf, -1e30, -100, -3, -1.5, -0.5, -0.0, 0, 0.5, 1.5, 3, 100, 1e30, np.inf], np.float32)

PARAMETERS = {
    "LeakyRelu": (16, [{}, {"alpha": 0.3}]),
    "Elu": (6, [{}, {"alpha": 2.0}]),
    "Selu": (6, [{}, {"alpha": 2.0, "gamma": 3.0}]),
    "Celu": (12, [{}, {"alpha": 2.0}]),
    "ThresholdedRelu": (10, [{}, {"alpha": 0.5}]),
    "HardSigmoid": (6, [{}, {"alpha": 0.5, "beta": 0.6}]),
    "Gelu": (20, [{}, {"approximate": "tanh"}]),
    "Shrink": (9, [{}, {"lambd": 1.0, "bias": 0.5}]),
    "Relu": (14, [{}]),
    "Softplus": (1, [{}]),
    "Softsign": (1, [{}]),
}
CASES = [(op, attributes) for op, (_, choices) in PARAMETERS.items() for attributes in choices]


@pytest.mark.parametrize(("op_type", "attributes"), CASES)
def test_parameters(op_type, attributes):
    x = RNG.standard_normal((3, 4)).astype(np.float32) * 3
    check_op(op_type, [x], attributes, opset=PARAMETERS[op_type][0])


@pytest.mark.parametrize("op_type", ["LeakyRelu", "Elu", "Selu", "ThresholdedRelu", "HardSigmoid", "Relu", "Softplus"])
def test_special_values(op_type):
    check_op(op_type, [SPECIAL], opset=PARAMETERS[op_type][0], through=["static"])


@pytest.mark.parametrize(
    ("op_type", "attributes"), [*CASES, ("HardSwish", {}), ("Mish", {}), ("Swish", {"alpha": 0.7})]
)
@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floats(op_type, attributes, dtype):
    opset = {"HardSwish": 14, "Mish": 18, "Swish": 24}.get(op_type) or PARAMETERS[op_type][0]
    x = (RNG.standard_normal((3, 4)) * 2).astype(dtype)
    tolerance = 2e-3 if dtype == np.float16 else 1e-6
    check_op(
        op_type, [x], attributes, opset=opset, reference="onnx", rtol=tolerance, atol=tolerance, through=["static"]
    )


@pytest.mark.parametrize("op_type", ["Elu", "Selu", "Celu"])
def test_gradients_of_large_numbers_are_finite(op_type):
    x = np.array([-200.0, -1.0, 1.0, 200.0], np.float32)
    module = prepare(make_op_model(op_type, [x], {"alpha": 2.0})).tf_module
    with tf.GradientTape() as tape:
        point = tf.constant(x)
        tape.watch(point)
        y = module(point)["y0"]
    assert np.isfinite(tape.gradient(y, point)).all()


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64])
def test_integers(dtype):
    x = np.array([[-5, 0, 7]], dtype)
    check_op("Relu", [x], reference=[np.maximum(x, 0)], opset=14)
    check_op("Shrink", [x], {"lambd": 1.0, "bias": 2.0}, reference=[np.array([[-3, 0, 5]], dtype)], opset=9)


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.uint32, np.int64])
def test_prelu(dtype):
    x = (RNG.standard_normal((2, 3, 4)) * 5).astype(np.int64).astype(dtype)
    slope = np.array([[2], [3], [4]], dtype)
    check_op("PRelu", [x, slope], opset=16, reference=[np.where(x < 0, x * slope, x)])


@pytest.mark.parametrize("slope", [[0.5], [0.1, 0.2, 0.3]])
def test_prelu_by_channel_before_broadcasting(slope):
    x = RNG.standard_normal((2, 3, 4, 5)).astype(np.float32)
    slope = np.array(slope, np.float32)
    check_op("PRelu", [x, slope], opset=6, reference=[np.where(x < 0, x * slope[:, None, None], x)])


@pytest.mark.parametrize("op_type", ["Softmax", "LogSoftmax", "Hardmax"])
@pytest.mark.parametrize(
    ("opset", "axis"), [*itertools.product([1, 11, 13], [None, 0, 1]), *itertools.product([11, 13], [-1, -2])]
)
def test_softmaxes(op_type, opset, axis):
    x = RNG.standard_normal((2, 3, 4)).astype(np.float32)
    check_op(op_type, [x], {} if axis is None else {"axis": axis}, opset=opset)


@pytest.mark.parametrize("axis", [-1, 0, 3])
def test_softmax_of_more_axes_than_onednn_takes(axis):
    check_op("Softmax", [RNG.standard_normal((2, 1, 3, 2, 4, 2)).astype(np.float32)], {"axis": axis})


@pytest.mark.parametrize("op_type", ["Softmax", "LogSoftmax"])
def test_softmax_of_halves_is_as_exact_as_halves(op_type):
    x = (RNG.standard_normal((4, 300)) * 4).astype(np.float16)
    exact = x.astype(np.float64) - x.max(1, keepdims=True)
    exact = exact - np.log(np.exp(exact).sum(1, keepdims=True))
    expected = (exact if op_type == "LogSoftmax" else np.exp(exact)).astype(np.float16)
    check_op(op_type, [x], reference=[expected], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("opset", [1, 6, 7, 10, 12, 13, 22])
def test_dropout_does_nothing_in_inference(opset):
    x = RNG.standard_normal((3, 4)).astype(np.float32)
    attributes = {"is_test": 1} if opset < 7 else {}
    check_op("Dropout", [x], attributes, opset=opset, reference=[x])


def test_dropout_in_training():
    x = np.ones((100, 100), np.float32)
    inputs = [x, np.array(0.25, np.float32), np.array(True)]
    for dynamic in (False, True):
        y, mask = prepare(make_op_model("Dropout", inputs, {"seed": 3}, opset=13, outputs=2, dynamic=dynamic)).run(
            inputs
        )
        assert mask.dtype == bool
        assert 0.7 < mask.mean() < 0.8
        np.testing.assert_allclose(y, mask / 0.75, rtol=1e-6)
        inputs_off = [x, inputs[1], np.array(False)]
        y, mask = prepare(make_op_model("Dropout", inputs, opset=13, outputs=2, dynamic=dynamic)).run(inputs_off)
        assert mask.all()
        np.testing.assert_array_equal(y, x)


@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3)])
def test_hardmax_of_an_empty_axis(shape):
    x = np.zeros(shape, np.float32)
    check_op("Hardmax", [x], opset=13, reference=[x])
