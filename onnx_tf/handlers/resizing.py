"""Resizing images."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from onnx_tf.handlers._interpolation import Axis, Sampling, resize_axis
from onnx_tf.handlers._layout import channels_last_axis, channels_last_op
from onnx_tf.handlers._tensors import (
    Dim,
    as_shape,
    dims_of,
    elements_of,
    normalize_axis,
    one_per_axis,
    rank_of,
    reshaped,
    shaped,
    vector,
)


@channels_last_op("Upsample")
def upsample_1(x: tf.Tensor, *, height_scale: float, mode: str, width_scale: float) -> tf.Tensor:
    return _upsample(x, tf.constant([1, 1, height_scale, width_scale]), mode)


@channels_last_op("Upsample", since=7)
def upsample_7(x: tf.Tensor, *, mode: str, scales: Sequence[float]) -> tf.Tensor:
    return _upsample(x, tf.constant(scales), mode)


@channels_last_op("Upsample", since=9)
def upsample_9(x: tf.Tensor, scales: tf.Tensor, *, mode: str) -> tf.Tensor:
    return _upsample(x, vector(scales, "scales", or_scalar=True), mode)


@channels_last_op("Resize", since=10)
def resize_10(x: tf.Tensor, scales: tf.Tensor, *, mode: str) -> tf.Tensor:
    return _upsample(x, vector(scales, "scales", or_scalar=True), mode)


def _upsample(x: tf.Tensor, scales: tf.Tensor, mode: str) -> tf.Tensor:
    """Resize as Upsample and the first Resize do, by one scale per axis."""
    mode = "linear" if mode == "bilinear" else mode
    how = Sampling(mode, "asymmetric", nearest="simple")
    return _resize(x, _axes_by_scales(x, scales, range(rank_of(x)), None, how), how)


@channels_last_op("Resize", since=11)
def resize_11(
    x: tf.Tensor,
    roi: tf.Tensor | None = None,
    scales: tf.Tensor | None = None,
    sizes: tf.Tensor | None = None,
    *,
    coordinate_transformation_mode: str,
    cubic_coeff_a: float,
    exclude_outside: int,
    extrapolation_value: float,
    mode: str,
    nearest_mode: str,
) -> tf.Tensor:
    return resize_18(
        x,
        roi,
        scales,
        sizes,
        antialias=0,
        axes=None,
        coordinate_transformation_mode=coordinate_transformation_mode,
        cubic_coeff_a=cubic_coeff_a,
        exclude_outside=exclude_outside,
        extrapolation_value=extrapolation_value,
        keep_aspect_ratio_policy="stretch",
        mode=mode,
        nearest_mode=nearest_mode,
    )


@channels_last_op("Resize", since=18)
def resize_18(
    x: tf.Tensor,
    roi: tf.Tensor | None = None,
    scales: tf.Tensor | None = None,
    sizes: tf.Tensor | None = None,
    *,
    antialias: int,
    axes: Sequence[int] | None,
    coordinate_transformation_mode: str,
    cubic_coeff_a: float,
    exclude_outside: int,
    extrapolation_value: float,
    keep_aspect_ratio_policy: str,
    mode: str,
    nearest_mode: str,
) -> tf.Tensor:
    how = Sampling(
        mode=mode,
        coordinates=coordinate_transformation_mode,
        nearest=nearest_mode,
        cubic_coeff=cubic_coeff_a,
        exclude_outside=bool(exclude_outside),
        antialias=bool(antialias),
        extrapolation=extrapolation_value,
    )
    rank = rank_of(x)
    roi = vector(roi, "roi")
    scales, sizes = vector(scales, "scales", or_scalar=True), vector(sizes, "sizes", or_scalar=True)
    numbers = range(rank) if axes is None else [normalize_axis(axis, rank) for axis in axes]
    if sizes is not None and sizes.shape != [0]:
        resized = _axes_by_sizes(x, sizes, numbers, roi, how, keep_aspect_ratio_policy)
    elif scales is not None:
        resized = _axes_by_scales(x, scales, numbers, roi, how)
    else:
        raise ValueError("one of the inputs scales and sizes is needed")
    return _resize(x, resized, how)


def _axes_by_scales(
    x: tf.Tensor, scales: tf.Tensor, numbers: Sequence[int], roi: tf.Tensor | None, how: Sampling
) -> list[Axis]:
    """Return the axes that scales, one per number in ``numbers``, change."""
    known = tf.get_static_value(one_per_axis(scales, "scales", len(numbers)), partial=True)
    axes = []
    for index, number in enumerate(numbers):
        position, before = _position(x, number)
        factor = scales[index] if known is None or known[index] is None else np.float32(known[index])
        if isinstance(before, int) and isinstance(factor, np.float32):
            after = math.floor(np.float32(before) * factor)
            exact = abs(float(factor) * before - after) < 1e-5
        else:
            after = tf.cast(tf.floor(tf.cast(before, tf.float32) * factor), tf.int64)
            exact = isinstance(factor, np.float32) and factor == int(factor)
        axes.append(Axis(position, before, after, factor, exact, _region(roi, index, len(numbers))))
    return [axis for axis in axes if not _is_untouched(x, axis, how)]


def _axes_by_sizes(
    x: tf.Tensor, sizes: tf.Tensor, numbers: Sequence[int], roi: tf.Tensor | None, how: Sampling, policy: str
) -> list[Axis]:
    afters = elements_of(shaped(one_per_axis(sizes, "sizes", len(numbers)), [len(numbers)]))
    places = [_position(x, number) for number in numbers]
    factors = [
        np.float32(after) / np.float32(before)
        if isinstance(after, int) and isinstance(before, int)
        else tf.cast(after, tf.float32) / tf.cast(before, tf.float32)
        for (_, before), after in zip(places, afters, strict=True)
    ]
    if policy != "stretch":
        extreme = {"not_larger": tf.reduce_min, "not_smaller": tf.reduce_max}
        if policy not in extreme:
            raise ValueError(f"keep_aspect_ratio_policy {policy!r} is not known")
        common = extreme[policy](tf.stack(factors))
        factors = [common] * len(factors)
        afters = [tf.cast(tf.floor(tf.cast(before, tf.float32) * common + 0.5), tf.int64) for _, before in places]
    axes = [
        Axis(position, before, after, factor, policy == "stretch", _region(roi, index, len(numbers)))
        for index, ((position, before), after, factor) in enumerate(zip(places, afters, factors, strict=True))
    ]
    return [axis for axis in axes if not _is_untouched(x, axis, how)]


def _position(x: tf.Tensor, number: int) -> tuple[int, Dim]:
    """Return where an axis of N, C, spatial... is in the data, and its dimension."""
    rank = rank_of(x)
    position = channels_last_axis(number, rank) if rank > 2 else number
    return position, dims_of(x)[position]


def _region(roi: tf.Tensor | None, index: int, count: int) -> tuple[float | tf.Tensor, float | tf.Tensor]:
    """Return start and end of an axis in ``roi``: all starts, then all ends."""
    return (0.0, 1.0) if roi is None or roi.shape == [0] else (roi[index], roi[index + count])


def _is_untouched(x: tf.Tensor, axis: Axis, how: Sampling) -> bool:
    """Return whether an axis stays as it is."""
    if how.coordinates == "tf_crop_and_resize":
        return False
    if how.mode != "nearest" and x.shape.rank > 3 and axis.position in (0, x.shape.rank - 1):
        # Batch and channels are not interpolated (ONNX Runtime refuses to), even if the sizes are dynamic.
        return not (isinstance(axis.after, int) and isinstance(axis.before, int)) or axis.after == axis.before
    return isinstance(axis.scale, np.float32) and axis.scale == 1 and axis.exact


def _resize(x: tf.Tensor, axes: Sequence[Axis], how: Sampling) -> tf.Tensor:
    """Resize along the axes, integers by way of floats."""
    if not axes:
        return tf.identity(x)
    if how.mode not in ("nearest", "linear", "cubic"):
        raise ValueError(f"mode {how.mode!r} is not known: use nearest, linear or cubic")
    if how.mode == "nearest":
        if all(_repeats(axis, how) for axis in axes):
            return _repeated(x, axes)
        return _resized_one_by_one(x, axes, how)
    wide = tf.cast(x, tf.float64 if x.dtype == tf.float64 else tf.float32)
    y = _bilinear(wide, axes, how) if _is_bilinear(wide, axes, how) else _resized_one_by_one(wide, axes, how)
    if x.dtype.is_integer and (how.mode == "cubic" or how.antialias):
        y = tf.round(y)
    if x.dtype.size == 1:
        return tf.cast(tf.clip_by_value(y, x.dtype.min, x.dtype.max), x.dtype)  # saturate_cast has no form in LiteRT
    return tf.saturate_cast(y, x.dtype) if x.dtype.is_integer else tf.cast(y, x.dtype)


def _resized_one_by_one(x: tf.Tensor, axes: Sequence[Axis], how: Sampling) -> tf.Tensor:
    for axis in axes:
        x = resize_axis(x, axis, how)
    return x


def _repeats(axis: Axis, how: Sampling) -> bool:
    """Return whether the nearest elements are each element of the data n times."""
    if not isinstance(axis.scale, np.float32) or axis.scale != int(axis.scale) or axis.scale < 1:
        return False
    if how.coordinates in ("align_corners", "tf_crop_and_resize"):
        return False
    count = int(axis.scale)
    steps = np.arange(4 * count)
    shift = 0.0 if how.coordinates == "asymmetric" else 0.5
    places = (steps + shift) / count - (0.5 if "half_pixel" in how.coordinates and "nn" not in how.coordinates else 0)
    choose: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "round_prefer_floor": lambda p: np.ceil(p - 0.5),
        "round_prefer_ceil": lambda p: np.floor(p + 0.5),
        "floor": np.floor,
        "simple": np.floor,
        "ceil": np.ceil,
    }
    return bool((np.clip(choose[how.nearest](places), 0, 3) == steps // count).all())


def _repeated(x: tf.Tensor, axes: Sequence[Axis]) -> tf.Tensor:
    """Repeat each element along the axes as often as their scales say."""
    counts = [1] * rank_of(x)
    for axis in axes:
        counts[axis.position] = int(axis.scale)
    dims = dims_of(x)
    # To repeat the elements of an axis is to tile what follows it: of [H, W] tile W, then see it as [nH, W].
    parts, tiles, pending = [1], [1], 1
    for dim, count in zip(dims, counts, strict=True):
        if pending == 1:
            parts[-1] = parts[-1] * dim
        elif count == 1:
            parts, tiles = [*parts, dim], [*tiles, pending]
        else:
            parts, tiles = [*parts, 1, dim], [*tiles, pending, 1]
        pending = count
    if pending > 1:
        parts, tiles = [*parts, 1], [*tiles, pending]
    tiled = tf.tile(reshaped(x, parts), tiles)
    return reshaped(tiled, [dim * count for dim, count in zip(dims, counts, strict=True)])


def _is_bilinear(x: tf.Tensor, axes: Sequence[Axis], how: Sampling) -> bool:
    """Return whether TensorFlow's bilinear kernel computes just this."""
    centres = how.coordinates.startswith("half_pixel") or (
        how.coordinates == "pytorch_half_pixel" and all(_is_plural(axis) for axis in axes)
    )
    return (
        how.mode == "linear"
        and not how.antialias
        and not how.exclude_outside
        and x.dtype == tf.float32
        and rank_of(x) == 4
        and {axis.position for axis in axes} <= {1, 2}
        and (centres or how.coordinates in ("align_corners", "asymmetric"))
        and (how.coordinates == "align_corners" or all(axis.exact for axis in axes))
    )


def _is_plural(axis: Axis) -> bool:
    """Return whether the result is known to have more than one element along the axis."""
    return (
        axis.after > 1 if isinstance(axis.after, int) else isinstance(axis.scale, np.float32) and bool(axis.scale >= 2)
    )


def _bilinear(x: tf.Tensor, axes: Sequence[Axis], how: Sampling) -> tf.Tensor:
    """Resize images N, height, width, C by TensorFlow's bilinear kernel."""
    size = dims_of(x)[1:3]
    for axis in axes:
        size[axis.position - 1] = axis.after
    return tf.raw_ops.ResizeBilinear(
        images=x,
        size=tf.cast(as_shape(size), tf.int32),
        align_corners=how.coordinates == "align_corners",
        half_pixel_centers="half_pixel" in how.coordinates,
    )
