"""Transposed convolutions for LiteRT, whose kernel is slow and knows no groups: they are convolutions.

One of the phases of the result, or with many groups of data that is spread, with zeros in between.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from onnx_tf.handlers._phases import of_phases, steps_of
from onnx_tf.handlers._ranks import sliced
from onnx_tf.handlers._tensors import Dim, dims_of, product, reshaped, widened
from onnx_tf.handlers._windows import pad_spatial
from onnx_tf.handlers.transposed_convolution import register_conv_transpose

MAX_SPLIT = 4
"""Up to so many groups are transposed convolutions of their own, which compute with no inserted zeros."""


def form(
    x: tf.Tensor, filters: tf.Tensor, sizes: Sequence[Dim], strides: tuple[int, ...], groups: int, padding: str
) -> tf.Tensor | None:
    if groups == 1:
        return of_phases(x, filters, sizes, strides, padding)
    return _of_spread(x, filters, sizes, strides, groups, padding)


def _of_spread(
    x: tf.Tensor, filters: tf.Tensor, sizes: Sequence[Dim], strides: tuple[int, ...], groups: int, padding: str
) -> tf.Tensor | None:
    """Return the result of many groups by one convolution of the images with zeros between their elements."""
    if groups <= MAX_SPLIT and filters.shape[-2] != 1:
        return None
    batch, *dims, _ = dims_of(x)
    channels = dims_of(filters)[-1]
    steps = steps_of(x, strides)
    spread, pads = _spread(x, steps), []
    for n, k, s, size in zip(dims, dims_of(filters)[:2], steps, sizes, strict=True):
        before = k - 1 - (max(k - s, 0) // 2 if padding == "SAME" else 0)
        more = size - n * s if isinstance(size, int) and isinstance(n, int) else 0 if padding == "SAME" else k - s
        pads.append((before, more + k - 1 - before))
    ends = [slice(None) if after >= 0 else slice(0, after) for _, after in pads]
    spread = pad_spatial(sliced(spread, [slice(None), *ends]), [(before, max(after, 0)) for before, after in pads])
    own = _turned(filters, groups)

    def convolved(x: tf.Tensor, own: tf.Tensor) -> tf.Tensor:
        if own.shape[-2] != 1:
            return tf.nn.conv2d(x, own, 1, "VALID")
        *kernel, _, results = dims_of(own)
        own = reshaped(own, [*kernel, groups, results // groups])
        return tf.nn.depthwise_conv2d(x, own, [1, 1, 1, 1], "VALID")

    return widened(convolved, reshaped(spread, [batch, *dims_of(spread)[1:3], channels]), own)


def _spread(x: tf.Tensor, steps: Sequence[int]) -> tf.Tensor:
    """Return images with ``steps`` - 1 zeros after each element of an axis."""
    batch, height, width, channels = dims_of(x)
    rows, columns = steps
    if columns > 1:
        x = reshaped(x, [product([batch, height, width]), 1, channels])
        x = tf.pad(x, [[0, 0], [0, columns - 1], [0, 0]])
    if rows > 1:
        x = reshaped(x, [product([batch, height]), 1, product([width * columns, channels])])
        x = tf.pad(x, [[0, 0], [0, rows - 1], [0, 0]])
    return reshaped(x, [batch, height * rows, width * columns, channels])


def _turned(filters: tf.Tensor, groups: int) -> tf.Tensor:
    """Return filters height, width, M/group, C as those of a convolution, height, width, C/group, M, turned around."""
    *kernel, results, channels = dims_of(filters)
    own = reshaped(tf.reverse(filters, [0, 1]), [*kernel, results, groups, channels // groups])
    return reshaped(tf.transpose(own, [0, 1, 4, 3, 2]), [*kernel, channels // groups, groups * results])


register_conv_transpose(form, target="litert")
