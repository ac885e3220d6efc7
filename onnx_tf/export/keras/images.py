"""Padding, resizing and rearranging images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import layers, ops

from onnx_tf.export.keras._place import Place, constant, keras_op, static


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
    height, width, channels = static(place, x, [1, 2, 3])
    s, depth = blocksize, channels // blocksize**2
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
