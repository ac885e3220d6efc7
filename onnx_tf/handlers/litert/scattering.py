"""Scattering that multiplies or keeps the extreme: by segments, of which LiteRT has kernels for 32-bit places."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from onnx_tf.handlers._ranks import select
from onnx_tf.handlers._tensors import dims_of, reshaped
from onnx_tf.handlers.scattering import REDUCTIONS, Rows, register_scatter


def _by_segments(segments: Callable[..., tf.Tensor], combined: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> Rows:
    def write(data: tf.Tensor, positions: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        count, *kept = dims_of(data)
        places, count = tf.cast(positions, tf.int32), tf.cast(count, tf.int32)
        found = combined(data, segments(rows, places, count))
        # What no row is written to stays, also where it is an infinity.
        written = tf.math.unsorted_segment_sum(tf.ones_like(places), places, count) > 0
        return select(reshaped(written, [dims_of(data)[0], *[1] * len(kept)]), found, data)

    return write


register_scatter(
    REDUCTIONS
    | {
        "mul": _by_segments(tf.math.unsorted_segment_prod, tf.multiply),
        "max": _by_segments(tf.math.unsorted_segment_max, tf.maximum),
        "min": _by_segments(tf.math.unsorted_segment_min, tf.minimum),
    },
    target="litert",
)
