"""Writing elements by index."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import tensorflow as tf

from onnx_tf.handlers._ranks import broadcast_to
from onnx_tf.handlers._tensors import computed_in, dims_of, normalize_axis, product, rank_of, reshaped, vector
from onnx_tf.handlers.indexing import flat_positions, index_depth, row_positions
from onnx_tf.registry import onnx_op

Rows: TypeAlias = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
"""Writes rows [count, ...] at positions [count] of the first axis of data."""


def _multiplied(data: tf.Tensor, positions: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    return data * tf.math.unsorted_segment_prod(rows, positions, dims_of(data)[0])


def _by_kernel(kernel: Callable[..., tf.Tensor]) -> Rows:
    return lambda data, positions, rows: kernel(data, positions[:, None], rows)


REDUCTIONS: dict[str, Rows] = {
    "none": _by_kernel(tf.tensor_scatter_nd_update),
    "add": _by_kernel(tf.tensor_scatter_nd_add),
    "mul": _multiplied,
    "max": _by_kernel(tf.tensor_scatter_nd_max),
    "min": _by_kernel(tf.tensor_scatter_nd_min),
}


def register_scatter(reductions: Mapping[str, Rows], target: str = "") -> None:
    """Register ScatterElements and ScatterND by what writes rows, for one target or for all."""

    @onnx_op("Scatter", since=9, target=target)
    @onnx_op("ScatterElements", since=11, target=target)
    def elements_11(data: tf.Tensor, indices: tf.Tensor, updates: tf.Tensor, *, axis: int) -> tf.Tensor:
        return _scatter_elements(data, indices, updates, axis, reductions["none"])

    @onnx_op("ScatterElements", since=16, target=target)
    def elements_16(data: tf.Tensor, indices: tf.Tensor, updates: tf.Tensor, *, axis: int, reduction: str) -> tf.Tensor:
        return _scatter_elements(data, indices, updates, axis, _of_numbers(reductions, reduction))

    @onnx_op("ScatterND", since=11, target=target)
    def nd_11(data: tf.Tensor, indices: tf.Tensor, updates: tf.Tensor) -> tf.Tensor:
        return _scatter_nd(data, indices, updates, reductions["none"])

    @onnx_op("ScatterND", since=16, target=target)
    def nd_16(data: tf.Tensor, indices: tf.Tensor, updates: tf.Tensor, *, reduction: str) -> tf.Tensor:
        return _scatter_nd(data, indices, updates, _of_numbers(reductions, reduction))


def _of_numbers(reductions: Mapping[str, Rows], reduction: str) -> Rows:
    """Return a reduction that takes booleans as numbers."""
    write = reductions[reduction]

    def of_any(data: tf.Tensor, positions: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        if data.dtype == tf.bool and reduction != "none":
            return computed_in(tf.int32, lambda d, r: write(d, positions, r), data, rows)
        return write(data, positions, rows)

    return of_any


def _scatter_elements(data: tf.Tensor, indices: tf.Tensor, updates: tf.Tensor, axis: int, write: Rows) -> tf.Tensor:
    """Write updates, in the shape of the indices, along an axis."""
    axis = normalize_axis(axis, rank_of(data))
    positions = tf.reshape(flat_positions(indices, dims_of(data), axis), [-1])
    result = write(tf.reshape(data, [-1]), positions, tf.reshape(updates, [-1]))
    return reshaped(result, dims_of(data))


def _scatter_nd(data: tf.Tensor, indices: tf.Tensor, updates: tf.Tensor, write: Rows) -> tf.Tensor:
    """Write updates where the index tuples on the last axis of ``indices`` name."""
    depth = index_depth(indices)
    dims = dims_of(data)
    indexed, kept = dims[:depth], dims[depth:]
    count = product(dims_of(indices)[:-1])
    positions = tf.reshape(row_positions(indices, indexed), [-1])
    rows = reshaped(updates, [count, *kept])
    size = product(kept)
    if not isinstance(size, int) or size == 0:
        # TensorFlow refuses to write rows without elements: write none of them.
        written = 0 if isinstance(size, int) else tf.cast(count, tf.int64) * tf.minimum(size, 1)
        positions, rows = positions[:written], rows[:written]
    result = write(reshaped(data, [product(indexed), *kept]), positions, rows)
    return reshaped(result, dims)


register_scatter(REDUCTIONS)


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
    indices = broadcast_to(reshaped(places, shape), dims_of(update))
    return _scatter_elements(past, indices, update, axis, REDUCTIONS["none"])
