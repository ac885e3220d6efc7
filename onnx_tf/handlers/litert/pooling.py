"""Pools for LiteRT: of small integers as floats; undone without division, which it has none of for int64."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from onnx_tf.handlers._layout import channels_last_op, to_channels_first, to_channels_last
from onnx_tf.handlers._pools import LITERT
from onnx_tf.handlers._tensors import Dim, as_shape, dims_of, product, reshaped
from onnx_tf.handlers._windows import windows
from onnx_tf.handlers.pooling import maxima, register_average_pool, register_lp_pool, register_max_pool
from onnx_tf.handlers.unpooling import register_max_unpool
from onnx_tf.registry import NodeContext

register_max_pool(LITERT, target="litert")
register_average_pool(LITERT, target="litert")
register_lp_pool(LITERT, target="litert")


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
    data = tf.cast(x, tf.float32) if is_small else x
    w = windows(
        data,
        kernel_shape,
        strides=strides,
        dilations=dilations,
        auto_pad=auto_pad,
        pads=pads,
        ceil_mode=ceil_mode,
        of_less=True,
    )
    found = maxima(data, w, storage_order, context, LITERT)
    if not is_small:
        return found
    return (tf.cast(found[0], x.dtype), found[1]) if isinstance(found, tuple) else tf.cast(found, x.dtype)


def _filled(x: tf.Tensor, indices: tf.Tensor, dims: Sequence[Dim]) -> tf.Tensor:
    batch, *_, channels = dims_of(x)
    # In the order in which the indices count, so that nothing is divided.
    places = tf.reshape(to_channels_first(indices), [-1, 1])
    values = tf.reshape(to_channels_first(x), [-1])
    size = as_shape([product([batch, channels, *dims])])
    # Windows that overlap have the same maximum at the same place, where LiteRT adds them up.
    count = tf.maximum(tf.scatter_nd(places, tf.ones_like(values), size), 1)
    return to_channels_last(reshaped(tf.scatter_nd(places, values, size) / count, [batch, channels, *dims]))


register_max_unpool(_filled, target="litert")
