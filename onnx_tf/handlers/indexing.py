"""Reading elements by index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from onnx_tf.handlers._ranks import MAX_INDEXED, MAX_SLICED, by_groups, select, strided
from onnx_tf.handlers._tensors import (
    Dim,
    as_shape,
    dims_of,
    elements_of,
    is_short_vector,
    normalize_axis,
    product,
    rank_of,
    reshaped,
    scalar,
    static_ints,
    static_value,
    vector,
)
from onnx_tf.registry import onnx_op

LARGEST = 2**31 - 1
"""Slice bounds from here on mean the end: TensorFlow wants them in 32 bits, and dimensions are smaller."""


def wrapped(indices: tf.Tensor, dim: Dim | tf.Tensor) -> tf.Tensor:
    """Return indices with negative ones counted from the end."""
    known = static_value(indices)
    if known is not None and (known >= 0).all():
        return indices
    if known is not None and isinstance(dim, int):
        return tf.constant(known + dim * (known < 0), indices.dtype)
    return select(indices < 0, indices + tf.cast(dim, indices.dtype), indices)


def flat_positions(indices: tf.Tensor, dims: list[Dim], axis: int) -> tf.Tensor:
    """Return where in the flattened data each element of ``GatherElements`` indices points."""
    sizes = dims_of(indices)
    position: tf.Tensor = tf.cast(wrapped(indices, dims[axis]), tf.int64) * product(dims[axis + 1 :])
    for i in range(len(dims)):
        if i != axis:
            steps = tf.range(sizes[i], dtype=tf.int64) * product(dims[i + 1 :])
            position += tf.reshape(steps, [-1, *[1] * (len(dims) - 1 - i)])
    return position


@onnx_op("Gather")
def gather(data: tf.Tensor, indices: tf.Tensor, *, axis: int) -> tf.Tensor:
    axis = normalize_axis(axis, rank_of(data))
    known = static_value(indices)
    if known is not None and known.ndim == 0 and rank_of(data) <= MAX_SLICED:
        return data[(*[slice(None)] * axis, int(known))]
    if known is not None and known.ndim == 1 and data.dtype == tf.int64 and is_short_vector(data):
        elements = elements_of(data)
        return as_shape([elements[int(i)] for i in known])
    return tf.gather(data, wrapped(indices, dims_of(data)[axis]), axis=axis)


@onnx_op("GatherElements", since=11)
def gather_elements(data: tf.Tensor, indices: tf.Tensor, *, axis: int) -> tf.Tensor:
    axis = normalize_axis(axis, rank_of(data))
    return tf.gather(tf.reshape(data, [-1]), flat_positions(indices, dims_of(data), axis))


@onnx_op("GatherND", since=11)
def gather_nd_11(data: tf.Tensor, indices: tf.Tensor) -> tf.Tensor:
    return _gather_nd(data, indices, 0)


@onnx_op("GatherND", since=12)
def gather_nd_12(data: tf.Tensor, indices: tf.Tensor, *, batch_dims: int) -> tf.Tensor:
    return _gather_nd(data, indices, batch_dims)


def _gather_nd(data: tf.Tensor, indices: tf.Tensor, batch_dims: int) -> tf.Tensor:
    """Return the elements that the index tuples on the last axis of ``indices`` name, after ``batch_dims`` axes."""
    depth = index_depth(indices)
    if not 0 <= batch_dims < min(rank_of(data), rank_of(indices)) or batch_dims + depth > rank_of(data):
        raise ValueError(
            f"batch_dims {batch_dims} and index tuples of {depth} need more axes than there are: data has "
            f"{rank_of(data)}, indices {rank_of(indices)}"
        )
    batches, rest = dims_of(data)[:batch_dims], dims_of(data)[batch_dims:]
    indexed, kept = rest[:depth], rest[depth:]
    if all(isinstance(dim, int) and dim for dim in kept) and batch_dims + depth <= MAX_INDEXED:
        return tf.gather_nd(data, wrapped(indices, as_shape(indexed)), batch_dims=batch_dims)
    # TensorFlow refuses to index what has no elements.
    rows = reshaped(data, [*batches, product(indexed), *kept])
    return tf.gather(rows, row_positions(indices, indexed), axis=batch_dims, batch_dims=batch_dims)


def index_depth(indices: tf.Tensor) -> int:
    """Return how many axes the index tuples on the last axis of ``indices`` name.

    Raises:
        ValueError: there is no such axis, or its dimension is unknown.
    """
    if rank_of(indices) == 0:
        raise ValueError("input 'indices' must have rank 1 or more, but it is a scalar (rank 0)")
    depth = indices.shape[-1]
    if depth is None:
        raise ValueError("the last dimension of 'indices' is unknown: state the shape of the graph inputs in the model")
    return int(depth)


def row_positions(indices: tf.Tensor, dims: list[Dim]) -> tf.Tensor:
    """Return where in the flattened dimensions ``dims`` each index tuple (the last axis) points."""
    strides = as_shape([product(dims[i + 1 :]) for i in range(len(dims))])
    return tf.reduce_sum(tf.cast(wrapped(indices, as_shape(dims)), tf.int64) * strides, -1)


@onnx_op("Slice")
def slice_1(data: tf.Tensor, *, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int] | None) -> tf.Tensor:
    return _slice(data, starts, ends, axes or range(len(starts)), [1] * len(starts))


@onnx_op("Slice", since=10)
def slice_10(
    data: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor, axes: tf.Tensor | None = None, steps: tf.Tensor | None = None
) -> tf.Tensor:
    starts, ends, axes, steps = (
        vector(t, name) for t, name in ((starts, "starts"), (ends, "ends"), (axes, "axes"), (steps, "steps"))
    )
    count = starts.shape[0] if axes is None else axes.shape[0]
    known_axes: Sequence[int] | None = static_ints(axes) if axes is not None or count is None else range(count)
    starts, ends = tf.cast(starts, tf.int64), tf.cast(ends, tf.int64)
    steps = None if steps is None else tf.cast(steps, tf.int64)
    if known_axes is None:
        starts, ends, steps = _on_all_axes(data, starts, ends, axes, steps)
        known_axes = range(rank_of(data))
    count = len(known_axes)
    steps = [1] * count if steps is None else elements_of(steps, count)
    return _slice(data, elements_of(starts, count), elements_of(ends, count), known_axes, steps)


def _on_all_axes(
    data: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor, axes: tf.Tensor | None, steps: tf.Tensor | None
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return starts, ends and steps of the axes named, with those of the others: vectors of the rank."""
    dims = as_shape(dims_of(data))
    axes = tf.range(tf.size(starts)) if axes is None else wrapped(axes, rank_of(data))
    steps = tf.ones_like(starts) if steps is None else steps
    return (
        tf.tensor_scatter_nd_update(tf.zeros_like(dims), axes[:, None], starts),
        tf.tensor_scatter_nd_update(dims, axes[:, None], ends),
        tf.tensor_scatter_nd_update(tf.ones_like(dims), axes[:, None], steps),
    )


