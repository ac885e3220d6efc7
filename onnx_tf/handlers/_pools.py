"""The forms of pools over windows: kernels, or slices that are combined, by the shape of the data."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from onnx_tf.handlers._combined import combined
from onnx_tf.handlers._pooled_indices import lowest
from onnx_tf.handlers._tensors import Dim, as_shape, dims_of, product, reshaped, widened
from onnx_tf.handlers._windows import Windows, is_same_padding, maximum, pad_spatial, within_data
from onnx_tf.registry import NodeContext

MIN_POOLED_CHANNELS = 8
"""From this many on, a kernel, which computes channel by channel, is faster than slices (``python -m bench.forms``)."""

MIN_POOLED_BY_PLANE = 32
"""Volumes of fewer channels are faster one axis after the other, all that follows an axis being the channels."""

MIN_SEPARATE_KERNEL = 5
"""Windows at least this wide are faster one axis after the other (``python -m bench.forms``)."""


@dataclass(frozen=True)
class Choice:
    """Which pools are computed without a kernel, or axis by axis: what the kernels of a target are not good at.

    Attributes:
        has_sliced_maxima: whether maxima of data and windows are those of slices.
        has_sliced_means: likewise means.
        min_by_plane: volumes of fewer channels are pooled axis by axis.
    """

    has_sliced_maxima: Callable[[tf.Tensor, Windows], bool]
    has_sliced_means: Callable[[tf.Tensor, Windows], bool]
    min_by_plane: int


def max_pool(x: tf.Tensor, w: Windows, context: NodeContext, choice: Choice) -> tf.Tensor:
    """Return the maximum of each window, N, windows..., C."""
    if is_nothing(x, w):
        return of_nothing(x, w, lowest(x.dtype))
    w = within_data(w)
    has_kernel = _has_kernel(x, w) and not choice.has_sliced_maxima(x, w)
    by_kernel = _max_pool_of_finite if context.bounded_below[0] or not x.dtype.is_floating else _max_pool_of_any
    if has_kernel and is_same_padding(w):
        return by_kernel(x, w, "SAME", choice)
    # Not TensorFlow's explicit padding, which LiteRT does not take.
    padded = pad_spatial(x, w.reach, _padding(x, w, context))
    return by_kernel(padded, w, "VALID", choice) if has_kernel else _by_axis(padded, w, tf.maximum)


def is_nothing(x: tf.Tensor, w: Windows) -> bool:
    """Return whether there are no elements or no windows."""
    return 0 in x.shape or any(isinstance(out, int) and out == 0 for out in w.outs)


def of_nothing(x: tf.Tensor, w: Windows, value: float | tf.Tensor) -> tf.Tensor:
    """Return windows over data without elements, or no windows: TensorFlow's kernels refuse both."""
    batch, *_, channels = dims_of(x)
    return tf.fill(as_shape([batch, *[maximum(out, 0) for out in w.outs], channels]), value)


def _has_few_channels(x: tf.Tensor, w: Windows) -> bool:
    """Return whether there are fewer channels than a kernel of channels-last data has use for."""
    return x.shape[-1] in range(1, MIN_POOLED_CHANNELS)


def _is_faster_by_slices(x: tf.Tensor, w: Windows) -> bool:
    """Return whether channels are few, or not many in windows that do not overlap."""
    is_apart = w.kernel == w.strides and len(w.kernel) > 1
    return _has_few_channels(x, w) or (is_apart and x.shape[-1] in range(1, MIN_POOLED_BY_PLANE))


def _is_faster_by_slices_in_litert(x: tf.Tensor, w: Windows) -> bool:
    return len(w.kernel) > 1 and set(w.strides) == {1} and _has_few_channels(x, w)


TENSORFLOW = Choice(_is_faster_by_slices, _has_few_channels, MIN_POOLED_BY_PLANE)
LITERT = Choice(_is_faster_by_slices_in_litert, lambda *_: False, 0)


