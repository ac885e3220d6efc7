"""Combine the elements of windows along an axis, in operations that do not grow with the windows."""

from __future__ import annotations

import functools
from collections.abc import Callable

import tensorflow as tf

from onnx_tf.handlers._ranks import sliced, strided
from onnx_tf.handlers._tensors import Dim

__all__ = ["MAX_WRITTEN_OUT", "combined"]

MAX_WRITTEN_OUT = 32
"""Windows of up to this many elements are written out, one operation for each; those of larger ones double."""


def combined(
    x: tf.Tensor,
    axis: int,
    size: int,
    dilation: int,
    stride: int,
    count: Dim,
    combine: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
) -> tf.Tensor:
    """Return the elements of each window combined, by what does not ask for their order.

    Args:
        x: the data, padded.
        axis: along which the windows lie, from 0 on.
        size: the number of elements in a window.
        dilation: the step between them.
        stride: the step between windows.
        count: the number of windows.
        combine: combines two tensors of one shape, element by element.
    """
    if size > stride > 1 and dilation == 1 and _has_windows(x, axis, size, stride, count):
        # To select every so many once takes less than to do it for each element, whatever windows are left out.
        return strided(combined(x, axis, size, 1, 1, count * stride, combine), axis, 0, stride, count)
    if size <= MAX_WRITTEN_OUT:
        return functools.reduce(combine, [strided(x, axis, t * dilation, stride, count) for t in range(size)])
    every = [slice(None)] * axis
    result, done, power, left = None, 0, 1, size
    while True:  # x holds windows of `power` elements each
        if left & 1:
            part = strided(x, axis, done * dilation, stride, count)
            result = part if result is None else combine(result, part)
            done += power
        left >>= 1
        if not left:
            return result
        step = power * dilation
        x = combine(sliced(x, [*every, slice(None, -step)]), sliced(x, [*every, slice(step, None)]))
        power *= 2


def _has_windows(x: tf.Tensor, axis: int, size: int, stride: int, count: Dim) -> bool:
    """Return whether the axis is known to have ``count`` times ``stride`` windows of stride 1."""
    dim = x.shape[axis]
    return dim is not None and isinstance(count, int) and count * stride + size - 1 <= dim
