"""Pools: layers, of N, spatial..., C data."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import layers, ops

from onnx_tf.export.keras._place import Place, keras_op, static
from onnx_tf.export.keras._sums import added
from onnx_tf.export.keras._windows import padded, paddings, same

MAXIMA = {1: layers.MaxPooling1D, 2: layers.MaxPooling2D, 3: layers.MaxPooling3D}
MEANS = {1: layers.AveragePooling1D, 2: layers.AveragePooling2D, 3: layers.AveragePooling3D}
GLOBAL_MAXIMA = {1: layers.GlobalMaxPooling1D, 2: layers.GlobalMaxPooling2D, 3: layers.GlobalMaxPooling3D}
GLOBAL_MEANS = {
    1: layers.GlobalAveragePooling1D,
    2: layers.GlobalAveragePooling2D,
    3: layers.GlobalAveragePooling3D,
}


@keras_op("MaxPool", channels_last=True)
def max_pool(
    place: Place,
    x: Any,
    *,
    auto_pad: str,
    ceil_mode: int | None,
    dilations: Sequence[int] | None,
    kernel_shape: Sequence[int],
    pads: Sequence[int] | None,
    storage_order: int | None,
    strides: Sequence[int] | None,
) -> Any:
    rank = len(kernel_shape)
    if any(place.outputs[1:]) or rank not in MAXIMA or max(dilations or [1]) > 1:
        place.refuse("Keras's pools give no indices, know no dilations, and have up to three axes")
    strides = tuple(strides or [1] * rank)
    around = _with_ceil(place, x, kernel_shape, strides, auto_pad, pads, ceil_mode or 0)
    kernel_shape, around = _without_outside(x, kernel_shape, strides, around)
    padding = "valid"
    if any(map(any, around)):
        if same(x, kernel_shape, strides, [1] * rank, around):
            padding = "same"
        elif _is_rectified(x):
            x, _ = padded(place, x, [1] * rank, [1] * rank, [1] * rank, around)
        else:
            lowest = float("-inf") if "float" in x.dtype else int(np.iinfo(x.dtype).min)
            x = ops.pad(x, ((0, 0), *around, (0, 0)), constant_values=lowest)
    return place.layer(MAXIMA[rank], x, pool_size=tuple(kernel_shape), strides=strides, padding=padding)


def _is_rectified(x: Any) -> bool:
    """Tell whether nothing is below 0, so that zeros around it change no maximum."""
    operation = x._keras_history.operation
    return isinstance(operation, layers.ReLU) and not operation.negative_slope and not operation.threshold


@keras_op("AveragePool", channels_last=True)
def average_pool(
    place: Place,
    x: Any,
    *,
    auto_pad: str,
    ceil_mode: int | None,
    count_include_pad: int | None,
    dilations: Sequence[int] | None,
    kernel_shape: Sequence[int],
    pads: Sequence[int] | None,
    strides: Sequence[int] | None,
) -> Any:
    rank = len(kernel_shape)
    if rank not in MEANS or max(dilations or [1]) > 1:
        place.refuse("Keras's pools know no dilations, and have up to three axes")
    strides = tuple(strides or [1] * rank)
    stated = paddings(place, x, kernel_shape, strides, [1] * rank, auto_pad, pads)
    around = _with_ceil(place, x, kernel_shape, strides, auto_pad, pads, ceil_mode or 0)
    sizes, outside = _without_outside(x, kernel_shape, strides, around)
    config: dict[str, Any] = {"pool_size": tuple(sizes), "strides": strides}
    if not any(map(any, around)):
        return _mean(place, MEANS[rank], x, **config)
    # What padding counts for differs between the backends: zeros are padded, and the means scaled.
    dims = static(place, x, range(1, rank + 1))
    wide, _ = padded(place, x, [1] * rank, strides, [1] * rank, outside)
    y = _mean(place, MEANS[rank], wide, **config)
    counted = stated if count_include_pad else [(0, 0)] * rank
    rows = zip(dims, kernel_shape, strides, around, counted, strict=True)
    counts = [_counts(*row) for row in rows]
    total = np.ones((1,) * (rank + 2), np.float32)
    for axis, (count, k) in enumerate(zip(counts, sizes, strict=True), start=1):
        total = total * (k / count).astype(np.float32).reshape([-1 if i == axis else 1 for i in range(rank + 2)])
    total = total.astype(x.dtype)
    if (total == 1).all():
        return y
    return ops.multiply(y, place.operand(total))


def _without_outside(
    x: Any, kernel: Sequence[int], strides: Sequence[int], around: Sequence[tuple[int, int]]
) -> tuple[list[int], list[tuple[int, int]]]:
    """Return windows and paddings, smaller where the one window along an axis has all of it and more."""
    found = []
    for n, k, s, (before, after) in zip(x.shape[1:-1], kernel, strides, around, strict=True):
        is_one = n is not None and n + before + after - k < s and 0 <= before <= k - n and after >= 0
        found.append((n, (0, 0)) if is_one else (k, (before, after)))
    return [size for size, _ in found], [pair for _, pair in found]


def _mean(place: Place, layer: Callable[..., Any], x: Any, **config: Any) -> Any:
    """Return what a pool gives, computed as float32: sums of 16-bit floats overflow."""
    if x.dtype in ("float16", "bfloat16"):
        return ops.cast(place.layer(layer, x, dtype="float32", **config), x.dtype)
    return place.layer(layer, x, **config)


def _counts(n: int, k: int, stride: int, around: tuple[int, int], counted: tuple[int, int]) -> np.ndarray:
    """Return how many of each window's elements count."""
    (before, after), (first, last) = around, counted
    starts = np.arange(0, n + before + after - k + 1, stride)
    ends = np.minimum(starts + k, before + n + last)
    return np.maximum(ends - np.maximum(starts, before - first), 1)


