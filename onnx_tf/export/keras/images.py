"""Padding, resizing and rearranging images."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import layers, ops

from onnx_tf.export.keras._place import Place, constant, keras_op, static
from onnx_tf.export.keras._sums import added


@keras_op("Pad", since=11)
def pad(place: Place, x: Any, pads: Any, value: Any = None, axes: Any = None, *, mode: str) -> Any:
    rank = len(x.shape)
    numbers = constant(place, pads, "pads").tolist()
    along = range(rank) if axes is None else [int(a) % rank for a in constant(place, axes, "axes")]
    half = len(numbers) // 2
    around = dict(zip(along, zip(numbers[:half], numbers[half:], strict=True), strict=True))
    fill = 0 if value is None else constant(place, value, "value").item()
    return _padded(place, x, [around.get(axis, (0, 0)) for axis in range(rank)], fill, mode)


@keras_op("Pad", since=2)
def pad_2(place: Place, x: Any, *, mode: str, pads: Sequence[int], value: float) -> Any:
    rank = len(x.shape)
    return _padded(place, x, list(zip(pads[:rank], pads[rank:], strict=True)), value, mode)


def _padded(place: Place, x: Any, around: Sequence[tuple[int, int]], fill: Any, mode: str) -> Any:
    if any(n < 0 for pair in around for n in pair):
        key = tuple(slice(max(0, -a), min(0, b) or None) for a, b in around)
        x, around = x[(*key, ...)], [(max(0, a), max(0, b)) for a, b in around]
    if not any(map(any, around)):
        return x
    if mode == "constant":
        return ops.pad(x, tuple(around), constant_values=fill)
    if mode == "reflect":
        return ops.pad(x, tuple(around), mode="reflect")
    for axis, (before, after) in enumerate(around):
        if before or after:
            (n,) = static(place, x, [axis])
            at = np.arange(-before, n + after)
            at = at % n if mode == "wrap" else np.clip(at, 0, n - 1)
            x = ops.take(x, at.astype(np.int32), axis=axis)
    return x


@keras_op("DepthToSpace", channels_last=True)
def depth_to_space(place: Place, x: Any, *, blocksize: int, mode: str | None) -> Any:
    (channels,) = static(place, x, [3])
    s, depth = blocksize, channels // blocksize**2
    if None in x.shape[1:3] and hasattr(ops, "depth_to_space"):
        if mode == "CRD":
            order = np.arange(channels).reshape(depth, s * s).T.reshape(-1)
            x = ops.take(x, order.astype(np.int32), axis=3)
        return ops.depth_to_space(x, s)
    height, width = static(place, x, [1, 2])
    split = (s, s, depth) if mode != "CRD" else (depth, s, s)
    y = place.layer(layers.Reshape, x, target_shape=(height, width, *split), suffix="_blocks")
    perm = (1, 3, 2, 4, 5) if mode == "DCR" else (1, 4, 2, 5, 3)
    y = place.layer(layers.Permute, y, dims=perm, suffix="_permute")
    return place.layer(layers.Reshape, y, target_shape=(height * s, width * s, depth))


@keras_op("SpaceToDepth", channels_last=True)
def space_to_depth(place: Place, x: Any, *, blocksize: int, mode: str | None) -> Any:
    if mode not in (None, "DCR"):
        place.refuse(f"its mode {mode} has no form here")
    height, width, channels = static(place, x, [1, 2, 3])
    s = blocksize
    blocks = (height // s, s, width // s, s, channels)
    y = place.layer(layers.Reshape, x, target_shape=blocks, suffix="_blocks")
    y = place.layer(layers.Permute, y, dims=(1, 3, 2, 4, 5), suffix="_permute")
    return place.layer(layers.Reshape, y, target_shape=(height // s, width // s, s * s * channels))


@keras_op("Col2Im", since=18)
def col2im(
    place: Place,
    x: Any,
    image_shape: Any,
    block_shape: Any,
    *,
    dilations: Sequence[int] | None,
    pads: Sequence[int] | None,
    strides: Sequence[int] | None,
) -> Any:
    """Add up blocks: each pixel takes the elements of those that cover it, and a zero where there are fewer."""
    image = constant(place, image_shape, "image").tolist()
    block = constant(place, block_shape, "block").tolist()
    rank = len(image)
    pads = list(pads or [0] * 2 * rank)
    steps, spread = list(strides or [1] * rank), list(dilations or [1] * rank)
    rows, count = static(place, x, [1, 2])
    channels = rows // math.prod(block)
    covering = _covering(image, block, pads, steps, spread)
    flat = ops.reshape(place.tensor(x), (-1, channels, math.prod(block) * count))
    if covering.shape[1] > 1:
        flat = ops.pad(flat, ((0, 0), (0, 0), (0, 1)))
    parts = [ops.take(flat, covering[:, layer], axis=2) for layer in range(covering.shape[1])]
    return ops.reshape(functools.reduce(added, parts), (-1, channels, *image))


def _covering(
    image: Sequence[int], block: Sequence[int], pads: Sequence[int], steps: Sequence[int], spread: Sequence[int]
) -> np.ndarray:
    """Return for each pixel the places of what covers it in elements of a block, blocks; behind the last is a zero."""
    rank = len(image)
    numbers = [
        (n + pads[axis] + pads[rank + axis] - spread[axis] * (block[axis] - 1) - 1) // steps[axis] + 1
        for axis, n in enumerate(image)
    ]
    grid = np.indices([*block, *numbers]).reshape(2 * rank, -1)
    at = [grid[rank + i] * steps[i] + grid[i] * spread[i] - pads[i] for i in range(rank)]
    inside = np.all([(a >= 0) & (a < n) for a, n in zip(at, image, strict=True)], axis=0)
    source = np.flatnonzero(inside)
    pixels = np.ravel_multi_index([a[inside] for a in at], image)
    order = np.argsort(pixels, kind="stable")
    pixels, source = pixels[order], source[order]
    layer = np.arange(len(pixels)) - np.searchsorted(pixels, pixels)
    found = np.full((math.prod(image), int(layer.max(initial=0)) + 1), grid.shape[1], np.int32)
    if found.shape[1] == 1 and len(pixels) < len(found):
        found = np.full((len(found), 2), grid.shape[1], np.int32)
    found[pixels, layer] = source
    return found
