"""Unique of single elements, which LiteRT has a kernel for."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers._tensors import normalize_axis, rank_of
from onnx_tf.handlers.sorting import unique as unique_for_all
from onnx_tf.registry import onnx_op

DTYPES = (tf.float32, tf.int32, tf.int64)

Uniques = tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]


@onnx_op("Unique", since=11, target="litert")
def unique(x: tf.Tensor, *, axis: int | None, sorted: int) -> Uniques:  # noqa: A002
    is_flat = axis is None or (rank_of(x) == 1 and normalize_axis(axis, 1) == 0)
    if not is_flat or x.dtype not in DTYPES:
        return unique_for_all(x, axis=axis, sorted=sorted)
    x = tf.reshape(x, [-1])
    values, inverse = tf.unique(x)
    number = tf.size(values)
    first = tf.math.unsorted_segment_min(tf.range(tf.size(x)), inverse, number)
    counts = tf.math.unsorted_segment_sum(tf.ones_like(inverse), inverse, number)
    if sorted:
        order = tf.reverse(tf.math.top_k(values, number)[1], [0])
        ranks = tf.scatter_nd(order[:, tf.newaxis], tf.range(number), number[tf.newaxis])
        values, inverse = tf.gather(values, order), tf.gather(ranks, inverse)
        first, counts = tf.gather(first, order), tf.gather(counts, order)
    return values, *(tf.cast(places, tf.int64) for places in (first, inverse, counts))
