"""Padding and cropping."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from onnx_tf.handlers._ranks import pad, reverse, select, sliced
from onnx_tf.handlers._tensors import (
    Dim,
    as_shape,
    dims_of,
    elements_of,
    normalize_axis,
    one_per_axis,
    product,
    rank_of,
    reshaped,
    static_ints,
    static_value,
    vector,
)
from onnx_tf.handlers.indexing import wrapped
from onnx_tf.registry import onnx_op

MIN_GATHERED = 16
"""Elements that lie together are gathered from this many on, several axes at once (``python -m bench.forms``)."""

Mirrored = Callable[[tf.Tensor, Sequence[int], Sequence[int]], tf.Tensor]
"""(data, before, after) -> the data with mirrored elements before and after each axis, fewer than the axis has."""


def register_pad(mirrored: Mirrored, *, target: str = "") -> None:
    """Register Pad by what mirrors data, for one target or for all."""

    @onnx_op("Pad", target=target)
    def pad_1(data: tf.Tensor, *, mode: str, paddings: Sequence[int], value: float) -> tf.Tensor:
        return padded(data, tf.constant(paddings, tf.int64), tf.cast(value, data.dtype), mode, mirrored)

    @onnx_op("Pad", since=2, target=target)
    def pad_2(data: tf.Tensor, *, mode: str, pads: Sequence[int], value: float) -> tf.Tensor:
        return padded(data, tf.constant(pads, tf.int64), tf.cast(value, data.dtype), mode, mirrored)

    @onnx_op("Pad", since=11, target=target)
    def pad_11(data: tf.Tensor, pads: tf.Tensor, value: tf.Tensor | None = None, *, mode: str) -> tf.Tensor:
        return padded(data, vector(pads, "pads"), value, mode, mirrored)

    @onnx_op("Pad", since=18, target=target)
    def pad_18(
        data: tf.Tensor, pads: tf.Tensor, value: tf.Tensor | None = None, axes: tf.Tensor | None = None, *, mode: str
    ) -> tf.Tensor:
        pads, axes = vector(pads, "pads"), vector(axes, "axes")
        pads = pads if axes is None else _on_all_axes(pads, axes, rank_of(data))
        return padded(data, pads, value, mode, mirrored)


@onnx_op("CenterCropPad", since=18)
def center_crop_pad(data: tf.Tensor, shape: tf.Tensor, *, axes: Sequence[int] | None) -> tf.Tensor:
    shape = vector(shape, "shape", or_scalar=True)
    rank = rank_of(data)
    numbers = range(rank) if axes is None else [normalize_axis(axis, rank) for axis in axes]
    dims, pads = dims_of(data), [0] * (2 * rank)
    shape = one_per_axis(tf.cast(shape, tf.int64), "shape", len(numbers))
    for axis, size in zip(numbers, elements_of(shape, len(numbers)), strict=True):
        more = size - dims[axis]
        pads[axis] = math.trunc(more / 2) if isinstance(more, int) else _half(more)
        pads[rank + axis] = more - pads[axis]
    return padded(data, as_shape(pads), None, "constant")


def _half(number: tf.Tensor) -> tf.Tensor:
    """Return half of a number, rounded towards 0, in int32: LiteRT divides no int64."""
    less = tf.cast(number, tf.int32)
    return tf.cast(tf.sign(less) * (tf.abs(less) // 2), tf.int64)


def _on_all_axes(pads: tf.Tensor, axes: tf.Tensor, rank: int) -> tf.Tensor:
    """Return the pads of some axes, begins then ends, as those of all: a vector of twice the rank."""
    known_pads, known_axes = static_ints(pads), static_ints(axes)
    if known_pads is not None and known_axes is not None:
        result = [0] * (2 * rank)
        for i, axis in enumerate(known_axes):
            axis = normalize_axis(axis, rank)
            result[axis], result[rank + axis] = known_pads[i], known_pads[len(known_axes) + i]
        return tf.constant(result, tf.int64)
    axes = wrapped(axes, rank)
    places = tf.concat([axes, axes + rank], 0)[:, None]
    return tf.tensor_scatter_nd_update(tf.zeros([2 * rank], pads.dtype), places, pads)


def padded(
    data: tf.Tensor, pads: tf.Tensor, value: tf.Tensor | None, mode: str, mirrored: Mirrored | None = None
) -> tf.Tensor:
    """Pad by a vector of begins, then ends, of all axes; negative pads crop."""
    rank = rank_of(data)
    pads = elements_of(pads, 2 * rank)
    data, before, after = _crop(data, pads[:rank], pads[rank:])
    if mode == "constant":
        paddings = list(zip(before, after, strict=True))
        if value is None or static_value(value) is not None:
            return pad(data, paddings, value=0 if value is None else tf.reshape(value, []))
        # TensorFlow's padding has no gradient by the value.
        inside = pad(tf.fill(as_shape(dims_of(data)), True), paddings)
        return select(inside, pad(data, paddings), tf.reshape(value, []))
    if mode == "reflect" and _mirrors_once(data, before, after):
        return (mirrored or _mirrored)(data, before, after)
    for axis, (low, high) in enumerate(zip(before, after, strict=True)):
        if not (isinstance(low, int) and isinstance(high, int) and low == high == 0):
            data = tf.gather(data, _sources(dims_of(data)[axis], low, high, mode), axis=axis)
    return data


def _crop(data: tf.Tensor, before: list[Dim], after: list[Dim]) -> tuple[tf.Tensor, list[Dim], list[Dim]]:
    """Cut off what negative pads ask for, and return the data with the pads that are left."""
    if all(isinstance(pad, int) and pad >= 0 for pad in [*before, *after]):
        return data, before, after
    begin, end = [_negated_if_negative(pad) for pad in before], [_negated_if_negative(pad) for pad in after]
    size = [dim - low - high for dim, low, high in zip(dims_of(data), begin, end, strict=True)]
    before = [pad + cut for pad, cut in zip(before, begin, strict=True)]
    after = [pad + cut for pad, cut in zip(after, end, strict=True)]
    return sliced(data, [slice(b, b + n) for b, n in zip(begin, size, strict=True)]), before, after


def _negated_if_negative(pad: Dim) -> Dim:
    return max(-pad, 0) if isinstance(pad, int) else tf.maximum(-pad, 0)


def _mirrors_once(data: tf.Tensor, before: Sequence[Dim], after: Sequence[Dim]) -> bool:
    """Whether each pad is known to be shorter than the axis it mirrors."""
    return all(
        isinstance(low, int) and isinstance(high, int) and (low == high == 0 or max(low, high) < (dim or 0))
        for low, high, dim in zip(before, after, data.shape, strict=True)
    )


def _mirrored(data: tf.Tensor, before: Sequence[int], after: Sequence[int]) -> tf.Tensor:
    """Return data with mirrored elements before and after each axis.

    Not by TensorFlow's kernel, which moves one number after the other, and refuses data of no elements.
    """
    axes = [axis for axis, pads in enumerate(zip(before, after, strict=True)) if any(pads)]
    known = all(data.shape[axis] for axis in range(axes[0] if axes else 0, rank_of(data)))
    if len(axes) > 1 and known and math.prod(data.shape[axes[-1] + 1 :]) >= MIN_GATHERED:
        return _gathered(data, range(axes[0], axes[-1] + 1), before, after)
    for axis in axes:
        data = _mirrored_along(data, axis, before[axis], after[axis])
    return data


def _gathered(data: tf.Tensor, axes: range, before: Sequence[int], after: Sequence[int]) -> tf.Tensor:
    """Return data mirrored along axes that follow each other, all of them at once."""
    dims = dims_of(data)
    places: tf.Tensor = tf.zeros([1], tf.int32)
    for axis in axes:
        own = np.pad(np.arange(dims[axis], dtype=np.int32), [before[axis], after[axis]], mode="reflect")
        places = tf.reshape(places[:, tf.newaxis] * dims[axis] + own, [-1])
    padded = [dim + low + high for dim, low, high in zip(dims, before, after, strict=True)]
    outer, own_dims, inner = dims[: axes.start], dims[axes.start : axes.stop], dims[axes.stop :]
    flat = reshaped(data, [product(outer), product(own_dims), product(inner)])
    return reshaped(tf.gather(flat, places, axis=1), padded)


def _mirrored_along(data: tf.Tensor, axis: int, low: int, high: int) -> tf.Tensor:
    outer, inner = dims_of(data)[:axis], dims_of(data)[axis + 1 :]
    size = data.shape[axis]

    def mirror(start: int, count: int) -> list[tf.Tensor]:
        return [reverse(sliced(data, [*[slice(None)] * axis, slice(start, start + count)]), axis)] if count else []

    parts = [*mirror(1, low), data, *mirror(size - 1 - high, high)]
    # All that follows the axis is one with it: what lies together is copied together.
    flat = [reshaped(part, [product(outer), product(dims_of(part)[axis:])]) for part in parts]
    return reshaped(tf.concat(flat, 1), [*outer, size + low + high, *inner])


def _sources(dim: Dim, low: Dim, high: Dim, mode: str) -> tf.Tensor:
    """Return the index along an axis that each element of the padded axis comes from."""
    index = tf.range(-low, dim + high, dtype=tf.int64)
    if mode == "edge":
        return tf.clip_by_value(index, 0, dim - 1)
    if mode == "wrap":
        return tf.math.floormod(index, dim)
    if mode != "reflect":
        raise ValueError(f"padding mode {mode!r} is unknown: expected constant, reflect, edge or wrap")
    period = 2 * (dim - 1)
    phase = tf.math.floormod(index, tf.maximum(tf.cast(period, tf.int64), 1))
    return tf.minimum(phase, period - phase)


register_pad(_mirrored)
