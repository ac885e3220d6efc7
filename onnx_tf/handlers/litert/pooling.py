"""Pools for LiteRT: of small integers as floats; undone without division, which it has none of for int64."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from onnx_tf.handlers import pooling
from onnx_tf.handlers._layout import channels_last_op, to_channels_first, to_channels_last
from onnx_tf.handlers._tensors import as_shape, dims_of, elements_of, product, reshaped, shaped, vector
from onnx_tf.handlers._windows import pad_spatial
from onnx_tf.registry import NodeContext


@channels_last_op("MaxPool", since=12, results=(0, 1), target="litert")
def max_pool(
    x: tf.Tensor,
    *,
    auto_pad: str,
    ceil_mode: int,
    dilations: Sequence[int] | None,
    kernel_shape: Sequence[int],
    pads: Sequence[int] | None,
    storage_order: int,
    strides: Sequence[int] | None,
    context: NodeContext,
) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
    # The operator takes integers of 8 bits, which other passes may carry in 32.
    is_small = x.dtype.is_integer
    if is_small:
        context = dataclasses.replace(context, lower_bounds=(float(x.dtype.min),))
    found = pooling.max_pool_10(
        tf.cast(x, tf.float32) if is_small else x,
        auto_pad=auto_pad,
        ceil_mode=ceil_mode,
        dilations=dilations,
        kernel_shape=kernel_shape,
        pads=pads,
        storage_order=storage_order,
        strides=strides,
        context=context,
    )
    if not is_small:
        return found
    return (tf.cast(found[0], x.dtype), found[1]) if isinstance(found, tuple) else tf.cast(found, x.dtype)


@channels_last_op("MaxUnpool", since=9, data=(0, 1), target="litert")
def max_unpool(
    x: tf.Tensor,
    indices: tf.Tensor,
    output_shape: tf.Tensor | None = None,
    *,
    kernel_shape: Sequence[int],
    pads: Sequence[int] | None,
    strides: Sequence[int] | None,
) -> tf.Tensor:
    rank = len(kernel_shape)
    batch, *pooled, channels = dims_of(x)
    strides, pads = strides or [1] * rank, pads or [0] * 2 * rank
    dims = [
        (n - 1) * s + k - pads[i] - pads[i + rank]
        for i, (n, s, k) in enumerate(zip(pooled, strides, kernel_shape, strict=True))
    ]
    # In the order in which the indices count, so that nothing is divided.
    places = tf.reshape(to_channels_first(indices), [-1, 1])
    values = tf.reshape(to_channels_first(x), [-1])
    size = as_shape([product([batch, channels, *dims])])
    filled = tf.scatter_nd(places, values, size)
    if any(s < k for s, k in zip(strides, kernel_shape, strict=True)):
        # Windows that overlap have the same maximum at the same place.
        filled /= tf.maximum(tf.scatter_nd(places, tf.ones_like(values), size), 1)
    y = to_channels_last(reshaped(filled, [batch, channels, *dims]))
    if output_shape is None:
        return y
    wanted = elements_of(shaped(vector(output_shape, "output_shape"), [rank + 2]))[2:]
    return pad_spatial(y, [(0, size - n) for size, n in zip(wanted, dims, strict=True)])
