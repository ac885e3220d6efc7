"""What handlers share: static knowledge of tensors, per-dimension shapes, missing kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

Dim: TypeAlias = "int | tf.Tensor"
"""A dimension: an int where it is known, else an int64 scalar tensor."""


def static_value(tensor: Any) -> np.ndarray | None:
    """Return the value of a tensor that is known while tracing, else ``None``."""
    if tensor is None:
        return None
    value = tf.get_static_value(tensor)
    return None if value is None else np.asarray(value)


def static_ints(tensor: Any) -> list[int] | None:
    """Return a known 0-D or 1-D integer tensor as a list of ints, else ``None``."""
    value = static_value(tensor)
    return None if value is None else [int(v) for v in value.reshape(-1)]


def rank_of(tensor: tf.Tensor) -> int:
    """Return the static rank.

    Raises:
        ValueError: the rank is unknown.
    """
    rank = tensor.shape.rank
    if rank is None:
        raise ValueError("the rank of this input is unknown: state the shape of the graph inputs in the model")
    return int(rank)


def dims_of(tensor: tf.Tensor) -> list[Dim]:
    """Return each dimension: an int where it is static, else an int64 scalar tensor."""
    dynamic = None
    dims: list[Dim] = []
    for index, dim in enumerate(tensor.shape):
        if dim is None:
            dynamic = tf.shape(tensor, out_type=tf.int64) if dynamic is None else dynamic
            dims.append(dynamic[index])
        else:
            dims.append(int(dim))
    return dims


def as_shape(dims: Sequence[Dim]) -> tf.Tensor:
    """Return dimensions as an int64 shape tensor; static ones stay visible to shape inference."""
    if all(isinstance(dim, int) for dim in dims):
        return tf.constant(list(dims), tf.int64, shape=[len(dims)])
    return tf.stack([tf.cast(dim, tf.int64) for dim in dims])


def normalize_axis(axis: int, rank: int) -> int:
    """Return an axis as a number from 0 on.

    Raises:
        ValueError: the axis is out of range.
    """
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} is out of range for rank {rank}")
    return axis + rank if axis < 0 else axis


def permutation_to_last(axis: int, rank: int) -> list[int]:
    """Return the permutation that moves one axis to the end and keeps the order of the others."""
    axis = normalize_axis(axis, rank)
    return [*range(axis), *range(axis + 1, rank), axis]


def inverse_permutation(permutation: Sequence[int]) -> list[int]:
    """Return the permutation that undoes another."""
    return [int(i) for i in np.argsort(permutation)]


def computed_in(dtype: tf.DType, function: Callable[..., Any], *tensors: Any) -> Any:
    """Apply a function to tensors cast to a dtype that has a kernel, and cast the result back.

    The result takes the dtype of the first tensor. ``None`` stays ``None``.
    """
    result = function(*[None if t is None else tf.cast(t, dtype) for t in tensors])
    return tf.cast(result, tensors[0].dtype)
