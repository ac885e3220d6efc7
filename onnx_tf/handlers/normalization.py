"""Normalization over batch or layer, and over neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir
import tensorflow as tf

from onnx_tf.dtypes import to_tf
from onnx_tf.handlers._combined import combined
from onnx_tf.handlers._layout import channels_last_axis, channels_last_op, to_channels_last
from onnx_tf.handlers._ranks import broadcasting
from onnx_tf.handlers._tensors import Dim, computed_in, dims_of, normalize_axis, product, rank_of, reshaped, widened
from onnx_tf.registry import NodeContext, onnx_op


@channels_last_op("BatchNormalization")
def batch_normalization_1(
    x: tf.Tensor,
    scale: tf.Tensor,
    b: tf.Tensor,
    mean: tf.Tensor,
    var: tf.Tensor,
    *,
    epsilon: float,
    is_test: int,
    momentum: float,
    spatial: int,
    context: NodeContext,
) -> tf.Tensor | tuple[tf.Tensor, ...]:
    return _batch_normalization(x, scale, b, mean, var, epsilon, momentum, context, spatial, training=not is_test)


@channels_last_op("BatchNormalization", since=7)
def batch_normalization_7(
    x: tf.Tensor,
    scale: tf.Tensor,
    b: tf.Tensor,
    mean: tf.Tensor,
    var: tf.Tensor,
    *,
    epsilon: float,
    momentum: float,
    spatial: int,
    context: NodeContext,
) -> tf.Tensor | tuple[tf.Tensor, ...]:
    return _batch_normalization(x, scale, b, mean, var, epsilon, momentum, context, spatial)


@channels_last_op("BatchNormalization", since=9)
def batch_normalization_9(
    x: tf.Tensor,
    scale: tf.Tensor,
    b: tf.Tensor,
    mean: tf.Tensor,
    var: tf.Tensor,
    *,
    epsilon: float,
    momentum: float,
    context: NodeContext,
) -> tf.Tensor | tuple[tf.Tensor, ...]:
    return _batch_normalization(x, scale, b, mean, var, epsilon, momentum, context)


@channels_last_op("BatchNormalization", since=14)
def batch_normalization_14(
    x: tf.Tensor,
    scale: tf.Tensor,
    b: tf.Tensor,
    mean: tf.Tensor,
    var: tf.Tensor,
    *,
    epsilon: float,
    momentum: float,
    training_mode: int,
) -> tf.Tensor | tuple[tf.Tensor, ...]:
    if not training_mode:
        return _normalized(x, scale, b, mean, var, epsilon)
    current_mean, current_var = _moments(x, list(range(rank_of(x) - 1)))
    running = (_running(mean, current_mean, momentum), _running(var, current_var, momentum))
    return _normalized(x, scale, b, current_mean, current_var, epsilon), *running


def _batch_normalization(
    x: tf.Tensor,
    scale: tf.Tensor,
    b: tf.Tensor,
    mean: tf.Tensor,
    var: tf.Tensor,
    epsilon: float,
    momentum: float,
    context: NodeContext,
    spatial: int = 1,
    training: bool = True,
) -> tf.Tensor | tuple[tf.Tensor, ...]:
    """Return y, and of a node in training the new statistics, of N, spatial..., C data before opset 14."""
    axes = list(range(rank_of(x) - 1)) if spatial else [0]
    if not spatial:
        scale, b, mean, var = (to_channels_last(t[tf.newaxis])[0] for t in (scale, b, mean, var))
    # Before opset 14 a node trains where it has outputs for statistics, used or not.
    if not training or len(context.outputs) == 1:
        return _normalized(x, scale, b, mean, var, epsilon)
    saved_mean, saved_var = _moments(x, axes)
    running = (_running(mean, saved_mean, momentum), _running(var, saved_var, momentum))
    return _normalized(x, scale, b, saved_mean, saved_var, epsilon), *running, saved_mean, saved_var


def _normalized(
    x: tf.Tensor, scale: tf.Tensor, b: tf.Tensor, mean: tf.Tensor, var: tf.Tensor, epsilon: float
) -> tf.Tensor:
    """Return N, spatial..., C data normalized by statistics of each channel."""
    if x.shape.rank == 4 and all(t.dtype == tf.float32 and t.shape.rank == 1 for t in (x, scale, b, mean, var)):
        return tf.raw_ops.FusedBatchNormV3(
            x=x, scale=scale, offset=b, mean=mean, variance=var, epsilon=epsilon, is_training=False
        )[0]
    wide = wide_of(x)
    scale, b, mean, var = (tf.cast(t, wide) for t in (scale, b, mean, var))
    factor = scale * tf.math.rsqrt(var + epsilon)
    return tf.cast((tf.cast(x, wide) - mean) * factor + b, x.dtype)


def _moments(x: tf.Tensor, axes: Sequence[int]) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and variance over axes, in float32 at least."""
    return tf.nn.moments(tf.cast(x, wide_of(x)), axes)


def _running(old: tf.Tensor, current: tf.Tensor, momentum: float) -> tf.Tensor:
    """Return the running average of a statistic."""
    return computed_in(current.dtype, lambda a, c: a * momentum + c * (1 - momentum), old, current)


