"""Transposed convolutions as convolutions: the numbers of a row that come a stride apart, a phase of it.

Subpixel convolution: Shi et al. 2016, https://arxiv.org/abs/1609.07009.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from onnx_tf.handlers._ranks import sliced
from onnx_tf.handlers._tensors import Dim, dims_of, product, reshaped, widened
from onnx_tf.handlers._windows import pad_spatial


def of_phases(
    x: tf.Tensor, filters: tf.Tensor, sizes: Sequence[Dim], strides: tuple[int, ...], padding: str
) -> tf.Tensor | None:
    """Return the result as the phases of rows and columns, each a convolution, laid side by side.

    Args:
        x: images N, height, width, C.
        filters: height, width, M, C.
        sizes: height and width of the result.
        strides: the steps between the places of the filters in the result.
        padding: ``"SAME"`` or ``"VALID"``.

    Returns:
        The result N, height, width, M; ``None`` where it has no such form.
    """
    steps, kernel = steps_of(x, strides), filters.shape[:2]
    is_known = None not in kernel and x.dtype.is_floating and 0 not in x.shape
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


def steps_of(x: tf.Tensor, strides: Sequence[int]) -> tuple[int, ...]:
    """Return the strides, 1 along an axis of one element, which has none."""
    return tuple(1 if n == 1 else s for n, s in zip(x.shape[1:-1], strides, strict=True))
