"""Ranges, constants of a shape, triangles, one-hot rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from keras import ops

from onnx_tf.export.keras import _lengths as lengths
from onnx_tf.export.keras._place import Place, constant, is_constant, keras_op, static
from onnx_tf.export.keras._sums import added


@keras_op("Range")
def range_(place: Place, start: Any, limit: Any, delta: Any) -> Any:
    if all(map(is_constant, (start, limit, delta))):
        return np.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)
    n = _count(place)
    counted = np.arange(n) if isinstance(n, int) else lengths.indices(place, n)
    dtype = str(next(v.dtype for v in (start, limit, delta)))
    counted = counted.astype(dtype) if is_constant(counted) else ops.cast(counted, dtype)
    if not (is_constant(delta) and delta == 1):
        counted = ops.multiply(place.tensor(counted), place.operand(delta))
    if is_constant(start) and start == 0:
        return counted
    return ops.add(place.tensor(counted), place.operand(start))


def _count(place: Place) -> int | str:
    """Return how many numbers a Range has."""
    if place.result is not None and place.result[0] in place.drawn.lengths:
        return place.result[0]
    (start,), (limit,), (delta,) = (lengths.elements(place, index) for index in range(3))
    if start or delta != 1:
        place.refuse("its length is no dimension of another tensor")
    return limit


@keras_op("ConstantOfShape")
def constant_of_shape(place: Place, shape: Any, *, value: Any = None) -> Any:
    fill = np.zeros(1, np.float32) if value is None else np.asarray(value)
    if is_constant(shape):
        return np.full(shape.tolist(), fill.reshape(-1)[0], fill.dtype)
    target = lengths.elements(place, 0)
    dtype = "int32" if fill.dtype == bool else fill.dtype.name
    total = None
    for axis, n in enumerate(target):
        if isinstance(n, str):
            vector = lengths.zeros(place, n, axis, len(target), dtype)
            total = vector if total is None else added(total, vector)
    if total is None:
        return np.full([int(n) for n in target], fill.reshape(-1)[0], fill.dtype)
    for axis, n in enumerate(target):
        if isinstance(n, int) and n != 1:
            total = ops.repeat(total, n, axis=axis)
    total = ops.add(total, fill.reshape(-1)[0].item()) if fill.reshape(-1)[0] else total
    return ops.cast(total, fill.dtype.name)


@keras_op("Trilu")
def trilu(place: Place, x: Any, k: Any = None, *, upper: int) -> Any:
    diagonal = 0 if k is None else int(constant(place, k, "diagonal").reshape(-1)[0])
    rows, columns = static(place, x, [-2, -1])
    kept = np.triu(np.ones((rows, columns), bool), diagonal) if upper else np.tri(rows, columns, diagonal, bool)
    return ops.where(place.operand(kept), place.tensor(x), np.zeros((), x.dtype))


@keras_op("OneHot")
def one_hot(place: Place, indices: Any, depth: Any, values: Any, *, axis: int) -> Any:
    count = int(constant(place, depth, "depth").reshape(-1)[0])
    off, on = constant(place, values, "values")
    at = ops.cast(indices, "int64")
    at = ops.where(ops.less(at, 0), ops.add(at, count), at)
    rank = len(indices.shape) + 1
    numbers = np.arange(count).reshape([-1 if i == axis % rank else 1 for i in range(rank)])
    hot = ops.equal(ops.expand_dims(at, axis), place.operand(numbers))
    return ops.where(hot, np.asarray(on), np.asarray(off))


@keras_op("EyeLike")
def eye_like(place: Place, x: Any, *, dtype: int | None, k: int) -> Any:
    rows, columns = static(place, x)
    name = np.dtype(str(x.dtype)) if dtype is None else ir.DataType(dtype).numpy()
    return np.eye(rows, columns, k, dtype=name)
