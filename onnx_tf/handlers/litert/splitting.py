"""Split where LiteRT has no kernel: of booleans, and into parts whose sizes only the run tells."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from onnx_tf.handlers._ranks import sliced
from onnx_tf.handlers._tensors import elements_of, normalize_axis, rank_of
from onnx_tf.handlers.shaping import Sizes, register_split


def _split(x: tf.Tensor, sizes: Sizes, axis: int, count: int) -> Sequence[tf.Tensor]:
    known = elements_of(sizes, count) if isinstance(sizes, tf.Tensor) else list(sizes)
    if x.dtype != tf.bool and all(isinstance(size, int) for size in known):
        return tf.split(x, known, axis)
    before = [slice(None)] * normalize_axis(axis, rank_of(x))
    parts, start = [], 0
    for size in known:
        parts.append(sliced(x, [*before, slice(start, start + size)]))
        start += size
    return parts


register_split(_split, target="litert")
