"""Activations in the operators that LiteRT has for them."""

from __future__ import annotations

import math

import tensorflow as tf

from onnx_tf.handlers import activations
from onnx_tf.handlers._ranks import broadcasting, select
from onnx_tf.handlers._tensors import dims_of, rank_of, reshaped, static_value, widened
from onnx_tf.registry import onnx_op

MAX_EXPONENT = 20.0
"""From here on u² + 2 u of u = exp(x) is u² + 2 u + 2 in float32, and does not overflow."""


@onnx_op("Softplus", target="litert")
def softplus(x: tf.Tensor) -> tf.Tensor:
    """Return log(1 + exp(x)); TensorFlow's own becomes that, which is infinite from 89 on."""
    return widened(lambda x: tf.maximum(x, 0) + tf.math.log(1 + tf.exp(-tf.abs(x))), x)


@onnx_op("Mish", since=18, target="litert")
def mish(x: tf.Tensor) -> tf.Tensor:
    def quotient(x: tf.Tensor) -> tf.Tensor:
        u = tf.exp(tf.minimum(x, MAX_EXPONENT))
        n = u * (u + 2)
        return x * (n / (n + 2))

    return widened(quotient, x)


@onnx_op("Elu", target="litert")
def elu(x: tf.Tensor, *, alpha: float) -> tf.Tensor:
    return tf.nn.elu(x) if alpha == 1 else select(x > 0, x, alpha * tf.nn.elu(x))


@onnx_op("Selu", target="litert")
def selu(x: tf.Tensor, *, alpha: float, gamma: float) -> tf.Tensor:
    return gamma * select(x > 0, x, alpha * tf.nn.elu(x))


@onnx_op("Celu", since=12, target="litert")
def celu(x: tf.Tensor, *, alpha: float) -> tf.Tensor:
    return tf.nn.elu(x) if alpha == 1 else select(x > 0, x, alpha * tf.nn.elu(x / alpha))


@onnx_op("HardSwish", since=14, target="litert")
def hard_swish(x: tf.Tensor) -> tf.Tensor:
    """Return x relu6(x + 3) / 6, in the one form that becomes HARD_SWISH."""
    return widened(lambda x: x * tf.nn.relu6(x + 3) * (1 / 6), x)


@onnx_op("HardSigmoid", target="litert")
def hard_sigmoid(x: tf.Tensor, *, alpha: float, beta: float) -> tf.Tensor:
    """Return max(0, min(1, alpha x + beta)); with a sixth for alpha its product with x becomes HARD_SWISH."""
    if math.isclose(alpha, 1 / 6, rel_tol=1e-6) and beta == 0.5:
        return widened(lambda x: tf.nn.relu6(x + 3) * (1 / 6), x)
    return activations.hard_sigmoid(x, alpha=alpha, beta=beta)


@onnx_op("PRelu", target="litert")
def prelu_1(x: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    if slope.shape.rank == 1 and slope.shape[0] != 1:
        slope = tf.reshape(slope, [-1, *[1] * (rank_of(x) - 2)])
    return prelu_7(x, slope)


@onnx_op("PRelu", since=7, target="litert")
def prelu_7(x: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    """Return x where it is not negative, else its product with the slope."""
    rank, dims = rank_of(x), dims_of(slope)
    if not 2 <= rank <= 4 or len(dims) > rank or (len(dims) == rank and dims[0] != 1):
        return broadcasting(lambda x, slope: tf.where(x < 0, x * slope, x))(x, slope)
    # In this one form, with a constant slope of every axis but the batch, it becomes PRELU.
    own = reshaped(slope, [*[1] * (rank - 1 - len(dims)), *dims[-(rank - 1) :]])
    return broadcasting(lambda x, slope: tf.nn.relu(x) + -slope * tf.nn.relu(-x))(x, own)


@onnx_op("Clip", target="litert")
def clip_1(x: tf.Tensor, *, min: float | None, max: float | None) -> tf.Tensor:  # noqa: A002
    return _clip(x, min, max)


@onnx_op("Clip", since=11, target="litert")
def clip_11(x: tf.Tensor, low: tf.Tensor | None = None, high: tf.Tensor | None = None) -> tf.Tensor:
    return _clip(x, low, high)


def _clip(x: tf.Tensor, low: float | tf.Tensor | None, high: float | tf.Tensor | None) -> tf.Tensor:
    """Return x between two bounds; one that is absent, or all that the dtype has, is no operator."""
    bounds = [None if bound is None else static_value(bound) for bound in (low, high)]
    if x.dtype == tf.float32 and bounds == [0, 6]:
        return tf.nn.relu6(x)
    if low is not None and (bounds[0] is None or bounds[0] > x.dtype.min):
        x = tf.maximum(x, tf.cast(low, x.dtype))
    if high is not None and (bounds[1] is None or bounds[1] < x.dtype.max):
        x = tf.minimum(x, tf.cast(high, x.dtype))
    return tf.identity(x)
