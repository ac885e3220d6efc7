"""Products of queries, keys and values that the forms of attention share."""

from __future__ import annotations

import math

import tensorflow as tf

from onnx_tf.handlers._tensors import Dim, dims_of, reshaped


def computable(tensor: tf.Tensor) -> tf.Tensor:
    """Cast 16-bit floats to 32: sums of many products need them."""
    return tf.cast(tensor, tf.float32) if tensor.dtype in (tf.float16, tf.bfloat16) else tensor


def split_heads(x: tf.Tensor, heads: Dim) -> tf.Tensor:
    """Return [batch, length, heads * size] as [batch, heads, length, size]."""
    batch, length, width = dims_of(x)
    return tf.transpose(reshaped(x, [batch, length, heads, width // heads]), [0, 2, 1, 3])


def join_heads(x: tf.Tensor) -> tf.Tensor:
    """Return [batch, heads, length, size] as [batch, length, heads * size]."""
    batch, heads, length, size = dims_of(x)
    return reshaped(tf.transpose(x, [0, 2, 1, 3]), [batch, length, heads * size])


def scores_of(q: tf.Tensor, k: tf.Tensor, scale: float | None) -> tf.Tensor:
    """Return the scaled products of queries and keys; groups of query heads share a key head."""
    batch, heads, length, size = dims_of(q)
    if scale is None:
        scale = 1 / math.sqrt(size or 1) if isinstance(size, int) else tf.math.rsqrt(tf.cast(size, q.dtype))
    products = tf.matmul(_grouped(q * tf.cast(scale, q.dtype), dims_of(k)[1]), k, transpose_b=True)
    return reshaped(products, [batch, heads, length, dims_of(k)[2]])


def weighted_sums(probabilities: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
    """Return the values weighted by probabilities; groups of query heads share a value head."""
    batch, heads, length, _ = dims_of(probabilities)
    sums = tf.matmul(_grouped(probabilities, dims_of(v)[1]), v)
    return reshaped(sums, [batch, heads, length, dims_of(v)[3]])


def _grouped(x: tf.Tensor, heads: Dim) -> tf.Tensor:
    """Return [batch, heads * groups, length, size] as [batch, heads, groups * length, size]."""
    batch, all_heads, length, size = dims_of(x)
    if isinstance(all_heads, int) and isinstance(heads, int) and all_heads == heads:
        return x
    return reshaped(x, [batch, heads, all_heads // heads * length, size])
