"""Resizing along one axis after the other: coordinates, taps and weights, all of them dynamic if need be.

Coordinates are float32 in the order of operations of ONNX Runtime: of nearest neighbours the last bit counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from onnx_tf.handlers._ranks import select
from onnx_tf.handlers._sampling import cubic_weight
from onnx_tf.handlers._tensors import Dim, clipped_index


@dataclass(frozen=True)
class Sampling:
    """How a Resize samples: the attributes of the operator, whichever axis."""

    mode: str
    coordinates: str
    nearest: str = "floor"
    cubic_coeff: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False
    extrapolation: float = 0.0


@dataclass(frozen=True)
class Axis:
    """One axis to resize.

    Attributes:
        position: where the axis is in the data.
        before: its dimension.
        after: its dimension in the result.
        scale: the factor between them; a ``numpy.float32`` where it is known.
        exact: whether ``after`` is known to be ``before`` times ``scale``, not cut to an integer.
        roi: start and end of the region, as fractions of the axis.
    """

    position: int
    before: Dim
    after: Dim
    scale: np.float32 | tf.Tensor
    exact: bool
    roi: tuple[float | tf.Tensor, float | tf.Tensor] = (0.0, 1.0)


def resize_axis(x: tf.Tensor, axis: Axis, how: Sampling) -> tf.Tensor:
    """Resize along one axis."""
    places = _coordinates(axis, how.coordinates)
    if how.mode == "nearest":
        y = tf.gather(x, _nearest(places, axis, how.nearest), axis=axis.position)
    elif how.antialias:
        y = _by_matrix(x, places, axis, how)
    else:
        y = _by_taps(x, places, axis, how)
    if how.coordinates == "tf_crop_and_resize":
        outside = (places < 0) | (places > _float(axis.before) - 1)
        y = select(_along(outside, x, axis), tf.cast(how.extrapolation, x.dtype), y)
    return y


def _coordinates(axis: Axis, mode: str) -> tf.Tensor:
    """Return where each element of the result lies in the data."""
    steps = tf.range(_float(axis.after), dtype=tf.float32)
    before, after, scale = _float(axis.before), _float(axis.after), _float(axis.scale)
    if mode == "asymmetric":
        return steps / scale
    if mode == "tf_half_pixel_for_nn":
        return (steps + 0.5) / scale
    if mode == "align_corners":
        # By the size that the result has, as PyTorch and ONNX Runtime do; onnx's reference takes scale * before.
        return tf.math.divide_no_nan(steps * (before - 1), after - 1)
    if mode == "tf_crop_and_resize":
        start, end = _float(axis.roi[0]), _float(axis.roi[1])
        spread = start * (before - 1) + steps * (end - start) * (before - 1) / tf.maximum(after - 1, 1)
        return tf.where(after == 1, 0.5 * (start + end) * (before - 1), spread)
    half = (steps + 0.5) / scale - 0.5
    if mode == "half_pixel":
        return half
    if mode == "pytorch_half_pixel":
        return tf.where(after == 1, 0.0, half)
    if mode == "half_pixel_symmetric":
        return before / 2 * (1 - after / (scale * before)) + (steps + 0.5) / scale - 0.5
    raise ValueError(f"coordinate_transformation_mode {mode!r} is not known")


def _nearest(places: tf.Tensor, axis: Axis, mode: str) -> tf.Tensor:
    """Return the index of the element that each place takes, int64."""
    if mode.startswith("round"):
        # A tie is one also where the division by an inexact scale misses it by the last bits.
        halves = tf.round(places * 2) / 2
        places = tf.where(tf.abs(places - halves) <= 3e-7 * tf.maximum(tf.abs(places), 1.0), halves, places)
    fraction = places - tf.floor(places)
    if mode == "round_prefer_floor":
        chosen = tf.floor(places) + tf.cast(fraction > 0.5, tf.float32)
    elif mode == "round_prefer_ceil":
        chosen = tf.floor(places) + tf.cast(fraction >= 0.5, tf.float32)
    elif mode == "ceil":
        chosen = tf.math.ceil(places)
    elif mode == "floor":
        chosen = tf.floor(places)
    elif mode == "simple":  # what ONNX Runtime does before opset 11, where the operator left it open
        chosen = tf.where(_float(axis.scale) < 1, tf.math.ceil(places), tf.floor(places))
    else:
        raise ValueError(f"nearest_mode {mode!r} is not known")
    return _inside(tf.cast(chosen, tf.int64), axis)


def _by_taps(x: tf.Tensor, places: tf.Tensor, axis: Axis, how: Sampling) -> tf.Tensor:
    """Interpolate along the axis between the two (linear) or four (cubic) elements around each place."""
    floor = tf.floor(places)
    ratio = places - floor
    if how.mode == "linear":
        taps = [(0, 1 - ratio), (1, ratio)]
    else:
        taps = [(offset, cubic_weight(tf.abs(ratio - offset), how.cubic_coeff)) for offset in (-1, 0, 1, 2)]
    first = tf.cast(floor, tf.int64)
    if how.exclude_outside:
        last = tf.cast(axis.before, tf.int64) - 1
        kept = [tf.cast((first + o >= 0) & (first + o <= last), tf.float32) * w for o, w in taps]
        total = tf.add_n(kept)
        taps = [(o, w / total) for (o, _), w in zip(taps, kept, strict=True)]
    parts = [
        tf.gather(x, _inside(first + offset, axis), axis=axis.position) * _along(tf.cast(weight, x.dtype), x, axis)
        for offset, weight in taps
    ]
    return tf.add_n(parts)


def _by_matrix(x: tf.Tensor, places: tf.Tensor, axis: Axis, how: Sampling) -> tf.Tensor:
    """Filter as wide as a step of the result; beyond its ends the data goes on as its last element."""
    shrink = tf.minimum(_float(axis.scale), 1.0)
    beyond = tf.math.ceil(2 / shrink)
    sources = tf.range(-beyond, _float(axis.before) + beyond, dtype=tf.float32)
    distances = tf.abs(sources[tf.newaxis] - places[:, tf.newaxis]) * shrink
    weights = tf.maximum(1 - distances, 0) if how.mode == "linear" else cubic_weight(distances, how.cubic_coeff)
    nearest = tf.clip_by_value(sources, 0, _float(axis.before) - 1)
    if how.exclude_outside:
        weights *= tf.cast(sources == nearest, tf.float32)
    weights /= tf.reduce_sum(weights, 1, keepdims=True)
    elements = tf.range(_float(axis.before), dtype=tf.float32)
    weights = tf.matmul(weights, tf.cast(nearest[:, tf.newaxis] == elements[tf.newaxis], tf.float32))
    moved = tf.tensordot(x, tf.cast(weights, x.dtype), [[axis.position], [1]])
    rank = x.shape.rank
    return tf.transpose(moved, [*range(axis.position), rank - 1, *range(axis.position, rank - 1)])


def _inside(index: tf.Tensor, axis: Axis) -> tf.Tensor:
    """Return an index along the axis, its ends for what lies beyond."""
    return clipped_index(index, axis.before)


def _along(vector: tf.Tensor, x: tf.Tensor, axis: Axis) -> tf.Tensor:
    """Return a vector in the form that broadcasts along the axis of the data."""
    return tf.reshape(vector, [-1, *[1] * (x.shape.rank - 1 - axis.position)])


def _float(number: Any) -> tf.Tensor:
    """Return a number or scalar as float32."""
    return tf.cast(number, tf.float32)
