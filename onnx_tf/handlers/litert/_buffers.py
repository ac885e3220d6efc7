"""Tensors that loops fill row by row."""

from __future__ import annotations

import tensorflow as tf
from tensorflow.compiler.tf2xla.python import xla

__all__ = ["put_row"]


def put_row(buffer: tf.Tensor, index: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    """Return a buffer with another row at an index (int32) of its first axis."""
    start = tf.stack([index] + [tf.constant(0)] * row.shape.rank)
    written = xla.dynamic_update_slice(buffer, row[tf.newaxis], start)
    written.set_shape(buffer.shape)
    return written
