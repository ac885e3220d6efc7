"""The maxima of windows and where they are."""

from __future__ import annotations

import itertools
import math

import tensorflow as tf

from onnx_tf.handlers._ranks import broadcast_to, select, sliced
from onnx_tf.handlers._tensors import as_shape, dims_of, reshaped
from onnx_tf.handlers._windows import Windows, pad_spatial


def lowest(dtype: tf.DType) -> tf.Tensor:
    """Return what is no maximum beside any other number."""
    return tf.constant(dtype.min if dtype.is_integer else -math.inf, dtype)


def max_pool_with_indices(x: tf.Tensor, w: Windows, storage_order: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the maxima and where they are in the data in ONNX order, N, C, spatial...."""
    values = _elements(pad_spatial(x, w.reach, lowest(x.dtype)), w)
    places = _elements(pad_spatial(_flat_indices(x, storage_order), w.reach, -1), w)
    best, where = values[0], broadcast_to(places[0], dims_of(values[0]))
    for value, place in zip(values[1:], places[1:], strict=True):
        better = (value > best) | ((where < 0) & (place >= 0)) | ((value != value) & (best == best))
        best, where = select(better, value, best), select(better, place, where)
    return best, where


def _flat_indices(x: tf.Tensor, storage_order: int) -> tf.Tensor:
    """Return for each element of channels-last data its flat index in N, C, spatial... order."""
    batch, *spatial, channels = dims_of(x)
    inner = as_shape(spatial if storage_order == 0 else spatial[::-1])
    plane = tf.reshape(tf.range(tf.reduce_prod(inner)), inner)
    if storage_order:
        plane = tf.transpose(plane)
    images = tf.range(batch * channels, dtype=tf.int64) * tf.reduce_prod(inner)
    images = reshaped(images, [batch, *[1] * len(spatial), channels])
    # Not by a slice with new axes: of open dimensions LiteRT has none.
    return images + tf.expand_dims(tf.expand_dims(plane, 0), -1)


def _elements(padded: tf.Tensor, w: Windows) -> list[tf.Tensor]:
    """Return for each element of the window, in order, the data of all windows at that element."""
    return [
        sliced(
            padded,
            [
                slice(None),
                *[
                    slice(t * d, t * d + (out - 1) * s + 1, s)
                    for t, d, s, out in zip(place, w.dilations, w.strides, w.outs, strict=True)
                ],
            ],
        )
        for place in itertools.product(*map(range, w.kernel))
    ]
