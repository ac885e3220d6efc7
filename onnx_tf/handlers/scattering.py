"""Writing elements by index."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers._ranks import broadcast_to
from onnx_tf.handlers._tensors import as_shape, computed_in, dims_of, normalize_axis, product, rank_of, vector
from onnx_tf.handlers.indexing import flat_positions, row_positions
from onnx_tf.registry import onnx_op

SCATTER = {
    "none": tf.tensor_scatter_nd_update,
    "add": tf.tensor_scatter_nd_add,
    "max": tf.tensor_scatter_nd_max,
    "min": tf.tensor_scatter_nd_min,
}


@onnx_op("Scatter", since=9)
def scatter(data: tf.Tensor, indices: tf.Tensor, updates: tf.Tensor, *, axis: int) -> tf.Tensor:
    return _scatter_elements(data, indices, updates, axis, "none")


@onnx_op("ScatterElements", since=11)
def scatter_elements_11(data: tf.Tensor, indices: tf.Tensor, updates: tf.Tensor, *, axis: int) -> tf.Tensor:
    return _scatter_elements(data, indices, updates, axis, "none")


@onnx_op("ScatterElements", since=16)
def scatter_elements_16(
    data: tf.Tensor, indices: tf.Tensor, updates: tf.Tensor, *, axis: int, reduction: str
) -> tf.Tensor:
    return _scatter_elements(data, indices, updates, axis, reduction)


def _scatter_elements(data: tf.Tensor, indices: tf.Tensor, updates: tf.Tensor, axis: int, reduction: str) -> tf.Tensor:
    """Write updates, in the shape of the indices, along an axis."""
    axis = normalize_axis(axis, rank_of(data))
    positions = tf.reshape(flat_positions(indices, dims_of(data), axis), [-1])
    result = _scatter_flat(tf.reshape(data, [-1]), positions, tf.reshape(updates, [-1]), reduction)
    return tf.reshape(result, as_shape(dims_of(data)))


@onnx_op("ScatterND", since=11)
def scatter_nd_11(data: tf.Tensor, indices: tf.Tensor, updates: tf.Tensor) -> tf.Tensor:
    return _scatter_nd(data, indices, updates, "none")


@onnx_op("ScatterND", since=16)
def scatter_nd_16(data: tf.Tensor, indices: tf.Tensor, updates: tf.Tensor, *, reduction: str) -> tf.Tensor:
    return _scatter_nd(data, indices, updates, reduction)


def _scatter_nd(data: tf.Tensor, indices: tf.Tensor, updates: tf.Tensor, reduction: str) -> tf.Tensor:
    """Write updates where the index tuples on the last axis of ``indices`` name."""
    depth = indices.shape[-1]
    if depth is None:
        raise ValueError("the last dimension of 'indices' is unknown: state the shape of the graph inputs in the model")
    dims = dims_of(data)
    indexed, kept = dims[:depth], dims[depth:]
    count = product(dims_of(indices)[:-1])
    positions = tf.reshape(row_positions(indices, indexed), [-1])
    rows = tf.reshape(updates, as_shape([count, *kept]))
    size = product(kept)
    if not isinstance(size, int) or size == 0:
        # TensorFlow refuses to write rows without elements: write none of them.
        written = 0 if isinstance(size, int) else tf.cast(count, tf.int64) * tf.minimum(size, 1)
        positions, rows = positions[:written], rows[:written]
    result = _scatter_flat(tf.reshape(data, as_shape([product(indexed), *kept])), positions, rows, reduction)
    return tf.reshape(result, as_shape(dims))


def _scatter_flat(data: tf.Tensor, positions: tf.Tensor, updates: tf.Tensor, reduction: str) -> tf.Tensor:
    """Write rows [count, ...] at positions [count] of the first axis."""
    if data.dtype == tf.bool and reduction != "none":
        return computed_in(tf.int32, lambda d, u: _scatter_flat(d, positions, u, reduction), data, updates)
    if reduction == "mul":
        return data * tf.math.unsorted_segment_prod(updates, positions, dims_of(data)[0])
    return SCATTER[reduction](data, positions[:, None], updates)


@onnx_op("TensorScatter", since=24)
def tensor_scatter(
    past: tf.Tensor, update: tf.Tensor, write_indices: tf.Tensor | None = None, *, axis: int, mode: str
) -> tf.Tensor:
    """Write ``update`` into the sequence axis of a cache, from a position of its own for each sample."""
    axis, write_indices = normalize_axis(axis, rank_of(past)), vector(write_indices, "write_indices")
    dims, length = dims_of(past), dims_of(update)[axis]
    start = tf.zeros([dims[0]], tf.int64) if write_indices is None else write_indices
    places = start[:, None] + tf.range(length, dtype=tf.int64)
    if mode == "circular":
        places = tf.math.floormod(places, tf.cast(dims[axis], tf.int64))
    shape = [dims[0], *[1] * (axis - 1), length, *[1] * (len(dims) - axis - 1)]
    indices = broadcast_to(tf.reshape(places, as_shape(shape)), dims_of(update))
    return _scatter_elements(past, indices, update, axis, "none")
