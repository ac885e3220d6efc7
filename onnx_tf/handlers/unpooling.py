"""Pools undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from onnx_tf.handlers._layout import channels_last_op
from onnx_tf.handlers._tensors import Dim, as_shape, dims_of, elements_of, product, reshaped, shaped, vector
from onnx_tf.handlers._windows import pad_spatial

Fill = Callable[[tf.Tensor, tf.Tensor, Sequence[Dim]], tf.Tensor]
"""(values, their indices in N, C, spatial... order, spatial dims) -> N, spatial..., C data with the values there."""


def register_max_unpool(fill: Fill, *, target: str = "") -> None:
    """Register a form of MaxUnpool, see :func:`onnx_tf.registry.onnx_op`."""

    @channels_last_op("MaxUnpool", since=9, data=(0, 1), target=target)
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
        strides, pads = strides or [1] * rank, pads or [0] * 2 * rank
        dims = [
            (n - 1) * s + k - pads[i] - pads[i + rank]
            for i, (n, s, k) in enumerate(zip(dims_of(x)[1:-1], strides, kernel_shape, strict=True))
        ]
        y = fill(x, indices, dims)
        if output_shape is None:
            return y
        wanted = elements_of(shaped(vector(output_shape, "output_shape"), [rank + 2]))[2:]
        return pad_spatial(y, [(0, size - n) for size, n in zip(wanted, dims, strict=True)])


def _filled(x: tf.Tensor, indices: tf.Tensor, dims: Sequence[Dim]) -> tf.Tensor:
    batch, *_, channels = dims_of(x)
    plane = tf.cast(product(dims), tf.int64)
    image, place = indices // plane, indices % plane
    depth = tf.cast(channels, tf.int64)
    flat = ((image // depth) * plane + place) * depth + image % depth
    empty = tf.zeros(as_shape([product([batch, *dims, channels])]), x.dtype)
    filled = tf.tensor_scatter_nd_update(empty, tf.reshape(flat, [-1, 1]), tf.reshape(x, [-1]))
    return reshaped(filled, [batch, *dims, channels])


register_max_unpool(_filled)
