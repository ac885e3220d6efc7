"""Open dimensions: what has one of them, and what is as long as one.

Keras knows no shape that is computed. A vector as long as an open dimension is made of a tensor that has it; names
tell which those are: equal names are equal dimensions, by the inference of shapes.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from onnx_tf.export.keras._place import Place
from onnx_tf.export.keras._sums import added

__all__ = ["elements", "grid", "indices", "result_dims", "size", "zeros"]


def result_dims(place: Place) -> Sequence[int | str]:
    """Return the dimensions of the node's result.

    Raises:
        RefusedError: they are not known.
    """
    if place.result is None:
        place.refuse("the shape of its result is computed from data")
    return place.result


def elements(place: Place, index: int) -> Sequence[int | str]:
    """Return the elements of an input that states sizes.

    Raises:
        RefusedError: they are computed from data.
    """
    found = place.sizes[index]
    if found is None:
        place.refuse("it takes a size that is computed from data")
    return found


def _zeros(tensor: Any, axis: int) -> Any:
    """Return int32 zeros, as many as a tensor has along an axis, and none of its numbers."""
    rank = len(tensor.shape)
    others = tuple(i for i in range(rank) if i != axis)
    if not others:
        return ops.zeros_like(tensor, dtype="int32")
    first = tensor[(*(slice(None) if i == axis else slice(0, 1) for i in range(rank)), ...)]
    # A sum, since the other axes may be empty.
    return ops.sum(ops.zeros_like(first, dtype="int32"), axis=others)


def _vector(place: Place, name: str) -> Any:
    if name in place.drawn.lengths:
        return _zeros(*place.drawn.lengths[name])
    factors = name.split("*")
    if len(factors) < 2:
        place.refuse(f"no tensor is as long as its open dimension {name!r}")
    return functools.reduce(_times, (int(factor) if factor.isdigit() else _vector(place, factor) for factor in factors))


def _times(a: Any, b: Any) -> Any:
    """Return as many zeros as the product of two lengths, each of them zeros or a number."""
    if isinstance(a, int) or isinstance(b, int):
        return ops.repeat(b, a, axis=0) if isinstance(a, int) else ops.repeat(a, b, axis=0)
    return ops.reshape(added(ops.expand_dims(a, 1), b), (-1,))


def zeros(place: Place, name: str, axis: int, rank: int, dtype: str) -> Any:
    """Return zeros of a rank that are as long along an axis as a named dimension, and 1 along others."""
    vector = ops.cast(_vector(place, name), dtype)
    others = tuple(i for i in range(rank) if i != axis)
    return ops.expand_dims(vector, others) if others else vector


def indices(place: Place, name: str) -> Any:
    """Return 0, 1, 2, ... as long as a named dimension, int64."""
    ones = ops.add(ops.cast(_vector(place, name), "int64"), 1)
    return ops.subtract(ops.cumsum(ones, axis=0), 1)


def grid(place: Place, dims: Sequence[int | str]) -> Any:
    """Return 0, 1, 2, ... in the shape of these dimensions, int64."""
    total = None
    for n in dims:
        counted = np.arange(n) if isinstance(n, int) else indices(place, n)
        if total is None:
            total = counted
            continue
        length = n if isinstance(n, int) else size(counted, 0)
        total = added(ops.multiply(ops.expand_dims(total, -1), length), counted)
    return total


def size(tensor: Any, axis: int) -> Any:
    """Return how long an axis is, int64[1]."""
    ones = ops.add(ops.cast(_zeros(tensor, axis), "int64"), 1)
    return ops.sum(ones, axis=0, keepdims=True)
