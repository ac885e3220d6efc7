"""Transposed convolutions for LiteRT, whose kernel is slow and knows no groups: they are convolutions.

The numbers of a row that come a stride apart, a phase of it, are a convolution of the data (subpixel convolution: Shi
et al. 2016, https://arxiv.org/abs/1609.07009). With many groups the data is spread, with zeros in between.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from onnx_tf.handlers._ranks import sliced
from onnx_tf.handlers._tensors import Dim, dims_of, product, reshaped, widened
from onnx_tf.handlers._windows import pad_spatial
from onnx_tf.handlers.transposed_convolution import register_conv_transpose

MAX_SPLIT = 4
"""Up to so many groups are transposed convolutions of their own, which compute with no inserted zeros."""


def form(
    x: tf.Tensor, filters: tf.Tensor, sizes: Sequence[Dim], strides: tuple[int, ...], groups: int, padding: str
) -> tf.Tensor | None:
    compute = _of_phases if groups == 1 else _of_spread
    return compute(x, filters, sizes, strides, groups, padding)


def _of_phases(
    x: tf.Tensor, filters: tf.Tensor, sizes: Sequence[Dim], strides: tuple[int, ...], groups: int, padding: str
) -> tf.Tensor | None:
    """Return the result as the phases of rows and columns, each a convolution, laid side by side."""
    steps, kernel = _steps(x, strides), filters.shape[:2]
    is_known = None not in kernel and groups == 1 and x.dtype.is_floating and 0 not in x.shape
    if not is_known or steps[0] not in (1, steps[1]) or any(k < s for k, s in zip(kernel, steps, strict=True)):
        return None
    if x.shape[-1] is None:  # the converter needs it
        x = reshaped(x, [*dims_of(x)[:-1], dims_of(filters)[-1]])
    taps = tuple(-(-k // s) for k, s in zip(kernel, steps, strict=True))
    are_alike = all(k % s == 0 for k, s in zip(kernel, steps, strict=True))
    phases = (_together if are_alike else _one_by_one)(x, filters, steps, taps)
    y = tf.nn.depth_to_space(phases, steps[0]) if steps[0] > 1 else phases
    if steps[0] < steps[1]:
        batch, height, width, _ = dims_of(phases)
        y = reshaped(phases, [batch, height, width * steps[1], dims_of(filters)[2]])
    cut = padding == "SAME"
    starts = [max(k - s, 0) // 2 if cut else 0 for k, s in zip(kernel, steps, strict=True)]
    return sliced(y, [slice(None), *(slice(start, start + n) for start, n in zip(starts, sizes, strict=True))])


def _together(x: tf.Tensor, filters: tf.Tensor, steps: tuple[int, ...], taps: tuple[int, ...]) -> tf.Tensor:
    """Return all phases as the channels of one convolution: they have equally many taps."""
    *_, results, channels = dims_of(filters)
    blocks = reshaped(filters, [taps[0], steps[0], taps[1], steps[1], results, channels])
    turned = tf.reverse(tf.reverse(blocks, [0]), [2])  # the kernel reverses no axes that lie apart
    own = tf.transpose(turned, [0, 2, 5, 1, 3, 4])
    own = reshaped(own, [*taps, channels, product(steps) * results])
    padded = pad_spatial(x, [(tap - 1, tap - 1) for tap in taps])
    return widened(lambda x, own: tf.nn.conv2d(x, own, 1, "VALID"), padded, own)


def _one_by_one(x: tf.Tensor, filters: tf.Tensor, steps: tuple[int, ...], taps: tuple[int, ...]) -> tf.Tensor:
    """Return phases of unequal taps, each a convolution of its own: more taps of 0 would make NaN of infinities."""

    def phase(row: int, column: int) -> tf.Tensor:
        own = tf.reverse(filters[row :: steps[0], column :: steps[1]], [0, 1])
        padded = pad_spatial(x, [(k - 1, tap - 1) for k, tap in zip(own.shape[:2], taps, strict=True)])
        return widened(lambda x, own: tf.nn.conv2d(x, tf.transpose(own, [0, 1, 3, 2]), 1, "VALID"), padded, own)

    return tf.concat([phase(row, column) for row in range(steps[0]) for column in range(steps[1])], -1)


def _steps(x: tf.Tensor, strides: Sequence[int]) -> tuple[int, ...]:
    """Return the strides, 1 along an axis of one element, which has none."""
    return tuple(1 if n == 1 else s for n, s in zip(x.shape[1:-1], strides, strict=True))


def _of_spread(
    x: tf.Tensor, filters: tf.Tensor, sizes: Sequence[Dim], strides: tuple[int, ...], groups: int, padding: str
) -> tf.Tensor | None:
    """Return the result of many groups by one convolution of the images with zeros between their elements."""
    if groups <= MAX_SPLIT and filters.shape[-2] != 1:
        return None
    batch, *dims, _ = dims_of(x)
    channels = dims_of(filters)[-1]
    steps = _steps(x, strides)
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