def _max_pool_of_any(x: tf.Tensor, w: Windows, padding: str, choice: Choice) -> tf.Tensor:
    # The kernel starts from the lowest finite number, which twice over is the -inf of a window of no more.
    return 2 * _max_pool_of_finite(x * tf.constant(0.5, x.dtype), w, padding, choice)


def _max_pool_of_finite(x: tf.Tensor, w: Windows, padding: str, choice: Choice) -> tf.Tensor:
    """Return the maximum of each window by TensorFlow's kernel, of wide windows one axis after the other."""
    if len(w.kernel) == 2 and min(w.kernel) >= MIN_SEPARATE_KERNEL:
        x = tf.nn.max_pool2d(x, (w.kernel[0], 1), (w.strides[0], 1), padding)
        return tf.nn.max_pool2d(x, (1, w.kernel[1]), (1, w.strides[1]), padding)
    return _by_kernel(x, w, tf.nn.max_pool, padding, choice)


def _padding(x: tf.Tensor, w: Windows, context: NodeContext) -> float | tf.Tensor:
    """Return what never is the maximum of a window: where it is known the least number of the data itself.

    One that the data never reaches would be a part of the range that quantisation finds.
    """
    if not context.bounded_below[0] or not x.dtype.is_floating or set(w.dilations) != {1}:
        return lowest(x.dtype)
    return context.lower_bounds[0]


def average_pool(x: tf.Tensor, w: Windows, count_include_pad: int, choice: Choice) -> tf.Tensor:
    """Return the mean of each window, N, windows..., C."""
    has_kernel = _has_kernel(x, w) and not choice.has_sliced_means(x, w)
    if not count_include_pad and is_same_padding(w) and has_kernel and 0 not in x.shape:
        # TensorFlow's SAME leaves the padding out of the count.
        return widened(lambda x: _by_kernel(x, w, tf.nn.avg_pool, "SAME", choice), x)
    inside = within_data(w)
    total = math.prod(inside.kernel)
    mean = widened(lambda x: _pool_mean(x, inside, choice), x)
    counted = w.pads if count_include_pad else ((0, 0),) * len(w.pads)
    if inside.kernel == w.kernel and all(map(_is_equal, itertools.chain(*w.reach), itertools.chain(*counted))):
        return mean
    wide = tf.float64 if x.dtype == tf.float64 else tf.float32
    return mean * tf.cast(total / _counts(w, count_include_pad, wide), x.dtype)


def _is_equal(a: Dim, b: Dim) -> bool:
    """Return whether two dimensions are known to be equal."""
    return a is b or (isinstance(a, int) and isinstance(b, int) and a == b)


def _counts(w: Windows, count_include_pad: int, dtype: tf.DType) -> tf.Tensor:
    """Return how many elements each window averages, [1, spatial..., 1]."""
    counts = tf.ones([1] * (len(w.dims) + 2), dtype)
    for i, (n, s, d, (before, after), out) in enumerate(
        zip(w.dims, w.strides, w.dilations, w.pads, w.outs, strict=True)
    ):
        starts = tf.range(out, dtype=tf.int64) * s - before
        low, high = (-before, n + after) if count_include_pad else (0, n)
        if d == 1:
            first, last = tf.maximum(starts, low), tf.minimum(starts + w.kernel[i], high)
            inside = tf.cast(tf.maximum(last - first, 0), dtype)
        else:
            places = tf.expand_dims(starts, 1) + tf.range(w.kernel[i], dtype=tf.int64) * d
            inside = tf.reduce_sum(tf.cast((places >= low) & (places < high), dtype), 1)
        counts *= tf.reshape(inside, [1] * (i + 1) + [-1] + [1] * (len(w.dims) - i))
    return counts


def lp_pool(x: tf.Tensor, w: Windows, p: float, choice: Choice) -> tf.Tensor:
    """Return the p-norm of each window, N, windows..., C."""
    w = within_data(w)
    return widened(lambda x: root(_pool_mean(power(x, p), w, choice) * math.prod(w.kernel), p), x)


