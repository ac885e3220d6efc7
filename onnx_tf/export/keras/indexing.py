"""Elements by computed indices."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from keras import ops

from onnx_tf.export.keras import _lengths as lengths
from onnx_tf.export.keras._place import Place, constant, is_constant, keras_op, static


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
        return ops.add(ops.multiply(flat, size), columns[axis])

    return functools.reduce(merged, range(1, count), columns[0])


@keras_op("ScatterND", since=11)
def scatter_nd(place: Place, x: Any, indices: Any, updates: Any, *, reduction: str | None) -> Any:
    if reduction not in (None, "none", "add"):
        place.refuse(f"Keras scatters no {reduction}")
    dims = static(place, x)
    at = constant(place, indices, "indices") if reduction != "add" else indices
    x, updates = place.tensor(x), place.tensor(updates)
    count = at.shape[-1]
    if reduction == "add":
        return ops.add(x, ops.scatter(place.tensor(at), updates, tuple(dims)))
    at = np.where(at < 0, at + np.array(dims[:count]), at).astype(np.int32)
    if len(np.unique(at.reshape(-1, count), axis=0)) != at.size // count:
        place.refuse("two of its updates are for one element")
    flat = np.ravel_multi_index(tuple(np.moveaxis(at, -1, 0)), dims[:count]).reshape(-1)
    rest = dims[count:]
    rows = int(np.prod(dims[:count]))
    # What is scattered to comes behind the data, and each row is taken from where it is.
    source = np.arange(rows)
    source[flat] = rows + np.arange(len(flat))
    both = ops.concatenate([ops.reshape(x, (rows, *rest)), ops.reshape(updates, (-1, *rest))], axis=0)
    return ops.reshape(ops.take(both, source.astype(np.int32), axis=0), tuple(dims))
