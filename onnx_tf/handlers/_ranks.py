"""Data of more axes than TensorFlow's kernels take: adjacent axes that behave alike are one to the kernel.

Up to its limit a kernel gets the data as it is. The limits are those of the kernels on CPU in TensorFlow
2.16 to 2.21, which refuse more axes only when they run.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from onnx_tf.handlers._tensors import (
    Dim,
    as_shape,
    broadcast_dim,
    computed_in,
    dim_of,
    dims_of,
    normalize_axis,
    product,
    rank_of,
    reshaped,
)

MAX_BROADCAST = 5
"""Binary operations and BroadcastTo."""

MAX_SELECT = 8
"""SelectV2."""

MAX_SLICED = 5
"""Slice, StridedSlice and Reverse: TensorFlow's kernels take 8, LiteRT's 5."""

MAX_PADDED = 5
"""Pad: TensorFlow's kernel takes 6, LiteRT's 5."""

MAX_MIRRORED = 5
"""MirrorPad."""

MAX_SEARCHED = 7
"""ArgMax and ArgMin."""

MAX_INDEXED = 7
"""GatherNd and ScatterNd: axes that an index names."""

MAX_SOFTMAX = 5
"""Softmax: the oneDNN kernel takes no more."""

MAX_TEXT_TRANSPOSED = 8
"""Transpose of strings, which ends the process beyond."""

TILED = (
    *(tf.float16, tf.float32, tf.float64, tf.bfloat16, tf.bool, tf.string),
    *(tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint32, tf.uint64),
)
"""The dtypes that Tile has a kernel for."""

Elementwise = Callable[..., Any]


def broadcasting(function: Elementwise, limit: int = MAX_BROADCAST) -> Elementwise:
    """Return an elementwise function of tensors that broadcast as in numpy, for any number of axes."""

    @functools.wraps(function)
    def of_any_rank(*tensors: Any) -> Any:
        ranks = [getattr(getattr(t, "shape", None), "rank", 0) for t in tensors]
        if None in ranks or max(ranks) <= limit:
            return function(*tensors)
        return _of_merged(function, tensors, ranks, limit)

    return of_any_rank


def by_groups(
    apply: Callable[[tf.Tensor, list[Any]], tf.Tensor], x: tf.Tensor, changes: Sequence[Any], limit: int
) -> tf.Tensor:
    """Apply a function that changes each axis by itself, to at most ``limit`` axes at a time.

    Args:
        apply: takes data and a change for each of its axes, and returns data of as many axes.
        x: the data.
        changes: what is done to each axis, ``None`` where nothing is.
        limit: the number of axes that ``apply`` takes.
    """
    rank = rank_of(x)
    if rank <= limit:
        return apply(x, list(changes))
    left = [axis for axis in range(rank) if changes[axis] is not None]
    while left:
        count = max(n for n in range(1, len(left) + 1) if len(_groups(rank, left[:n])) <= limit)
        groups = _groups(rank, left[:count])
        dims = dims_of(x)
        own = [changes[group[0]] if group[0] in left[:count] else None for group in groups]
        merged = apply(reshaped(x, [product([dims[i] for i in group]) for group in groups]), own)
        for group, dim in zip(groups, dims_of(merged), strict=True):
            if group[0] in left[:count]:
                dims[group[0]] = dim
        x = reshaped(merged, dims)
        left = left[count:]
    return x


def along_axis(function: Callable[[tf.Tensor, int], tf.Tensor], x: tf.Tensor, axis: int, limit: int) -> tf.Tensor:
    """Apply a function of data and an axis, which it may change the size of but keeps."""
    changes = [True if i == axis else None for i in range(rank_of(x))]
    return by_groups(lambda data, own: function(data, own.index(True)), x, changes, limit)


def broadcast_to(x: tf.Tensor, dims: Sequence[Dim]) -> tf.Tensor:
    """Return data broadcast to dimensions, as ``tf.broadcast_to``."""
    if len(dims) <= MAX_BROADCAST:
        return tf.broadcast_to(x, as_shape(dims))
    return tiled_to(x, dims)


def tiled_to(x: tf.Tensor, dims: Sequence[Dim]) -> tf.Tensor:
    """Return data broadcast to dimensions by ``tf.tile``, which takes any number of axes."""
    if x.dtype not in TILED:
        return computed_in(tf.int64 if x.dtype.is_integer else tf.float32, lambda wide: tiled_to(wide, dims), x)
    missing = len(dims) - rank_of(x)
    own = [*[1] * missing, *dims_of(x)]
    y = tf.tile(reshaped(x, own) if missing else x, as_shape([_times(n, d) for n, d in zip(own, dims, strict=True)]))
    y.set_shape([dim if isinstance(dim, int) else None for dim in dims])
    return y


def _times(own: Dim, whole: Dim) -> Dim:
    if isinstance(own, int):
        return whole if own == 1 else 1
    return 1 if _is_same(whole, 1) else tf.where(own == whole, tf.ones_like(own), whole)


def pad(x: tf.Tensor, paddings: Sequence[tuple[Dim, Dim]], mode: str = "CONSTANT", value: Any = 0) -> tf.Tensor:
    """Return data padded on each axis, as ``tf.pad``."""

    def apply(data: tf.Tensor, changes: list[Any]) -> tf.Tensor:
        pairs = [(0, 0) if change is None else change for change in changes]
        if not all(isinstance(n, int) for pair in pairs for n in pair):
            pairs = tf.stack([as_shape([pair[i] for pair in pairs]) for i in (0, 1)], 1)
        return tf.pad(data, pairs, mode, constant_values=value)

    changes = [None if _is_same(low, 0) and _is_same(high, 0) else (low, high) for low, high in paddings]
    if all(change is None for change in changes):
        return x
    return by_groups(apply, x, changes, MAX_PADDED if mode == "CONSTANT" else MAX_MIRRORED)


def sliced(x: tf.Tensor, slices: Sequence[slice]) -> tf.Tensor:
    """Return ``x[slices]``, one slice for each of the first axes."""

    def apply(data: tf.Tensor, changes: list[Any]) -> tf.Tensor:
        return data[tuple(slice(None) if change is None else change for change in changes)]

    every = [*slices, *[slice(None)] * (rank_of(x) - len(slices))]
    return by_groups(apply, x, [None if part == slice(None) else part for part in every], MAX_SLICED)


def strided(x: tf.Tensor, axis: int, start: Dim, step: int, count: Dim) -> tf.Tensor:
    """Return ``count`` elements of an axis, from ``start`` on, a positive ``step`` apart."""
    size = dim_of(x, axis)
    if step > 1 and isinstance(size, int) and isinstance(start, int) and isinstance(count, int):
        begin = min(start, size - count * step)
        if count > 0 and begin >= 0:
            return _of_blocks(x, axis, begin, step, count, start - begin)
    part = slice(start, start + (count - 1) * step + 1, step)
    if step == 1 and all(isinstance(n, int) for n in (size, start, count)):
        return _run(x, axis, start, count)
    return sliced(x, [*[slice(None)] * axis, part])


def _run(x: tf.Tensor, axis: int, start: int, count: int) -> tf.Tensor:
    """Return elements of an axis that follow each other: to the kernel all that follows the axis is one with it."""
    outer, inner = dims_of(x)[:axis], dims_of(x)[axis + 1 :]
    size = product(inner)
    flat = reshaped(x, [product(outer), product([dims_of(x)[axis], size])])
    return reshaped(flat[:, start * size : (start + count) * size], [*outer, count, *inner])


def _of_blocks(x: tf.Tensor, axis: int, begin: int, step: int, count: int, place: int) -> tf.Tensor:
    # TensorFlow's strided slice copies one number after the other: one element of each block takes a tenth of that.
    outer, inner = dims_of(x)[:axis], dims_of(x)[axis + 1 :]
    part = sliced(x, [*[slice(None)] * axis, slice(begin, begin + count * step)])
    size = product(inner)
    blocks = reshaped(part, [product([*outer, count]), product([step, size])])
    return reshaped(blocks[:, place * size : (place + 1) * size], [*outer, count, *inner])


select = broadcasting(tf.where, MAX_SELECT)
"""``tf.where`` of a condition and two tensors."""


def reverse(x: tf.Tensor, axis: int) -> tf.Tensor:
    """Return data in the opposite order along an axis."""
    return along_axis(lambda data, own: tf.reverse(data, [own]), x, axis, MAX_SLICED)


def softmax(x: tf.Tensor, axis: int = -1) -> tf.Tensor:
    """Return ``tf.nn.softmax`` along an axis."""
    return along_axis(tf.nn.softmax, x, normalize_axis(axis, rank_of(x)), MAX_SOFTMAX)


def arg_along(arg: Callable[..., tf.Tensor], x: tf.Tensor, axis: int) -> tf.Tensor:
    """Return where along an axis ``tf.argmax`` or ``tf.argmin`` finds an element, as int64; the axis is gone.

    A NaN, which they pass over, is the largest and the smallest of all: the first is found, as in numpy.
    """
    if rank_of(x) <= MAX_SEARCHED:
        return _arg(arg, x, axis)
    kept = along_axis(lambda data, own: tf.expand_dims(_arg(arg, data, own), own), x, axis, MAX_SEARCHED)
    return tf.squeeze(kept, axis)


def _arg(arg: Callable[..., tf.Tensor], x: tf.Tensor, axis: int) -> tf.Tensor:
    found = arg(x, axis, tf.int64)
    if not x.dtype.is_floating:
        return found
    is_nan = x != x
    first = tf.argmax(tf.cast(is_nan, x.dtype), axis, tf.int64)
    return tf.where(tf.reduce_any(is_nan, axis), first, found)


def _groups(rank: int, alone: Sequence[int]) -> list[list[int]]:
    """Return the axes in order, those that are not ``alone`` together with their neighbours."""
    groups: list[list[int]] = []
    for axis in range(rank):
        if groups and axis not in alone and groups[-1][0] not in alone:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    return groups


def _of_merged(function: Elementwise, tensors: Sequence[Any], ranks: Sequence[int], limit: int) -> Any:
    rank = max(ranks)
    own = [[*[1] * (rank - n), *(dims_of(t) if n else [])] for t, n in zip(tensors, ranks, strict=True)]
    whole = [functools.reduce(broadcast_dim, dims) for dims in zip(*own, strict=True)]
    groups = _alike(own, rank)
    merged = []
    for tensor, dims, own_rank in zip(tensors, own, ranks, strict=True):
        if own_rank == 0:
            merged.append(tensor)
        elif len(groups) <= limit:
            merged.append(reshaped(tensor, [product([dims[i] for i in group]) for group in groups]))
        else:  # more kinds of axes alternate than the kernel takes
            is_whole = all(map(_is_same, dims, whole))
            merged.append(tf.reshape(tensor if is_whole else broadcast_to(tensor, whole), [-1]))
    return reshaped(function(*merged), whole)


def _alike(own: Sequence[Sequence[Dim]], rank: int) -> list[list[int]]:
    """Return groups of adjacent axes along which the same tensors are broadcast."""
    groups: list[list[int]] = []
    last: tuple[bool, ...] | None = None
    for axis in range(rank):
        dims = [d[axis] for d in own]
        if groups and all(_is_same(dim, 1) for dim in dims):
            groups[-1].append(axis)
            continue
        wide = [dim for dim in dims if not _is_same(dim, 1)]
        # Of an open dimension beside another that is not 1 only the run tells whether it is broadcast.
        is_known = len(wide) < 2 or all(isinstance(dim, int) for dim in wide)
        kind = tuple(_is_same(dim, 1) for dim in dims) if is_known else None
        if groups and kind is not None and kind == last:
            groups[-1].append(axis)
        else:
            groups.append([axis])
        last = kind
    return groups


def _is_same(dim: Dim, other: Dim) -> bool:
    return dim is other or (isinstance(dim, int) and isinstance(other, int) and dim == other)
