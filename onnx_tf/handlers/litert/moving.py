"""Operators that repeat data, by kernels that copy whole rows: LiteRT's own copy one element after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from onnx_tf.handlers._ranks import tiled_to
from onnx_tf.handlers.blocks import register_space_to_depth
from onnx_tf.handlers.padding import register_pad
from onnx_tf.handlers.shaping import register_expand

register_space_to_depth(tf.nn.space_to_depth, target="litert")


def mirrored(data: tf.Tensor, before: Sequence[int], after: Sequence[int]) -> tf.Tensor:
    """Return data with mirrored elements before and after each axis, each shorter than the axis."""
    for axis, (low, high) in enumerate(zip(before, after, strict=True)):
        if low or high:
            places = np.pad(np.arange(data.shape[axis], dtype=np.int32), (low, high), "reflect")
            data = tf.gather(data, places, axis=axis)
    return data


register_expand(tiled_to, target="litert")
register_pad(mirrored, target="litert")
