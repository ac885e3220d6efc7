"""GridSample: elements at computed places, weighted."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

from keras import ops

from onnx_tf.export.keras._place import Place, keras_op, static
from onnx_tf.export.keras._sums import added

Tap = tuple[Any, Any]
"""An index along one axis, float, and its weight."""

A = -0.75
"""The coefficient of the cubic convolution."""


@keras_op("GridSample", since=16)
def grid_sample_16(place: Place, x: Any, grid: Any, *, align_corners: int, mode: str, padding_mode: str) -> Any:
    mode = {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode)
    return grid_sample(place, x, grid, align_corners=align_corners, mode=mode, padding_mode=padding_mode)


@keras_op("GridSample", since=20)
def grid_sample(place: Place, x: Any, grid: Any, *, align_corners: int, mode: str, padding_mode: str) -> Any:
    x, grid = place.tensor(x), place.tensor(grid)
    rank = len(x.shape) - 2
    channels, *sizes = static(place, x, range(1, rank + 2))
    flat = ops.reshape(x, (-1, channels, math.prod(sizes)))
    # The last axis of the grid names the spatial axes of the data from the last to the first.
    ats = [_placed(grid[..., rank - 1 - axis], size, bool(align_corners)) for axis, size in enumerate(sizes)]
    if padding_mode == "reflection":
        ats = [_mirrored(at, size, bool(align_corners)) for at, size in zip(ats, sizes, strict=True)]
    taps: Callable[[Any], list[Tap]] = {"nearest": _nearest, "linear": _linear}.get(mode, _cubic)
    total = None
    for combination in itertools.product(*map(taps, ats)):
        part = _read(flat, combination, sizes, padding_mode, bool(align_corners))
        total = part if total is None else added(total, part)
    places = static(place, grid, range(1, rank + 1))
    return ops.reshape(total, (-1, channels, *places))


def _placed(at: Any, size: int, aligned: bool) -> Any:
    """Return places from -1 to 1 as element numbers along an axis."""
    if aligned:
        return ops.multiply(ops.divide(ops.add(at, 1.0), 2.0), float(size - 1))
    return ops.divide(ops.subtract(ops.multiply(ops.add(at, 1.0), float(size)), 1.0), 2.0)


def _mirrored(at: Any, size: int, aligned: bool) -> Any:
    """Return places beyond the data mirrored, at the last elements or at their outer edges."""
    low, high = (0.0, size - 1.0) if aligned else (-0.5, size - 0.5)
    span = high - low
    turn = ops.mod(ops.subtract(at, low), max(2 * span, 1e-30))
    return ops.add(ops.minimum(turn, ops.subtract(2 * span, turn)), low)


def _nearest(at: Any) -> list[Tap]:
    return [(ops.round(at), None)]


def _linear(at: Any) -> list[Tap]:
    low = ops.floor(at)
    after = ops.subtract(at, low)
    return [(low, ops.subtract(1.0, after)), (ops.add(low, 1.0), after)]


def _cubic(at: Any) -> list[Tap]:
    low = ops.floor(at)
    t = ops.subtract(at, low)
    distances = [ops.add(t, 1.0), t, ops.subtract(1.0, t), ops.subtract(2.0, t)]
    weights = [_far, _near, _near, _far]
    return [
        (ops.add(low, float(step)), weight(distance))
        for step, distance, weight in zip((-1, 0, 1, 2), distances, weights, strict=True)
    ]


def _near(d: Any) -> Any:
    inner = ops.subtract(ops.multiply(d, A + 2), A + 3)
    return ops.add(ops.multiply(ops.multiply(inner, d), d), 1.0)


def _far(d: Any) -> Any:
    inner = ops.add(ops.multiply(ops.subtract(ops.multiply(d, A), 5 * A), d), 8 * A)
    return ops.subtract(ops.multiply(inner, d), 4 * A)


def _read(flat: Any, taps: tuple[Tap, ...], sizes: list[int], padding_mode: str, aligned: bool) -> Any:
    """Return N, C, places of N, C, elements: those that the indices name, by the product of their weights."""
    index: Any = None
    weight: Any = None
    inside: Any = None
    for (at, own), size in zip(taps, sizes, strict=True):
        if padding_mode == "zeros":
            known = ops.logical_and(ops.greater_equal(at, 0.0), ops.less_equal(at, size - 1.0))
            inside = known if inside is None else ops.logical_and(inside, known)
        at = _mirrored(at, size, aligned) if padding_mode == "reflection" else at
        whole = ops.cast(ops.clip(at, 0.0, size - 1.0), "int32")
        index = whole if index is None else added(ops.multiply(index, size), whole)
        weight = own if weight is None or own is None else ops.multiply(weight, own)
    if inside is not None:
        own = ops.cast(inside, flat.dtype)
        weight = own if weight is None else ops.multiply(weight, own)
    count = math.prod(n or -1 for n in index.shape[1:])
    values = ops.take_along_axis(flat, ops.reshape(index, (-1, 1, count)), axis=2)
    return values if weight is None else ops.multiply(values, ops.reshape(weight, (-1, 1, count)))
