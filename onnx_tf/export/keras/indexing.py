"""Elements by computed indices."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy as np
from keras import ops

from onnx_tf.export.keras import _lengths as lengths
from onnx_tf.export.keras._place import Place, is_constant, keras_op, static
from onnx_tf.export.keras._sums import added


@keras_op("GatherND", since=11)
def gather_nd(place: Place, x: Any, indices: Any, *, batch_dims: int | None) -> Any:
    """Take from the first axes merged into one, at the place that an index tuple has there."""
    if batch_dims:
        place.refuse("it has batch_dims")
    x = place.tensor(x)
    count = indices.shape[-1]
    if count is None:
        place.refuse("the length of its index tuples is open")
    flat = _place_of(x, indices, count)
    merged = ops.reshape(x, (-1, *static(place, x, range(count, len(x.shape))))) if count > 1 else x
    return ops.take(merged, flat, axis=0)


def _place_of(x: Any, indices: Any, count: int) -> Any:
    """Return where index tuples point to in the first axes of a tensor, merged."""
    if is_constant(indices) and None not in x.shape[:count]:
        at = np.where(indices < 0, indices + np.array(x.shape[:count]), indices)
        return np.ravel_multi_index(tuple(np.moveaxis(at, -1, 0)), x.shape[:count]).astype(np.int32)
    columns = []
    for axis in range(count):
        column = ops.cast(indices[..., axis], "int64")
        size = x.shape[axis] or lengths.size(x, axis)
        columns.append(ops.where(ops.less(column, 0), ops.add(column, size), column))

    def merged(flat: Any, axis: int) -> Any:
        size = x.shape[axis] or lengths.size(x, axis)
        return added(ops.multiply(flat, size), columns[axis])

    return functools.reduce(merged, range(1, count), columns[0])


@keras_op("ScatterND", since=16)
def scatter_nd(place: Place, x: Any, indices: Any, updates: Any, *, reduction: str | None = None) -> Any:
    if reduction not in (None, "none") or not is_constant(indices) or None in x.shape:
        return _scattered(place, place.tensor(x), indices, place.tensor(updates), reduction)
    dims = static(place, x)
    count = indices.shape[-1]
    at = np.where(indices < 0, indices + np.array(dims[:count]), indices).astype(np.int32)
    if len(np.unique(at.reshape(-1, count), axis=0)) != at.size // count:
        place.refuse("two of its updates are for one element")
    flat = np.ravel_multi_index(tuple(np.moveaxis(at, -1, 0)), dims[:count]).reshape(-1)
    rest = dims[count:]
    rows = int(np.prod(dims[:count]))
    # What is scattered to comes behind the data, and each row is taken from where it is.
    source = np.arange(rows)
    source[flat] = rows + np.arange(len(flat))
    rows_of = [ops.reshape(place.tensor(value), (-1, *rest)) for value in (x, updates)]
    both = ops.concatenate(rows_of, axis=0)
    return ops.reshape(ops.take(both, source.astype(np.int32), axis=0), tuple(dims))


@keras_op("ScatterND", since=11)
def scatter_nd_11(place: Place, x: Any, indices: Any, updates: Any) -> Any:
    return scatter_nd(place, x, indices, updates)


def _scattered(place: Place, x: Any, indices: Any, updates: Any, reduction: str | None) -> Any:
    count = indices.shape[-1]
    if count is None:
        place.refuse("the length of its index tuples is open")
    at = ops.cast(place.tensor(indices), "int64")
    sizes = [x.shape[axis] or lengths.size(x, axis) for axis in range(count)]
    columns = [at[..., axis] for axis in range(count)]
    turned = [ops.where(ops.less(c, 0), ops.add(c, n), c) for c, n in zip(columns, sizes, strict=True)]
    return _written(place, x, ops.stack(turned, axis=-1), updates, reduction)


@keras_op("ScatterElements", since=16)
def scatter_elements(
    place: Place, x: Any, indices: Any, updates: Any, *, axis: int, reduction: str | None = None
) -> Any:
    """Write each update at its own place, with one number of it replaced by the index."""
    x, indices, updates = map(place.tensor, (x, indices, updates))
    rank = len(x.shape)
    axis %= rank
    at = ops.cast(indices, "int64")
    at = ops.where(ops.less(at, 0), ops.add(at, x.shape[axis] or lengths.size(x, axis)), at)
    ones = ops.ones_like(at)
    columns = [at if i == axis else ops.subtract(ops.cumsum(ones, axis=i), 1) for i in range(rank)]
    return _written(place, x, ops.stack(columns, axis=-1), updates, reduction)


@keras_op("ScatterElements", since=11)
@keras_op("Scatter", since=9)
def scatter_elements_11(place: Place, x: Any, indices: Any, updates: Any, *, axis: int) -> Any:
    return scatter_elements(place, x, indices, updates, axis=axis)


def _written(place: Place, x: Any, at: Any, updates: Any, reduction: str | None) -> Any:
    """Return a tensor with updates at places that tuples of indices, the last axis, name."""
    # Not every backend takes more axes of indices than one.
    count = at.shape[-1]
    at = ops.reshape(at, (-1, count))
    updates = ops.reshape(updates, (-1, *static(place, x, range(count, len(x.shape)))))
    if reduction in (None, "none"):
        return ops.scatter_update(x, at, updates)
    if reduction == "mul":
        place.refuse("Keras multiplies by one of several updates for an element")
    if "reduction" not in inspect.signature(ops.scatter_update).parameters:
        place.refuse(f"this version of Keras scatters no {reduction}")
    return ops.scatter_update(x, at, updates, reduction=reduction)
