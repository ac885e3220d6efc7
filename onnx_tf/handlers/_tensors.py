"""What handlers share: static knowledge of tensors, per-dimension shapes, missing kernels."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from onnx_tf.handlers._open_dims import open_dim
from onnx_tf.handlers._shape_elements import elements

Dim: TypeAlias = "int | tf.Tensor"
"""A dimension: an int where it is known, else an int64 scalar tensor."""

MAX_RANK = 16
"""A longer vector of integers is data, not a shape."""


def static_value(tensor: Any) -> np.ndarray | None:
    """Return the value of a tensor that is known while tracing, else ``None``."""
    if tensor is None or isinstance(tensor, tf.Variable):
        return None
    value = tf.get_static_value(tensor)
    if value is not None:
        return np.asarray(value)
    if tensor.dtype in (tf.int32, tf.int64) and (tensor.shape.rank == 0 or is_short_vector(tensor)):
        dims = known_dims(tf.stack([tensor]) if tensor.shape.rank == 0 else tensor)
        if None not in dims:
            return np.reshape(np.array(dims, tensor.dtype.as_numpy_dtype), tensor.shape)
    return None


def is_short_vector(tensor: Any) -> bool:
    """Whether a tensor is 1-D of a known length that a shape could have."""
    return tensor.shape.rank == 1 and tensor.shape[0] is not None and tensor.shape[0] <= MAX_RANK


def known_dims(shape: tf.Tensor) -> list[int | None]:
    """Return the elements of a shape tensor of known length that shape inference knows.

    It computes shape arithmetic over the static dimensions of tensors that have dynamic ones as
    well. Negative elements read as unknown.
    """
    value = tf.get_static_value(shape)
    if value is not None:
        return [int(v) if v >= 0 else None for v in np.reshape(value, [-1])]
    # Only shape inference looks at these two operations; nothing consumes them.
    anything = tf.raw_ops.PlaceholderWithDefault(input=[False], shape=tf.TensorShape(None))
    try:
        dims = tf.reshape(anything, shape).shape
    except ValueError:  # an element that is known is below -1
        dims = tf.TensorShape(None)
    return [None] * int(shape.shape[0]) if dims.rank is None else dims.as_list()


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
    """Return each dimension: an int where it is static, else an int64 scalar tensor, one for equal ones."""
    return [open_dim(tensor, axis) if dim is None else int(dim) for axis, dim in enumerate(tensor.shape)]


def shaped(tensor: tf.Tensor, shape: Sequence[int | None] | tf.TensorShape) -> tf.Tensor:
    """Return a tensor that has a shape, which is checked when it runs; itself where it is known to have it."""
    wanted = tf.TensorShape(shape)
    if tensor.shape.rank == wanted.rank and all(w in (None, d) for w, d in zip(wanted, tensor.shape, strict=True)):
        return tensor
    return tf.ensure_shape(tensor, wanted)


def dim_of(tensor: tf.Tensor, axis: int) -> Dim:
    """Return one dimension; the rank may be unknown."""
    return tf.shape(tensor, out_type=tf.int64)[axis] if tensor.shape.rank is None else dims_of(tensor)[axis]


def as_shape(dims: Sequence[Dim]) -> tf.Tensor:
    """Return dimensions as an int64 shape tensor; static ones stay visible to shape inference."""
    if all(isinstance(dim, int) for dim in dims):
        return tf.constant(list(dims), tf.int64, shape=[len(dims)])
    return tf.stack([tf.constant(dim, tf.int64) if isinstance(dim, int) else tf.cast(dim, tf.int64) for dim in dims])


def reshaped(tensor: tf.Tensor, dims: Sequence[Dim]) -> tf.Tensor:
    """Return a tensor in another shape, which is a constant where one dimension at most is open."""
    unknown = [index for index, dim in enumerate(dims) if not isinstance(dim, int)]
    # What a dimension of nothing is, -1 cannot tell.
    if len(unknown) == 1 and product([dim for dim in dims if isinstance(dim, int)]) > 0:
        dims = [-1 if index in unknown else dim for index, dim in enumerate(dims)]
    return tf.reshape(tensor, as_shape(dims))


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


def computed_in(dtype: tf.DType, function: Callable[..., tf.Tensor], *tensors: Any) -> tf.Tensor:
    """Apply a function to tensors cast to a dtype that has a kernel, and cast the result back.

    The result takes the dtype of the first tensor. ``None`` stays ``None``.
    """
    result = function(*[None if t is None else tf.cast(t, dtype) for t in tensors])
    return tf.cast(result, tensors[0].dtype)


def vector(tensor: Any, name: str, *, or_scalar: bool = False) -> Any:
    """Return an input that must be a vector; ``None`` stays ``None``.

    Args:
        tensor: the input.
        name: its name in the schema, for the error.
        or_scalar: whether a scalar stands for a vector of one element, as in ONNX Runtime.

    Raises:
        ValueError: it has another rank.
    """
    if tensor is None or tensor.shape.rank in (None, 1):
        return tensor
    if or_scalar and tensor.shape.rank == 0:
        return tf.reshape(tensor, [1])
    shape = "a scalar (rank 0)" if tensor.shape.rank == 0 else f"of rank {tensor.shape.rank}"
    raise ValueError(f"input {name!r} must be a vector (rank 1), but it is {shape}: reshape it to one dimension")


def one_per_axis(tensor: tf.Tensor, name: str, count: int) -> tf.Tensor:
    """Return a vector that must have an element for each of ``count`` axes.

    Raises:
        ValueError: it is known to have another number.
    """
    if tensor.shape[0] not in (None, count):
        raise ValueError(f"input {name!r} must have {count} elements, one for each axis, but it has {tensor.shape[0]}")
    return tensor


def scalar(tensor: tf.Tensor) -> tf.Tensor:
    """Return a tensor of one element as a scalar; some operators take both."""
    return tensor if tensor.shape.rank == 0 else tf.reshape(tensor, [])


def product(dims: Sequence[Dim]) -> Dim:
    """Return the product of dimensions, an int where all are known."""
    known = math.prod(dim for dim in dims if isinstance(dim, int))
    unknown = [dim for dim in dims if not isinstance(dim, int)]
    if known == 0 or not unknown:
        return known
    return functools.reduce(operator.mul, unknown if known == 1 else [*unknown, known])


def clipped_index(index: tf.Tensor, size: Dim) -> tf.Tensor:
    """Return int64 indices along an axis, its ends for those beyond them."""
    if isinstance(size, int) and size == 7:
        # A clip to 0..6 becomes a RELU6 in the LiteRT converter, which then finds none of int64.
        return tf.clip_by_value(index + 1, 1, size) - 1
    return tf.clip_by_value(index, 0, tf.maximum(tf.cast(size, tf.int64) - 1, 0))


def quotient(dim: Dim, divisor: Dim) -> Dim:
    """Return a dimension divided by another, rounded down, in int32: LiteRT divides no int64."""
    if isinstance(divisor, int) and (isinstance(dim, int) or divisor == 1):
        return dim // divisor if isinstance(dim, int) else dim
    return tf.cast(tf.cast(dim, tf.int32) // tf.cast(divisor, tf.int32), tf.int64)


def broadcast_dim(dim: Dim, other: Dim) -> Dim:
    """Return the dimension of two that broadcast; where both are known they are not checked."""
    if dim is other:
        return dim
    for one, two in ((dim, other), (other, dim)):
        if isinstance(one, int):
            return two if one == 1 else one
    return tf.where(tf.equal(other, 1), dim, other)


def elements_of(vector: tf.Tensor, count: int | None = None) -> list[Dim]:
    """Return the elements of an integer vector: ints where known, else scalar tensors.

    Args:
        vector: the vector.
        count: its length, if the vector's shape need not tell.
    """
    known = static_ints(vector)
    if known is not None:
        return list(known)
    followed = elements(vector)
    if followed is not None and count in (None, len(followed)):
        return followed
    if vector.shape[0] is None:
        vector = shaped(vector, [count])
    return [vector[i] if dim is None else dim for i, dim in enumerate(known_dims(vector))]


def widened(function: Callable[..., tf.Tensor], *tensors: Any) -> tf.Tensor:
    """Apply a function with 16-bit floats computed as float32, and cast the result back.

    TensorFlow's kernels for float16 and bfloat16 round after each step of a sum or formula.
    """
    dtype = tensors[0].dtype
    if dtype in (tf.float16, tf.bfloat16):
        return computed_in(tf.float32, function, *tensors)
    return function(*tensors)


def exact_quotient(x: tf.Tensor, divisor: tf.Tensor) -> tf.Tensor:
    """Return the quotient by numbers that are not 0, rounded once.

    TensorFlow's graph optimizer turns a plain division by a constant into a product with the
    reciprocal, which is rounded twice: the floor of 41 / 41 becomes 0.
    """
    return tf.math.divide_no_nan(x, divisor)