def _with_ceil(
    place: Place,
    x: Any,
    kernel: Sequence[int],
    strides: Sequence[int],
    auto_pad: str,
    pads: Sequence[int] | None,
    ceil_mode: int,
) -> list[tuple[int, int]]:
    """Return paddings with what the last window needs where the number of windows is rounded up."""
    around = paddings(place, x, kernel, strides, [1] * len(kernel), auto_pad, pads)
    if not ceil_mode:
        return around
    found = []
    dims = static(place, x, range(1, len(kernel) + 1))
    for n, k, s, (before, after) in zip(dims, kernel, strides, around, strict=True):
        windows = -(-(n + before + after - k) // s) + 1
        if (windows - 1) * s >= n + before:  # one that begins in the padding is none
            windows -= 1
        found.append((before, max(after, (windows - 1) * s + k - n - before)))
    return found


@keras_op("GlobalAveragePool", channels_last=True)
def global_average_pool(place: Place, x: Any) -> Any:
    return _global(place, x, GLOBAL_MEANS)


@keras_op("GlobalMaxPool", channels_last=True)
def global_max_pool(place: Place, x: Any) -> Any:
    return _global(place, x, GLOBAL_MAXIMA)


def _global(place: Place, x: Any, kinds: dict[int, Any]) -> Any:
    rank = len(x.shape) - 2
    if rank not in kinds:
        place.refuse(f"Keras has no pool of {rank} axes")
    return _mean(place, kinds[rank], x, keepdims=True)


@keras_op("LRN", channels_last=True)
def lrn(place: Place, x: Any, *, alpha: float, beta: float, bias: float, size: int) -> Any:
    """Divide by a power of the sum of squares over a window of channels: slices of the squares, added."""
    (channels,) = static(place, x, [-1])
    before = (size - 1) // 2
    widths = [(0, 0)] * (len(x.shape) - 1) + [(before, size - 1 - before)]
    squares = ops.pad(ops.square(x), widths)
    parts = [squares[..., first : first + channels] for first in range(size)]
    total = list(itertools.accumulate(parts, added))[-1]
    return ops.divide(x, ops.power(ops.add(ops.multiply(total, alpha / size), bias), beta))
