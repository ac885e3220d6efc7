"""Resize: UpSampling2D where it is that, else elements along one axis after another, weighted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import layers, ops

from onnx_tf.export.keras._place import Place, constant, keras_op, static

Weighted = list[tuple[np.ndarray, np.ndarray]]
"""For each tap of an interpolation: where it takes each element, and with what weight."""


@keras_op("Resize", since=11)
def resize(
    place: Place,
    x: Any,
    roi: Any = None,
    scales: Any = None,
    sizes: Any = None,
    *,
    antialias: int | None,
    axes: Sequence[int] | None,
    coordinate_transformation_mode: str,
    cubic_coeff_a: float,
    exclude_outside: int,
    extrapolation_value: float,
    keep_aspect_ratio_policy: str | None,
    mode: str,
    nearest_mode: str,
) -> Any:
    transformation = coordinate_transformation_mode
    stretches = keep_aspect_ratio_policy in (None, "stretch") and transformation != "tf_crop_and_resize"
    if antialias or exclude_outside or not stretches:
        place.refuse("Keras has no form of its antialias, exclude_outside, policy or crop")
    rank = len(x.shape)
    along = [axis % rank for axis in axes] if axes is not None else list(range(rank))
    given = None if scales is None or not scales.size else constant(place, scales, "scales")
    wanted = None if given is not None else constant(place, sizes, "sizes")
    found = dict.fromkeys(range(rank), (1.0, 0))
    for index, axis in enumerate(along):
        if given is not None and given[index] != 1:
            found[axis] = (float(given[index]), -1)
        elif wanted is not None and wanted[index] != x.shape[axis]:
            (n,) = static(place, x, [axis])
            found[axis] = (int(wanted[index]) / n, int(wanted[index]))
    how = (transformation, mode, nearest_mode, cubic_coeff_a)
    return _resized(place, x, found, how)


@keras_op("Resize", since=10)
def resize_10(place: Place, x: Any, scales: Any, *, mode: str) -> Any:
    return _upsampled(place, x, constant(place, scales, "scales"), mode)


@keras_op("Upsample", since=9)
def upsample_9(place: Place, x: Any, scales: Any, *, mode: str) -> Any:
    return _upsampled(place, x, constant(place, scales, "scales"), mode)


def _upsampled(place: Place, x: Any, scales: np.ndarray, mode: str) -> Any:
    found = {axis: (float(scale), -1) for axis, scale in enumerate(scales)}
    return _resized(place, x, found, ("asymmetric", mode, "floor", 0.0))


def _resized(place: Place, x: Any, found: dict[int, tuple[float, int]], how: tuple[str, str, str, float]) -> Any:
    factors = {axis: scale for axis, (scale, _) in found.items() if scale != 1}
    repeats = all(scale == int(scale) for scale in factors.values()) and how[1] == "nearest"
    if repeats and how[:3:2] in (("asymmetric", "floor"), ("half_pixel", "round_prefer_floor")):
        if len(x.shape) == 4 and set(factors) <= {1, 2}:
            times = tuple(int(found[axis][0]) for axis in (1, 2))
            return place.layer(layers.UpSampling2D, x, size=times, interpolation="nearest")
        for axis, scale in factors.items():
            x = ops.repeat(x, int(scale), axis=axis)
        return x
    for axis, (scale, size) in found.items():
        if scale != 1:
            (n,) = static(place, x, [axis])
            length = size if size >= 0 else math.floor(n * scale)
            x = _interpolated(place, x, axis, _taps(n, length, scale, *how))
    return x


def _taps(n: int, length: int, scale: float, transformation: str, mode: str, nearest: str, a: float) -> Weighted:
    """Return where each element of the result comes from along an axis of ``n`` elements."""
    at = np.arange(length, dtype=np.float64)
    if transformation == "align_corners":
        position = at * (n - 1) / (length - 1) if length > 1 else at * 0
    elif transformation == "asymmetric":
        position = at / scale
    elif transformation == "pytorch_half_pixel" and length == 1:
        position = at * 0
    elif transformation == "half_pixel_symmetric":
        position = n / 2 * (1 - length / (n * scale)) + (at + 0.5) / scale - 0.5
    else:
        position = (at + 0.5) / scale - 0.5
    if mode == "nearest":
        rounded = {
            "floor": np.floor(position),
            "ceil": np.ceil(position),
            "round_prefer_ceil": np.floor(position + 0.5),
        }.get(nearest, np.ceil(position - 0.5))
        return [(np.clip(rounded, 0, n - 1).astype(np.int32), np.ones(length))]
    if mode == "linear":
        position = np.clip(position, 0, n - 1)
        first = np.floor(position)
        part = position - first
        pairs = [(first, 1 - part), (np.minimum(first + 1, n - 1), part)]
        return [(where.astype(np.int32), weight) for where, weight in pairs]
    first = np.floor(position)
    taps = []
    for tap in range(-1, 3):
        d = np.abs(position - first - tap)
        near = (a + 2) * d**3 - (a + 3) * d**2 + 1
        far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
        taps.append((np.clip(first + tap, 0, n - 1).astype(np.int32), np.where(d <= 1, near, far)))
    return taps


def _interpolated(place: Place, x: Any, axis: int, taps: Weighted) -> Any:
    x = place.tensor(x)
    total = None
    for where, weight in taps:
        part = ops.take(x, where, axis=axis)
        if len(taps) > 1:
            shape = [-1 if i == axis else 1 for i in range(len(x.shape))]
            part = ops.multiply(part, weight.astype(x.dtype).reshape(shape))
        total = part if total is None else ops.add(total, part)
    return total
