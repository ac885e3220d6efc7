"""Orders: the largest elements, distinct elements."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers._tensors import inverse_permutation, permutation_to_last, rank_of
from onnx_tf.registry import onnx_op


@onnx_op("TopK")
def top_k_1(x, *, axis, k):
    return _top_k(x, k, axis, largest=True)


@onnx_op("TopK", since=10)
def top_k_10(x, k, *, axis):
    return _top_k(x, k, axis, largest=True)


@onnx_op("TopK", since=11)
def top_k_11(x, k, *, axis, largest, sorted):  # noqa: A002
    return _top_k(x, k, axis, largest)


def _top_k(x, k, axis, largest):
    to_last = permutation_to_last(axis, rank_of(x))
    back = inverse_permutation(to_last)
    rows = tf.transpose(x, to_last)
    k = tf.cast(tf.reshape(k, []), tf.int32)
    keys, indices = tf.math.top_k(rows if largest else _descending(rows), k)
    values = keys if largest else _descending(keys)
    return tf.transpose(values, back), tf.cast(tf.transpose(indices, back), tf.int64)


def _descending(x):
    """Return keys in the opposite order; the same again gives x back, and no integer overflows."""
    return tf.bitwise.invert(x) if x.dtype.is_integer else -x
