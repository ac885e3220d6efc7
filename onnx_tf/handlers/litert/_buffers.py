"""Tensors that loops fill row by row."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
from tensorflow.compiler.tf2xla.python import xla

from onnx_tf.handlers._stores import Store
from onnx_tf.handlers._tensors import Dim, as_shape

__all__ = ["BUFFERS", "put_row"]


def put_row(buffer: tf.Tensor, index: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    """Return a buffer with another row at an index (int32) of its first axis."""
    start = tf.stack([index] + [tf.constant(0)] * row.shape.rank)
    written = xla.dynamic_update_slice(buffer, row[tf.newaxis], start)
    written.set_shape(buffer.shape)
    return written


class _Buffers:
    """A tensor of all rows, where their number and shape are known before the loop; else one that grows.

    What grows is flat, beside the shape of a row: no row need be there to tell it. Either begins with a number that
    does not count, since LiteRT's loops fail with tensors of no elements.
    """

    def rows(self, tensor: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
        return lambda index: tf.gather(tensor, index)

    def opened(self, row: tf.TensorSpec, count: Dim | None) -> list[tf.Tensor]:
        if _is_fixed(row, count):
            # Of no rows, the body would be refused before it is known that it never runs.
            rows = count or 1 if isinstance(count, int) else tf.maximum(count, 1)
            return [tf.zeros(as_shape([rows, *row.shape]), row.dtype)]
        return [tf.zeros([1], row.dtype), tf.zeros([1 + (row.shape.rank or 0)], tf.int32)]

    def shapes(self, row: tf.TensorSpec, count: Dim | None) -> list[tf.TensorShape]:
        if _is_fixed(row, count):
            return [tf.TensorShape([count or 1 if isinstance(count, int) else None]).concatenate(row.shape)]
        return [tf.TensorShape([None]), tf.TensorShape([1 + (row.shape.rank or 0)])]

    def put(self, held: list[tf.Tensor], index: tf.Tensor, row: tf.Tensor, count: Dim | None) -> list[tf.Tensor]:
        if _is_fixed(tf.TensorSpec(row.shape, row.dtype), count):
            return [put_row(held[0], tf.cast(index, tf.int32), row)]
        return [tf.concat([held[0], tf.reshape(row, [-1])], 0), tf.concat([[0], tf.shape(row)], 0)]

    def stacked(self, held: list[tf.Tensor], number: tf.Tensor, row: tf.TensorSpec, count: Dim | None) -> tf.Tensor:
        if _is_fixed(row, count):
            return held[0] if isinstance(count, int) and count else held[0][:count]
        flat, shape = held
        stacked = tf.reshape(flat[1:], tf.concat([tf.cast(number, tf.int32)[tf.newaxis], shape[1:]], 0))
        stacked.set_shape(tf.TensorShape([count if isinstance(count, int) else None]).concatenate(row.shape))
        return stacked


def _is_fixed(row: tf.TensorSpec, count: Dim | None) -> bool:
    return count is not None and row.shape.is_fully_defined()


BUFFERS: Store = _Buffers()