def _slice(
    data: tf.Tensor, starts: Sequence[Dim], ends: Sequence[Dim], axes: Sequence[int], steps: Sequence[Dim]
) -> tf.Tensor:
    """Slice the axes named from starts to ends by steps, each a number or a scalar."""
    slices = [slice(None)] * rank_of(data)
    dims = dims_of(data)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = normalize_axis(axis, len(dims))
        places = _places(start, end, step, dims[axis])
        if places and step > 1:
            data = strided(data, axis, places.start, step, len(places))
        else:
            slices[axis] = _bounds(start, end, step, dims[axis])
    if all(s == slice(None) for s in slices):
        return tf.identity(data)
    return by_groups(_strided, data, [None if s == slice(None) else s for s in slices], MAX_SLICED)


def _strided(data: tf.Tensor, slices: list[Any]) -> tf.Tensor:
    slices = [slice(None) if s is None else s for s in slices]
    begin = [0 if s.start is None else s.start for s in slices]
    end = [0 if s.stop is None else s.stop for s in slices]
    step = [1 if s.step is None else s.step for s in slices]
    result = tf.strided_slice(
        data,
        as_shape(begin),
        as_shape(end),
        as_shape(step),
        begin_mask=sum(1 << i for i, s in enumerate(slices) if s.start is None),
        end_mask=sum(1 << i for i, s in enumerate(slices) if s.stop is None),
    )
    result.set_shape([None] * len(slices))  # bounds of run time hide the rank
    return result


def _places(start: Dim, end: Dim, step: Dim, dim: Dim) -> range | None:
    """Return the elements of one axis that a slice takes, as a range; ``None`` where a bound is not known."""
    return range(dim)[start:end:step] if all(isinstance(n, int) for n in (start, end, step, dim)) else None


def _bounds(start: Dim, end: Dim, step: Dim, dim: Dim) -> slice:
    """Return one axis as a slice; a bound that is the end of the data is ``None``."""
    if not isinstance(step, int):
        return slice(tf.where(step < 0, _at_least(start, -dim), start), end, step)
    if step < 0 and not (isinstance(start, int) and start >= -1):
        # Backwards, ONNX starts at the first element if the start lies before it; TensorFlow does not start.
        start = _at_least(start, -dim)
    if isinstance(start, int) and (start <= -LARGEST or start == 0 if step > 0 else start >= LARGEST):
        start = None
    if isinstance(end, int):
        is_open = end >= LARGEST if step > 0 else end <= -LARGEST
        end = None if is_open or (isinstance(dim, int) and step > 0 and end >= dim) else end
    return slice(start, end, step)


def _at_least(one: Dim, other: Dim) -> Dim:
    """Return the larger of two dimensions."""
    if isinstance(one, int) and isinstance(other, int):
        return max(one, other)
    return tf.maximum(tf.cast(one, tf.int64), tf.cast(other, tf.int64))


@onnx_op("OneHot", since=9)
def one_hot(indices: tf.Tensor, depth: tf.Tensor, values: tf.Tensor, *, axis: int) -> tf.Tensor:
    depth = tf.cast(scalar(depth), tf.int64)
    known = static_value(depth)
    indices = wrapped(tf.cast(indices, tf.int64), depth if known is None else int(known))
    return tf.one_hot(
        indices, tf.cast(depth, tf.int32), values[1], values[0], normalize_axis(axis, rank_of(indices) + 1)
    )


@onnx_op("NonZero", since=9)
def non_zero(x: tf.Tensor) -> tf.Tensor:
    is_set = x if x.dtype == tf.bool else tf.not_equal(x, tf.zeros([], x.dtype))
    if rank_of(x) == 0:
        return tf.transpose(tf.where(tf.reshape(is_set, [1]))[:, :0])
    if rank_of(x) > MAX_SLICED:
        places = tf.where(tf.reshape(is_set, [-1]))[:, 0]
        return tf.cast(tf.unravel_index(places, as_shape(dims_of(x))), tf.int64)
    return tf.transpose(tf.where(is_set))


@onnx_op("Compress", since=9)
def compress(x: tf.Tensor, condition: tf.Tensor, *, axis: int | None) -> tf.Tensor:
    condition = vector(condition, "condition", or_scalar=True)
    if axis is None:
        x, axis = tf.reshape(x, [-1]), 0
    return tf.gather(x, tf.where(condition)[:, 0], axis=axis)
