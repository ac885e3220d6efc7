"""Transpose of dtypes and of numbers of axes that LiteRT's kernel does not take."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from onnx_tf.handlers._tensors import computed_in, dims_of, product, rank_of, reshaped
from onnx_tf.handlers.shaping import transpose as transpose_for_all
from onnx_tf.registry import onnx_op

MAX_TRANSPOSED = 6

CARRIERS = {
    tf.float16: tf.float32,
    tf.int16: tf.int32,
    tf.uint16: tf.int32,
    tf.uint32: tf.int64,
}
"""The dtypes without a kernel in which layouts lie as well, and what holds them."""


@onnx_op("Transpose", target="litert")
def transpose(data: tf.Tensor, *, perm: Sequence[int] | None) -> tf.Tensor:
    rank = data.shape.rank
    if data.dtype in CARRIERS:
        return computed_in(CARRIERS[data.dtype], lambda wide: transpose(wide, perm=perm), data)
    if rank is None or rank <= MAX_TRANSPOSED:
        return transpose_for_all(data, perm=perm)
    order = list(perm or reversed(range(rank)))
    groups = _together(order)
    dims = dims_of(data)
    if len(groups) > MAX_TRANSPOSED:
        return _in_two_steps(data, order)
    places = sorted(range(len(groups)), key=lambda i: groups[i][0])
    merged = reshaped(data, [product([dims[axis] for axis in groups[i]]) for i in places])
    turned = tf.transpose(merged, [places.index(i) for i in range(len(groups))])
    return reshaped(turned, [dims[axis] for axis in order])


def _together(order: Sequence[int]) -> list[list[int]]:
    """Return the axes in their new order, those that stay neighbours in one group."""
    groups: list[list[int]] = []
    for axis in order:
        if groups and axis == groups[-1][-1] + 1:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    return groups


def _in_two_steps(data: tf.Tensor, order: Sequence[int]) -> tf.Tensor:
    """Return data transposed, the last axis beside the one before it first: as one axis they follow the others."""
    *_, neighbour, last = order
    dims = dims_of(data)
    kept = [axis for axis in range(rank_of(data)) if axis != last]
    place = kept.index(neighbour) + 1
    moved = transpose(data, perm=[*kept[:place], last, *kept[place:]])
    merged = [product([dims[axis], dims[last]]) if axis == neighbour else dims[axis] for axis in kept]
    if not data.shape.is_fully_defined():
        moved = _apart(moved)
    rest = transpose(reshaped(moved, merged), perm=[kept.index(axis) for axis in order[:-1]])
    return reshaped(rest, [dims[axis] for axis in order])


def _apart(x: tf.Tensor) -> tf.Tensor:
    """Return data by an operator that stays: the converter gets open Reshapes between Transposes wrong."""
    return tf.logical_or(x, x) if x.dtype == tf.bool else tf.maximum(x, x)
