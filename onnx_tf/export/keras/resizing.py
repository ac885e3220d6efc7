"""Resize: UpSampling2D where it is that, else elements along one axis after another, weighted."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import layers, ops

from onnx_tf.export.keras import _lengths as lengths
from onnx_tf.export.keras._place import Place, constant, keras_op, static
from onnx_tf.export.keras._sums import added
from onnx_tf.registry import CHANNELS_LAST_DOMAIN

Factors = dict[int, tuple[float, int]]
"""For each axis that changes: by how much, and how long it becomes, -1 where that follows from the factor."""

Weighted = list[tuple[np.ndarray, np.ndarray]]
"""For each tap of an interpolation: where it takes each element, and with what weight."""


Where = Callable[[int, int], int]
"""Where an axis of the model is in the data: (axis, rank) -> axis."""


def in_order(axis: int, rank: int) -> int:
    """Return an axis of data in ONNX order."""
    return axis


def in_last(axis: int, rank: int) -> int:
    """Return an axis of N, C, spatial... in N, spatial..., C."""
    return axis if axis == 0 else rank - 1 if axis == 1 else axis - 1


def _register(where: Where, domain: str) -> None:
    """Register what states a number for each axis, in ONNX order whatever the order of the data."""

    @keras_op("Resize", since=11, domain=domain)
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
        stretches = keep_aspect_ratio_policy in (None, "stretch")
        if antialias or exclude_outside or not stretches or coordinate_transformation_mode == "tf_crop_and_resize":
            place.refuse("Keras has no form of its antialias, exclude_outside, policy or crop")
        rank = len(x.shape)
        along = [where(axis % rank, rank) for axis in (range(rank) if axes is None else axes)]
        if scales is not None and scales.shape != (0,):
            found = _by_scale(along, constant(place, scales, "scales"))
        else:
            found = _by_size(place, x, along)
        return _resized(place, x, found, (coordinate_transformation_mode, mode, nearest_mode, cubic_coeff_a))

    @keras_op("Resize", since=10, domain=domain)
    @keras_op("Upsample", since=9, domain=domain)
    def upsample(place: Place, x: Any, scales: Any, *, mode: str) -> Any:
        rank = len(x.shape)
        found = _by_scale([where(axis, rank) for axis in range(rank)], constant(place, scales, "scales"))
        return _resized(place, x, found, ("asymmetric", mode, "floor", 0.0))


_register(in_order, "")
_register(in_last, CHANNELS_LAST_DOMAIN)


def _by_scale(along: Sequence[int], scales: np.ndarray) -> Factors:
    return {axis: (float(scale), -1) for axis, scale in zip(along, scales, strict=True) if scale != 1}


def _by_size(place: Place, x: Any, along: Sequence[int]) -> Factors:
    """Return how axes change that are to have other sizes than they have; open ones are to stay as they are."""
    found = {}
    for axis, size in zip(along, lengths.elements(place, 3), strict=True):
        if size == x.shape[axis] or size == (place.given[0] or {axis: None})[axis]:
            continue
        if isinstance(size, str):
            place.refuse(f"its size {size!r} is open")
        (n,) = static(place, x, [axis])
        found[axis] = (size / n, size)
    return found


def _resized(place: Place, x: Any, found: Factors, how: tuple[str, str, str, float]) -> Any:
    factors = {axis: scale for axis, (scale, _) in found.items()}
    repeats = all(scale == int(scale) for scale in factors.values()) and how[1] == "nearest"
    if repeats and how[:3:2] in (("asymmetric", "floor"), ("half_pixel", "round_prefer_floor")):
        if len(x.shape) == 4 and set(factors) <= {1, 2}:
            times = tuple(int(factors.get(axis, 1)) for axis in (1, 2))
            return place.layer(layers.UpSampling2D, x, size=times, interpolation="nearest")
        for axis, scale in factors.items():
            x = ops.repeat(x, int(scale), axis=axis)
        return x
    for axis, (scale, size) in found.items():
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
        total = part if total is None else added(total, part)
    return total
