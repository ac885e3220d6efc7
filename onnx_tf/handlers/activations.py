"""Activations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from onnx_tf.handlers._ranks import arg_along, broadcasting, pad, select, softmax
from onnx_tf.handlers._tensors import dims_of, normalize_axis, rank_of, reshaped, static_value, widened
from onnx_tf.registry import NodeContext, onnx_op, register_table

register_table(
    {"Relu": tf.nn.relu, "Softplus": tf.nn.softplus, "Softsign": tf.nn.softsign},
)


@onnx_op("HardSwish", since=14)
def hard_swish(x: tf.Tensor) -> tf.Tensor:
    return widened(lambda x: x * tf.clip_by_value(x * (1 / 6) + 0.5, 0, 1), x)


@onnx_op("Mish", since=18)
def mish(x: tf.Tensor) -> tf.Tensor:
    return widened(lambda x: x * tf.tanh(tf.nn.softplus(x)), x)


@onnx_op("LeakyRelu")
def leaky_relu(x: tf.Tensor, *, alpha: float) -> tf.Tensor:
    return tf.nn.leaky_relu(x, alpha)


@onnx_op("Elu")
def elu(x: tf.Tensor, *, alpha: float) -> tf.Tensor:
    return tf.nn.elu(x) if alpha == 1 else select(x > 0, x, alpha * _expm1_below_zero(x))


@onnx_op("Selu")
def selu(x: tf.Tensor, *, alpha: float, gamma: float) -> tf.Tensor:
    return gamma * select(x > 0, x, alpha * _expm1_below_zero(x))


@onnx_op("Celu", since=12)
def celu(x: tf.Tensor, *, alpha: float) -> tf.Tensor:
    return select(x > 0, x, alpha * _expm1_below_zero(x / alpha))


def _expm1_below_zero(x: tf.Tensor) -> tf.Tensor:
    """Return exp(x) - 1 below zero, and 0 above."""
    # The branch that tf.where drops must stay finite, or its gradient is NaN.
    return tf.math.expm1(tf.minimum(x, 0))


@onnx_op("ThresholdedRelu")
def thresholded_relu_1(x: tf.Tensor, *, alpha: float = 1.0) -> tf.Tensor:
    """Return x where it is larger than alpha, else 0.

    Limits: Experimental before opset 10: as in ONNX Runtime.
    """
    return thresholded_relu_10(x, alpha=alpha)


@onnx_op("ThresholdedRelu", since=10)
def thresholded_relu_10(x: tf.Tensor, *, alpha: float) -> tf.Tensor:
    return select(x > alpha, x, tf.zeros([], x.dtype))


@onnx_op("HardSigmoid")
def hard_sigmoid(x: tf.Tensor, *, alpha: float, beta: float) -> tf.Tensor:
    return tf.clip_by_value(alpha * x + beta, 0, 1)


@onnx_op("Gelu", since=20)
def gelu(x: tf.Tensor, *, approximate: str) -> tf.Tensor:
    if approximate not in ("none", "tanh"):
        raise ValueError(f"approximate {approximate!r} is not known: use none or tanh")
    return widened(lambda x: tf.nn.gelu(x, approximate=approximate == "tanh"), x)


@onnx_op("Swish", since=24)
def swish(x: tf.Tensor, *, alpha: float) -> tf.Tensor:
    return widened(lambda x: x * tf.sigmoid(x if alpha == 1 else alpha * x), x)


@onnx_op("Shrink", since=9)
def shrink(x: tf.Tensor, *, bias: float, lambd: float) -> tf.Tensor:
    wide = x if x.dtype.is_floating else tf.cast(x, tf.float64)
    shrunk = select(wide > lambd, wide - bias, tf.zeros([], wide.dtype))
    return tf.cast(select(wide < -lambd, wide + bias, shrunk), x.dtype)


@onnx_op("PRelu")
def prelu_1(x: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    if slope.shape.rank == 1 and slope.shape[0] != 1:
        slope = tf.reshape(slope, [-1, *[1] * (rank_of(x) - 2)])
    return prelu_7(x, slope)


@onnx_op("PRelu", since=7)
def prelu_7(x: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    if x.dtype.is_unsigned:
        return tf.identity(x)
    return broadcasting(lambda x, slope: tf.where(x < 0, x * slope, x))(x, slope)


def _hardmax(x: tf.Tensor, axis: int) -> tf.Tensor:
    """Return 1 for the first largest element along an axis, 0 for the others, in the shape of the data."""
    axis = normalize_axis(axis, rank_of(x))
    # An empty axis has no largest element: with one more of the lowest it has.
    end = [0 if x.shape[axis] else int(i == axis) for i in range(rank_of(x))]
    filled = pad(x, [(0, more) for more in end], value=x.dtype.min)
    return tf.one_hot(arg_along(tf.argmax, filled, axis), tf.shape(x)[axis], axis=axis, dtype=x.dtype)


def _softmax(x: tf.Tensor, axis: int) -> tf.Tensor:
    return widened(lambda x: softmax(x, axis), x)


def _log_softmax(x: tf.Tensor, axis: int) -> tf.Tensor:
    return widened(lambda x: tf.nn.log_softmax(x, axis), x)


def _register_over_axis(op_type: str, function: Callable[[tf.Tensor, int], tf.Tensor]) -> None:
    """Register a function of data and an axis for both meanings that the axis has had."""

    @onnx_op(op_type)
    def flattened(x: tf.Tensor, *, axis: int) -> tf.Tensor:
        """Before opset 13 the operator works on a matrix: the axes from ``axis`` on are one."""
        rank = rank_of(x)
        axis = axis if axis == rank else normalize_axis(axis, rank)
        if axis == rank - 1:
            return function(x, -1)
        dims = dims_of(x)
        columns = 1
        for dim in dims[axis:]:
            columns = columns * dim
        matrix = reshaped(x, [*dims[:axis], columns])
        return reshaped(function(matrix, -1), dims)

    @onnx_op(op_type, since=13)
    def along_axis(x: tf.Tensor, *, axis: int) -> tf.Tensor:
        return function(x, axis)


for _op_type, _function in {"Softmax": _softmax, "LogSoftmax": _log_softmax, "Hardmax": _hardmax}.items():
    _register_over_axis(_op_type, _function)


@onnx_op("Dropout")
def dropout_1(x: tf.Tensor, *, is_test: int, ratio: float, context: NodeContext) -> tuple[tf.Tensor, tf.Tensor]:
    return _dropout(x, ratio, context.training and not is_test, None, x.dtype)


@onnx_op("Dropout", since=7)
def dropout_7(x: tf.Tensor, *, ratio: float, context: NodeContext) -> tuple[tf.Tensor, tf.Tensor]:
    return _dropout(x, ratio, context.training, None, x.dtype)


@onnx_op("Dropout", since=10)
def dropout_10(x: tf.Tensor, *, ratio: float, context: NodeContext) -> tuple[tf.Tensor, tf.Tensor]:
    return _dropout(x, ratio, context.training, None, tf.bool)


@onnx_op("Dropout", since=12)
def dropout_12(
    x: tf.Tensor,
    ratio: tf.Tensor | None = None,
    training_mode: tf.Tensor | None = None,
    *,
    seed: int | None,
    context: NodeContext,
) -> tuple[tf.Tensor, tf.Tensor]:
    training = context.training if training_mode is None else training_mode
    return _dropout(x, 0.5 if ratio is None else ratio, training, seed, tf.bool)


def _dropout(
    x: tf.Tensor, ratio: float | tf.Tensor, training: bool | tf.Tensor, seed: int | None, mask_dtype: tf.DType
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the data with a share of ``ratio`` set to 0 and the others scaled up, and what was kept."""
    known = np.asarray(training) if isinstance(training, bool) else static_value(training)
    if known is not None and not known.any():
        return tf.identity(x), tf.ones(tf.shape(x), mask_dtype)
    if not x.dtype.is_floating:
        raise ValueError("Dropout of 8-bit floats in training is not supported: cast them before and after")
    ratio = tf.cast(ratio, tf.float32)
    kept = tf.random.uniform(tf.shape(x), seed=seed) >= ratio
    if known is None:
        kept, ratio = kept | ~training, tf.where(training, ratio, 0)
    # A ratio of 1 keeps nothing: scale by 1 then, not by infinity.
    scale = tf.cast(tf.math.divide_no_nan(1.0, 1 - ratio), x.dtype)
    return select(kept, x * scale, tf.zeros([], x.dtype)), tf.cast(kept, mask_dtype)
