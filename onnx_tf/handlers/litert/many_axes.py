"""Kernels that fail beyond six axes: adjacent axes that behave alike are one to them; running products."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers._ranks import select
from onnx_tf.handlers._tensors import as_shape, dims_of, normalize_axis, product, rank_of, reshaped, static_value
from onnx_tf.registry import onnx_op

MAX_AXES = 6


@onnx_op("Concat", since=4, target="litert")
def concat(*inputs: tf.Tensor, axis: int) -> tf.Tensor:
    rank = inputs[0].shape.rank
    if rank is None or rank <= MAX_AXES:
        return tf.concat(inputs, axis)
    axis = normalize_axis(axis, rank)
    dims = dims_of(inputs[0])
    outer, inner = dims[:axis], dims[axis + 1 :]
    rows = [reshaped(x, [product(outer), dims_of(x)[axis], product(inner)]) for x in inputs]
    joined = tf.concat(rows, 1)
    return reshaped(joined, [*outer, dims_of(joined)[1], *inner])


@onnx_op("CumProd", since=26, target="litert")
def cum_prod(x: tf.Tensor, axis: tf.Tensor, *, exclusive: int, reverse: int) -> tf.Tensor:
    """Return running products: for each element the product of all, those that do not count as 1."""
    rank, known = rank_of(x), static_value(axis)
    if known is not None:
        return _running_products(x, normalize_axis(int(known.reshape(-1)[0]), rank), exclusive, reverse)
    along_each = tf.stack([_running_products(x, place, exclusive, reverse) for place in range(rank)])
    place = tf.cast(tf.reshape(axis, []), tf.int32)
    return tf.gather(along_each, tf.where(place < 0, place + rank, place))


def _running_products(x: tf.Tensor, place: int, exclusive: int, reverse: int) -> tf.Tensor:
    size = tf.shape(x)[place]
    numbers = tf.range(size)
    of, upto = (numbers[None, :], numbers[:, None]) if not reverse else (numbers[:, None], numbers[None, :])
    counts = tf.less(of, upto) if exclusive else tf.less_equal(of, upto)
    shape = as_shape([tf.cast(size, tf.int64)] * 2 + [1] * (rank_of(x) - 1 - place))
    each = select(tf.reshape(counts, shape), tf.expand_dims(x, place), tf.ones([], x.dtype))
    return tf.reduce_prod(each, place + 1)
