"""Normalization of each instance: of every channel by itself, or of groups of channels."""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf

from onnx_tf.handlers._layout import channels_last_op
from onnx_tf.handlers._tensors import dims_of, rank_of, reshaped
from onnx_tf.handlers.normalization import wide_of

Form = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, float, "int | None"], tf.Tensor]
"""(data N, spatial..., C, scale, bias, epsilon, groups, ``None`` if each channel is one) -> result."""

MAX_FEW_CHANNELS = 16
"""Up to this many channels are repeated: broadcasting takes five times as long as a vector that is full."""

FULL = 128
"""So many numbers fill the vectors of all processors, and what goes around them."""

MIN_REPEATED = 1 << 16
"""Elements; fewer take no less time repeated (``python -m bench.forms``)."""


def register_group_normalization(form: Form, *, target: str = "") -> None:
    """Register a form of InstanceNormalization and GroupNormalization, see :func:`onnx_tf.registry.onnx_op`."""

    @channels_last_op("InstanceNormalization", channels_first=_instance_normalization_first, target=target)
    def instance_normalization(x: tf.Tensor, scale: tf.Tensor, b: tf.Tensor, *, epsilon: float) -> tf.Tensor:
        return form(x, scale, b, epsilon, None)

    @channels_last_op("GroupNormalization", since=18, target=target)
    def group_normalization_18(
        x: tf.Tensor, scale: tf.Tensor, bias: tf.Tensor, *, epsilon: float, num_groups: int
    ) -> tf.Tensor:
        size = dims_of(x)[-1] // num_groups
        return form(x, tf.repeat(scale, size), tf.repeat(bias, size), epsilon, num_groups)

    @channels_last_op("GroupNormalization", since=21, target=target)
    def group_normalization_21(
        x: tf.Tensor, scale: tf.Tensor, bias: tf.Tensor, *, epsilon: float, num_groups: int, stash_type: int
    ) -> tf.Tensor:
        return form(x, scale, bias, epsilon, num_groups)


def _instance_normalization_first(x: tf.Tensor, scale: tf.Tensor, b: tf.Tensor, *, epsilon: float) -> tf.Tensor:
    """Compute the operator in ONNX order, N, C, spatial...."""
    wide = wide_of(x)
    mean, variance = tf.nn.moments(tf.cast(x, wide), list(range(2, rank_of(x))), keepdims=True)
    scale, b = (tf.reshape(tf.cast(t, wide), [-1, *[1] * (rank_of(x) - 2)]) for t in (scale, b))
    return tf.cast((tf.cast(x, wide) - mean) * tf.math.rsqrt(variance + epsilon) * scale + b, x.dtype)


def by_sums(x: tf.Tensor, scale: tf.Tensor, bias: tf.Tensor, epsilon: float, groups: int | None) -> tf.Tensor:
    """Normalize by sums over the image first and over the channels of a group last, on small tensors."""
    wide = wide_of(x)
    data, scale, bias = (tf.cast(t, wide) for t in (x, scale, bias))
    spatial = list(range(1, rank_of(x) - 1))

    def mean(values: tf.Tensor) -> tf.Tensor:
        means = tf.reduce_mean(values, spatial, keepdims=True)
        if groups is None:
            return means
        *outer, channels = dims_of(means)
        grouped = reshaped(means, [*outer, groups, channels // groups])
        return tf.repeat(tf.reduce_mean(grouped, -1), channels // groups, axis=-1)

    centred = data - mean(data)
    factor = tf.math.rsqrt(mean(tf.square(centred)) + epsilon) * scale
    return tf.cast(centred * factor + bias, x.dtype)


def _fastest(x: tf.Tensor, scale: tf.Tensor, bias: tf.Tensor, epsilon: float, groups: int | None) -> tf.Tensor:
    """Normalize in the form that takes least for data of this shape."""
    dims = x.shape.as_list()
    if groups is not None or None in dims[1:] or 0 in dims:
        return by_sums(x, scale, bias, epsilon, groups)
    pixels, channels = math.prod(dims[1:-1]), dims[-1]
    copies = math.gcd(pixels, FULL // channels) if channels <= MAX_FEW_CHANNELS else 1
    if copies > 1 and pixels * channels >= MIN_REPEATED:
        return repeated(x, scale, bias, epsilon, copies)
    return by_sums(x, scale, bias, epsilon, groups)


def repeated(x: tf.Tensor, scale: tf.Tensor, bias: tf.Tensor, epsilon: float, copies: int) -> tf.Tensor:
    """Normalize every channel with so many pixels seen as one of more channels."""
    wide = wide_of(x)
    channels = x.shape[-1]
    data = tf.reshape(tf.cast(x, wide), [-1, math.prod(x.shape[1:-1]) // copies, copies * channels])

    def mean(values: tf.Tensor) -> tf.Tensor:
        sums = tf.reshape(tf.reduce_mean(values, 1), [-1, copies, channels])
        return tf.reduce_mean(sums, 1, keepdims=True)

    def spread(values: tf.Tensor) -> tf.Tensor:
        return tf.tile(values, [1, 1, copies])

    centred = data - spread(mean(data))
    factor = tf.math.rsqrt(mean(tf.square(centred)) + epsilon) * tf.cast(scale, wide)
    y = centred * spread(factor) + tf.tile(tf.cast(bias, wide), [copies])
    return tf.cast(reshaped(y, dims_of(x)), x.dtype)


register_group_normalization(_fastest)