def power(x: tf.Tensor, p: float) -> tf.Tensor:
    """Return the magnitude to the power of p."""
    return tf.square(x) if p == 2 else tf.abs(x) if p == 1 else tf.pow(tf.abs(x), tf.cast(p, x.dtype))


def root(x: tf.Tensor, p: float) -> tf.Tensor:
    """Return the p-th root."""
    return tf.sqrt(x) if p == 2 else x if p == 1 else tf.pow(x, tf.cast(1 / p, x.dtype))


def _pool_mean(x: tf.Tensor, w: Windows, choice: Choice) -> tf.Tensor:
    """Return the mean over each window, its padding counted as zeros."""
    if is_nothing(x, w):
        return of_nothing(x, w, tf.zeros([], x.dtype))
    padded = pad_spatial(x, w.reach)
    if not _has_kernel(x, w):
        return _by_axis(padded, w, tf.add) / math.prod(w.kernel)
    if not choice.has_sliced_means(x, w):
        return _by_kernel(padded, w, tf.nn.avg_pool, "VALID", choice)
    for axis, (k, s) in enumerate(zip(w.kernel[:-1], w.strides[:-1], strict=True), start=1):
        padded = _along(padded, axis, k, s, tf.nn.avg_pool, "VALID")
    (*_, k), (*_, s) = w.kernel, w.strides
    return combined(padded, len(w.kernel), k, 1, s, w.outs[-1], tf.add) / k


def _has_kernel(x: tf.Tensor, w: Windows) -> bool:
    """Return whether TensorFlow has a pool for these windows."""
    return (
        len(w.kernel) <= 3 and set(w.dilations) == {1} and all(s <= k for s, k in zip(w.strides, w.kernel, strict=True))
    )


def _by_kernel(x: tf.Tensor, w: Windows, kernel: Callable[..., tf.Tensor], padding: str, choice: Choice) -> tf.Tensor:
    """Apply one of TensorFlow's pools over images: a line is given an axis, a volume is pooled part by part."""
    if len(w.kernel) == 1:
        return tf.squeeze(kernel(tf.expand_dims(x, 1), (1, *w.kernel), (1, *w.strides), padding), 1)
    if len(w.kernel) == 2:
        return kernel(x, w.kernel, w.strides, padding)
    if x.shape[-1] in range(1, choice.min_by_plane):
        for axis, (k, s) in enumerate(zip(w.kernel, w.strides, strict=True), start=1):
            x = _along(x, axis, k, s, kernel, padding)
        return x
    batch, depth, *plane, channels = dims_of(x)
    x = reshaped(x, [product([batch, depth]), *plane, channels])
    x = kernel(x, w.kernel[1:], w.strides[1:], padding)
    rest = dims_of(x)[1:3]
    return _along(reshaped(x, [batch, depth, *rest, channels]), 1, w.kernel[0], w.strides[0], kernel, padding)


def _along(
    x: tf.Tensor, axis: int, size: int, stride: int, kernel: Callable[..., tf.Tensor], padding: str
) -> tf.Tensor:
    """Apply one of TensorFlow's pools over images along an axis: what follows it are the channels."""
    if size == stride == 1:
        return x
    dims = dims_of(x)
    x = reshaped(x, [product(dims[:axis]), dims[axis], 1, product(dims[axis + 1 :])])
    x = kernel(x, (size, 1), (stride, 1), padding)
    return reshaped(x, [*dims[:axis], dims_of(x)[1], *dims[axis + 1 :]])


def _by_axis(padded: tf.Tensor, w: Windows, combine: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> tf.Tensor:
    """Combine the elements of each window, one axis after the other."""
    for axis, (k, d, s, out) in enumerate(zip(w.kernel, w.dilations, w.strides, w.outs, strict=True), start=1):
        padded = combined(padded, axis, k, d, s, out, combine)
    return padded