@onnx_op("LayerNormalization", since=17)
def layer_normalization(
    x: tf.Tensor, scale: tf.Tensor, b: tf.Tensor | None = None, *, axis: int, epsilon: float, stash_type: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    wide = wide_of(x)
    axes = list(range(normalize_axis(axis, rank_of(x)), rank_of(x)))
    data = tf.cast(x, wide)
    mean = tf.reduce_mean(data, axes, keepdims=True)
    centred = data - mean
    factor = tf.math.rsqrt(tf.reduce_mean(tf.square(centred), axes, keepdims=True) + epsilon)
    y = broadcasting(tf.multiply)(centred * factor, tf.cast(scale, wide))
    if b is not None:
        y = broadcasting(tf.add)(y, tf.cast(b, wide))
    stash = to_tf(ir.DataType(stash_type))
    return tf.cast(y, x.dtype), tf.cast(mean, stash), tf.cast(factor, stash)


@onnx_op("RMSNormalization", since=23)
def rms_normalization(x: tf.Tensor, scale: tf.Tensor, *, axis: int, epsilon: float, stash_type: int) -> tf.Tensor:
    wide = wide_of(x)
    axes = list(range(normalize_axis(axis, rank_of(x)), rank_of(x)))
    data = tf.cast(x, wide)
    factor = tf.math.rsqrt(tf.reduce_mean(tf.square(data), axes, keepdims=True) + epsilon)
    return tf.cast(broadcasting(tf.multiply)(data * factor, tf.cast(scale, wide)), scale.dtype)


@channels_last_op("LRN")
def lrn(x: tf.Tensor, *, alpha: float, beta: float, bias: float, size: int) -> tf.Tensor:
    below, above = neighbours(x, size)

    # Not TensorFlow's kernel, a product with a matrix of ones and zeros, which makes NaN of an infinity times zero.
    def normalized(x: tf.Tensor) -> tf.Tensor:
        sums = _sums_of_neighbours(tf.square(x), below, above)
        return x * _inverse_power(bias + alpha / size * sums, beta, bias >= 0 and alpha >= 0)

    return widened(normalized, x)


def neighbours(x: tf.Tensor, size: int) -> tuple[Dim, Dim]:
    """Return how many channels below and above each LRN takes of N, spatial..., C data."""
    channels = dims_of(x)[-1]
    # Nothing lies beyond the channels.
    below, above = (min(n, channels) if isinstance(channels, int) else n for n in ((size - 1) // 2, size // 2))
    return below, above


def _inverse_power(x: tf.Tensor, exponent: float, is_positive: bool) -> tf.Tensor:
    """Return ``x ** -exponent``, not by Pow where it can be helped, which takes ten times as long."""
    if exponent == 0.75:  # that of nearly all networks
        root = tf.math.rsqrt(x)
        return root * tf.sqrt(root)
    return tf.exp(-exponent * tf.math.log(x)) if is_positive else tf.pow(x, -exponent)


def _sums_of_neighbours(x: tf.Tensor, below: int, above: int) -> tf.Tensor:
    """Return the sums over each channel and some below and above it, [..., C]."""
    *outer, channels = dims_of(x)
    more = below + above
    # All pixels in one line, zeros between them: rows of few channels would be added one by one.
    rows = tf.pad(reshaped(x, [product(outer), channels]), [[0, 0], [below, above]])
    count = product([*outer, channels + more])
    line = tf.pad(reshaped(rows, [count]), [[0, more]])
    sums = reshaped(combined(line, 0, more + 1, 1, 1, count, tf.add), [product(outer), channels + more])
    return reshaped(sums[:, :channels], [*outer, channels])


@channels_last_op("MeanVarianceNormalization")
def mean_variance_normalization_1(x: tf.Tensor, *, across_channels: int = 0, normalize_variance: int = 1) -> tf.Tensor:
    """Normalize over the first axis, the third and fourth, and the channels if asked; what does not vary is NaN.

    Limits: Experimental before opset 9: as in ONNX Runtime.
    """
    rank = rank_of(x)
    numbers = (0, 1, 2, 3) if across_channels == 1 else (0, 2, 3)
    axes = [channels_last_axis(axis, rank) for axis in numbers if axis < rank]

    def normalized(x: tf.Tensor) -> tf.Tensor:
        centred = x - tf.reduce_mean(x, axes, keepdims=True)
        if normalize_variance != 1:
            return centred
        return centred / tf.sqrt(tf.reduce_mean(tf.square(centred), axes, keepdims=True))

    return widened(normalized, x)


@channels_last_op("MeanVarianceNormalization", since=9)
def mean_variance_normalization_9(x: tf.Tensor, *, axes: Sequence[int]) -> tf.Tensor:
    rank = rank_of(x)
    axes = [channels_last_axis(axis, rank) for axis in axes]

    def normalized(x: tf.Tensor) -> tf.Tensor:
        centred = broadcasting(tf.subtract)(x, tf.reduce_mean(x, axes, keepdims=True))
        spread = tf.sqrt(tf.reduce_mean(tf.square(centred), axes, keepdims=True)) + 1e-9
        return broadcasting(tf.realdiv)(centred, spread)

    return widened(normalized, x)


@onnx_op("LpNormalization")
def lp_normalization(x: tf.Tensor, *, axis: int, p: int) -> tf.Tensor:
    def normalized(x: tf.Tensor) -> tf.Tensor:
        norm = tf.reduce_sum(tf.abs(x), axis, keepdims=True) if p == 1 else tf.norm(x, axis=axis, keepdims=True)
        return tf.math.divide_no_nan(x, norm)

    if p not in (1, 2):
        raise ValueError(f"p must be 1 or 2, got {p}")
    return widened(normalized, x)


def wide_of(x: tf.Tensor) -> tf.DType:
    """Return the dtype in which floats are summed up."""
    return tf.float64 if x.dtype == tf.float64 else tf.float32
