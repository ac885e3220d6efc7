"""Orders: the largest elements, distinct elements."""

from __future__ import annotations

import math

import tensorflow as tf

from onnx_tf.handlers._ranks import select
from onnx_tf.handlers._tensors import (
    dims_of,
    inverse_permutation,
    normalize_axis,
    permutation_to_last,
    product,
    rank_of,
    reshaped,
    scalar,
    vector,
)
from onnx_tf.registry import onnx_op


@onnx_op("TopK")
def top_k_1(x: tf.Tensor, *, axis: int, k: int) -> tuple[tf.Tensor, tf.Tensor]:
    return _top_k(x, tf.constant(k), axis, largest=True)


@onnx_op("TopK", since=10)
def top_k_10(x: tf.Tensor, k: tf.Tensor, *, axis: int) -> tuple[tf.Tensor, tf.Tensor]:
    return _top_k(x, vector(k, "K"), axis, largest=True)


@onnx_op("TopK", since=11)
def top_k_11(x: tf.Tensor, k: tf.Tensor, *, axis: int, largest: int, sorted: int) -> tuple[tf.Tensor, tf.Tensor]:  # noqa: A002
    return _top_k(x, vector(k, "K"), axis, largest)


def _top_k(x: tf.Tensor, k: tf.Tensor, axis: int, largest: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the k largest or smallest elements along an axis, in order, and their indices, int64."""
    to_last = permutation_to_last(axis, rank_of(x))
    back = inverse_permutation(to_last)
    rows = tf.transpose(x, to_last)
    k = tf.cast(scalar(k), tf.int32)
    if x.dtype.is_floating:
        indices = _order_of_floats(rows, k, largest)
        values = tf.gather(rows, indices, batch_dims=rank_of(x) - 1)
    else:
        # The inverse is in the opposite order, as the negative is, which may overflow.
        keys, indices = tf.math.top_k(rows if largest else tf.bitwise.invert(rows), k)
        values = keys if largest else tf.bitwise.invert(keys)
    return tf.transpose(values, back), tf.cast(tf.transpose(indices, back), tf.int64)


def _order_of_floats(rows: tf.Tensor, k: tf.Tensor, largest: int) -> tf.Tensor:
    """Return where the k largest or smallest elements of each row are; NaN is larger than infinity."""
    # TensorFlow orders NaN anyhow. As infinities they are in place, but for their order among infinities. Integers
    # of the same bits would be one key for both, but other readers of a SavedModel have no bitcast.
    is_nan = rows != rows
    finite_first = select(is_nan, tf.constant(math.inf, rows.dtype), rows)
    nan_last = tf.cast(is_nan, rows.dtype) + tf.cast(finite_first == math.inf, rows.dtype)
    sign = 1 if largest else -1
    order = tf.math.top_k(sign * finite_first, k)[1]
    keys, of_infinities = tf.math.top_k(sign * nan_last, k)
    return select(keys != 0, of_infinities, order)


@onnx_op("Unique", since=11)
def unique(x: tf.Tensor, *, axis: int | None, sorted: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:  # noqa: A002
    if axis is None:
        x, axis = tf.reshape(x, [-1]), 0
    axis = normalize_axis(axis, rank_of(x))
    keys = _integer_keys(x)
    keys = tf.transpose(keys, [axis, *[i for i in range(rank_of(keys)) if i != axis]])
    count, *rest = dims_of(keys)
    keys = reshaped(keys, [count, product(rest)])
    rows, inverse, counts = tf.raw_ops.UniqueWithCountsV2(x=keys, axis=[0], out_idx=tf.int64)
    first = tf.math.unsorted_segment_min(tf.range(count, dtype=tf.int64), inverse, tf.size(counts))
    if sorted:
        order = _lexicographic_order(rows)
        inverse = tf.gather(tf.math.invert_permutation(order), inverse)
        first, counts = tf.gather(first, order), tf.gather(counts, order)
    return tf.gather(x, first, axis=axis), first, inverse, counts


def _integer_keys(x: tf.Tensor) -> tf.Tensor:
    """Return integers that are equal and ordered as the elements, with a new last axis if one is not enough.

    NaN is equal to itself and comes last, as in numpy.
    """
    if x.dtype == tf.string:
        return tf.io.decode_raw(x, tf.uint8, fixed_length=tf.reduce_max(tf.strings.length(x)))
    if x.dtype.is_complex:
        return tf.stack([_integer_keys(tf.math.real(x)), _integer_keys(tf.math.imag(x))], -1)
    if x.dtype == tf.bool:
        return tf.cast(x, tf.uint8)
    if not x.dtype.is_floating:
        return x
    x = x if x.dtype == tf.float64 else tf.cast(x, tf.float32)
    x = select(x == 0, tf.zeros_like(x), select(tf.math.is_nan(x), x.dtype.as_numpy_dtype("nan"), x))
    bits = tf.bitcast(x, tf.int64 if x.dtype == tf.float64 else tf.int32)
    return select(bits < 0, tf.bitwise.bitwise_xor(bits, bits.dtype.max), bits)


def _lexicographic_order(rows: tf.Tensor) -> tf.Tensor:
    """Return the order that sorts the rows of a matrix by their first column, then the second, ..."""

    def by_column(column: tf.Tensor, order: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        keys = tf.gather(rows[:, column], order)
        return column - 1, tf.gather(order, tf.argsort(keys, stable=True))

    last = tf.cast(dims_of(rows)[1], tf.int64) - 1
    start = (last, tf.range(dims_of(rows)[0], dtype=tf.int64))
    return tf.while_loop(lambda column, _: column >= 0, by_column, start)[1]
