"""Spatial transformers: affine grids and sampling at a grid."""

from __future__ import annotations

import functools
from collections.abc import Callable

import tensorflow as tf

from onnx_tf.handlers._layout import channels_last_op
from onnx_tf.handlers._sampling import Mapped, cubic_taps, edges_outside, linear_taps, mirror, sample, zeros_outside
from onnx_tf.handlers._tensors import Dim, dims_of, elements_of, reshaped, shaped, vector
from onnx_tf.registry import onnx_op


@channels_last_op("GridSample", since=16)
def grid_sample_16(x: tf.Tensor, grid: tf.Tensor, *, align_corners: int, mode: str, padding_mode: str) -> tf.Tensor:
    return grid_sample_20(
        x,
        grid,
        align_corners=align_corners,
        mode={"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode),
        padding_mode=padding_mode,
    )


@channels_last_op("GridSample", since=20)
def grid_sample_20(x: tf.Tensor, grid: tf.Tensor, *, align_corners: int, mode: str, padding_mode: str) -> tf.Tensor:
    wide = tf.float64 if x.dtype == tf.float64 else tf.float32
    sizes = dims_of(x)[1:-1]
    # The last axis of the grid names the spatial axes of the data from the last to the first.
    places = [
        _denormalized(tf.cast(grid[..., -1 - i], wide), tf.cast(size, wide), align_corners)
        for i, size in enumerate(sizes)
    ]
    places = [_padded(place, size, padding_mode, align_corners) for place, size in zip(places, sizes, strict=True)]
    if mode == "nearest":
        taps = [[(tf.round(place), tf.ones_like(place))] for place in places]
    elif mode == "linear":
        taps = [linear_taps(place) for place in places]
    elif mode == "cubic":
        taps = [cubic_taps(place, -0.75) for place in places]
    else:
        raise ValueError(f"mode {mode!r} is not known: use nearest, linear or cubic")
    outside: dict[str, Callable[[tf.Tensor, Dim], Mapped]] = {
        "zeros": zeros_outside,
        "border": edges_outside,
        "reflection": functools.partial(_mirrored_index, align_corners=align_corners),
    }
    return tf.cast(sample(tf.cast(x, wide), taps, outside[padding_mode]), x.dtype)


def _denormalized(place: tf.Tensor, size: tf.Tensor, align_corners: int) -> tf.Tensor:
    """Return places from -1 to 1 as element numbers along an axis."""
    return (place + 1) / 2 * (size - 1) if align_corners else ((place + 1) * size - 1) / 2


def _padded(place: tf.Tensor, size: Dim, padding_mode: str, align_corners: int) -> tf.Tensor:
    """Return places with those beyond the data moved as the padding mode says."""
    if padding_mode == "zeros":
        return place
    if padding_mode == "border":
        # The elements are those of the edges outside, so a place may stay there; two elements off all are equal.
        return tf.clip_by_value(place, -2.0, tf.cast(size, place.dtype) + 1)
    if padding_mode == "reflection":
        return _mirrored_index(place, size, align_corners)[0]
    raise ValueError(f"padding_mode {padding_mode!r} is not known: use zeros, border or reflection")


def _mirrored_index(place: tf.Tensor, size: Dim, align_corners: int) -> Mapped:
    """Map indices so that the data beyond its ends is mirrored, at the last elements or at their outer edges."""
    size = tf.cast(size, place.dtype)
    low, high = (0.0, size - 1) if align_corners else (-0.5, size - 0.5)
    return mirror(place, low, high), None


@onnx_op("AffineGrid", since=20)
def affine_grid(theta: tf.Tensor, size: tf.Tensor, *, align_corners: int) -> tf.Tensor:
    size = vector(size, "size")
    if size.shape[0] is None and theta.shape[-1] is None:
        raise ValueError("the length of size is unknown: state the shape of this input in the model")
    sizes = elements_of(shaped(size, [size.shape[0] or theta.shape[-1] + 1]))[2:]
    wide = tf.float64 if theta.dtype == tf.float64 else tf.float32
    ticks = []
    for dim in sizes:
        steps, count = tf.range(dim), tf.cast(dim, wide)
        steps = tf.cast(steps, wide)
        ticks.append(steps * 2 / (count - 1) - 1 if align_corners else (2 * steps + 1) / count - 1)
    grids = tf.meshgrid(*ticks, indexing="ij")
    homogeneous = tf.stack([*grids[::-1], tf.ones_like(grids[0])], -1)
    points = tf.reshape(homogeneous, [-1, len(sizes) + 1])
    moved = tf.matmul(points[tf.newaxis], tf.cast(theta, wide), transpose_b=True)
    return tf.cast(reshaped(moved, [dims_of(theta)[0], *sizes, len(sizes)]), theta.dtype)
