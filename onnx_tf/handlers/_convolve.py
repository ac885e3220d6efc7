"""Convolution of channels-last data with packed filters: any rank, groups, dilations, dtype.

Every form has gradients. TensorFlow's own grouped convolution has none on CPU, and fails where grappler fuses it
with a bias: it is kept apart, and its gradient is that of a convolution per group. Its dilated one has none either,
and was measured to be no faster than space-to-batch.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import tensorflow as tf

from onnx_tf.handlers._barrier import kept, of_shape
from onnx_tf.handlers._combined import MAX_WRITTEN_OUT
from onnx_tf.handlers._ranks import strided
from onnx_tf.handlers._tensors import Dim, as_shape, dims_of, quotient, reshaped, widened
from onnx_tf.handlers._windows import Padding, Windows, is_same_padding, maximum, pad_spatial

Convolution = Callable[[tf.Tensor, tf.Tensor, Sequence[int], str], tf.Tensor]
"""(data, filters, strides, "SAME" or "VALID") -> result."""

MAX_DEPTHWISE_INPUTS = 4
"""Groups of up to this many channels are faster as a sum of convolutions per channel (``doc/layout.md``)."""


def convolve(
    x: tf.Tensor,
    filters: tf.Tensor,
    bias: tf.Tensor | None,
    w: Windows,
    groups: int,
    *,
    is_batch_of_data: bool = False,
    is_narrow: bool = False,
) -> tf.Tensor:
    """Return the convolution of N, spatial..., C data with spatial..., C/group, M filters.

    ``is_batch_of_data`` says that data may decide that there is nothing to convolve. A Reshape is needed then, which
    keeps TensorFlow from merging what follows. ``is_narrow`` says that depthwise convolutions of 16-bit floats are
    computed as such, and not as float32.
    """
    if is_batch_of_data and x.shape[0] is None:
        y = convolve(x, filters, None, w, groups, is_narrow=is_narrow)
        y = of_shape(y, [dims_of(x)[0], *w.outs, dims_of(filters)[-1]])
        return y if bias is None else tf.nn.bias_add(y, bias)
    if 0 in x.shape:
        # TensorFlow's oneDNN kernel gives the shape of its data then.
        outs = [maximum(out, 0) for out in w.outs]
        y = tf.zeros(as_shape([dims_of(x)[0], *outs, dims_of(filters)[-1]]), x.dtype)
        return y if bias is None else tf.nn.bias_add(y, bias)
    filters, w = _without_idle_taps(filters, w)
    if len(w.kernel) == 1:
        # A line is an image of height 1: TensorFlow's 1-D convolution does the same.
        flat = _with_axis(w)
        y = convolve(tf.expand_dims(x, 1), tf.expand_dims(filters, 0), bias, flat, groups, is_narrow=is_narrow)
        return tf.squeeze(y, 1)
    is_of_planes = len(w.kernel) == 3 and isinstance(w.kernel[0], int) and w.kernel[0] == 1
    if is_of_planes and groups == 1 and x.dtype.is_floating:
        return _by_planes(x, filters, bias, w)
    if len(w.kernel) == 2 or (len(w.kernel) == 3 and groups == 1 and set(w.dilations) == {1} and x.dtype.is_floating):
        y = _undilated(x, filters, w, _convolution(x, filters, groups, is_narrow))
    else:
        y = _by_slices(x, filters, w, groups)
    return y if bias is None else tf.nn.bias_add(y, bias)


def _without_idle_taps(filters: tf.Tensor, w: Windows) -> tuple[tf.Tensor, Windows]:
    """Return filters and windows without the first and last taps that meet padding alone, as of wide dilations."""
    kept, kernel, reach = [], list(w.kernel), list(w.reach)
    for axis, (n, k, s, d, (low, high), out) in enumerate(
        zip(w.dims, w.kernel, w.strides, w.dilations, w.reach, w.outs, strict=True)
    ):
        kept.append(slice(None))
        if d == 1 or not all(isinstance(value, int) for value in (n, k, low, high, out)):
            continue
        busy = [tap for tap in range(k) if tap * d - low < n and tap * d - low + (out - 1) * s >= 0]
        if not busy or low < busy[0] * d or high < (k - 1 - busy[-1]) * d:
            continue
        kept[-1] = slice(busy[0], busy[-1] + 1)
        kernel[axis], reach[axis] = busy[-1] + 1 - busy[0], (low - busy[0] * d, high - (k - 1 - busy[-1]) * d)
    if kernel == list(w.kernel):
        return filters, w
    dilations = tuple(1 if k == 1 else d for k, d in zip(kernel, w.dilations, strict=True))
    return filters[tuple(kept)], replace(w, kernel=tuple(kernel), dilations=dilations, reach=tuple(reach))


def _by_planes(x: tf.Tensor, filters: tf.Tensor, bias: tf.Tensor | None, w: Windows) -> tf.Tensor:
    """Convolve a volume by windows of one plane: its planes are images."""
    x = strided(pad_spatial(x, [w.reach[0], (0, 0), (0, 0)]), 1, 0, w.strides[0], w.outs[0])
    batch, planes, *rest = dims_of(x)
    y = convolve(reshaped(x, [batch * planes, *rest]), tf.squeeze(filters, 0), bias, w.of_planes(), 1)
    return reshaped(y, [batch, planes, *dims_of(y)[1:]])


def _with_axis(w: Windows) -> Windows:
    """Return the windows with a spatial axis of one element before the others."""
    (s,) = w.strides
    return Windows(
        dims=(1, *w.dims),
        kernel=(1, *w.kernel),
        strides=(s, s),  # depthwise kernels want the same stride on both axes
        dilations=(1, *w.dilations),
        pads=((0, 0), *w.pads),
        reach=((0, 0), *w.reach),
        outs=(1, *w.outs),
    )


def _convolution(x: tf.Tensor, filters: tf.Tensor, groups: int, is_narrow: bool) -> Convolution:
    """Return the kernel for data N, spatial..., C and filters spatial..., C/group, M."""
    if len(filters.shape) == 5:
        return lambda x, f, strides, padding: tf.nn.conv3d(x, f, [1, *strides, 1], padding)
    if groups == 1:
        return lambda x, f, strides, padding: tf.nn.conv2d(x, f, strides, padding)
    if filters.shape[-2] == 1:
        return _narrow_depthwise if is_narrow else _depthwise
    if filters.shape[-2] in range(1, MAX_DEPTHWISE_INPUTS + 1) and x.dtype.is_floating:
        return _sum_of_depthwise
    return functools.partial(_grouped if x.dtype.is_floating else _per_group, groups)


def _per_group(groups: int, x: tf.Tensor, filters: tf.Tensor, strides: Sequence[int], padding: str) -> tf.Tensor:
    parts = zip(tf.split(x, groups, -1), tf.split(filters, groups, -1), strict=True)
    return tf.concat([tf.nn.conv2d(part, own, strides, padding) for part, own in parts], -1)


def _grouped(groups: int, x: tf.Tensor, filters: tf.Tensor, strides: Sequence[int], padding: str) -> tf.Tensor:
    @tf.custom_gradient
    def convolved(x: tf.Tensor, filters: tf.Tensor) -> tuple[tf.Tensor, Callable[..., list[tf.Tensor]]]:
        def gradient(upstream: tf.Tensor) -> list[tf.Tensor]:
            with tf.GradientTape() as tape:
                tape.watch([x, filters])
                y = _per_group(groups, x, filters, strides, padding)
            return tape.gradient(y, [x, filters], upstream)

        return kept(tf.nn.conv2d(x, filters, strides, padding)), gradient

    return convolved(x, tf.convert_to_tensor(filters))


def _depthwise(x: tf.Tensor, filters: tf.Tensor, strides: Sequence[int], padding: str) -> tf.Tensor:
    """Convolve each channel of N, height, width, C by its own filters height, width, 1, M."""
    own = _by_channel(x, filters)
    if x.dtype.is_integer:
        # The products of 32-bit integers need more than float64 in the worst case, those of quantised data never.
        return tf.cast(_depthwise(tf.cast(x, tf.float64), tf.cast(own, tf.float64), strides, padding), x.dtype)
    return widened(lambda x, f: tf.nn.depthwise_conv2d(x, f, [1, *strides, 1], padding), x, own)


def _narrow_depthwise(x: tf.Tensor, filters: tf.Tensor, strides: Sequence[int], padding: str) -> tf.Tensor:
    """Do likewise for floats of 16 bits, in which TensorFlow's own kernel, oneDNN's not, rounds each sum."""
    return tf.nn.depthwise_conv2d(x, _by_channel(x, filters), [1, *strides, 1], padding)


def _by_channel(x: tf.Tensor, filters: tf.Tensor) -> tf.Tensor:
    """Return filters height, width, 1, C * M as height, width, C, M."""
    *kernel, _, results = dims_of(filters)
    channels = x.shape[-1] or tf.shape(x, tf.int64)[-1]
    return reshaped(filters, [*kernel, channels, quotient(results, channels)])


def _sum_of_depthwise(x: tf.Tensor, filters: tf.Tensor, strides: Sequence[int], padding: str) -> tf.Tensor:
    """Convolve the first channels of all groups, then the second, ..., and add up what they give."""
    size = filters.shape[-2]
    *outer, channels = dims_of(x)

    def convolved(x: tf.Tensor, filters: tf.Tensor) -> tf.Tensor:
        grouped = reshaped(x, [*outer, quotient(channels, size), size])
        parts = [_depthwise(grouped[..., i], filters[:, :, i : i + 1], strides, padding) for i in range(size)]
        return functools.reduce(tf.add, parts)

    return widened(convolved, x, filters)


def _undilated(x: tf.Tensor, filters: tf.Tensor, w: Windows, convolution: Convolution) -> tf.Tensor:
    """Convolve by a kernel that knows no dilation, and no unequal strides if it is depthwise."""
    if set(w.dilations) == {1}:
        strides = w.strides
        is_depthwise = convolution in (_depthwise, _narrow_depthwise, _sum_of_depthwise)
        if is_depthwise:
            strides = (math.gcd(*w.strides),) * len(w.strides)
        if strides == w.strides and is_same_padding(w):
            return convolution(x, filters, strides, "SAME")
        # Not TensorFlow's explicit padding: its fused depthwise kernel ends the process there under oneDNN.
        y = convolution(pad_spatial(x, w.reach), filters, strides, "VALID")
    else:
        strides = (1,) * len(w.strides)
        y = _dilated(x, filters, w, convolution)
    for axis, (s, own) in enumerate(zip(w.strides, strides, strict=True), start=1):
        y = strided(y, axis, 0, s // own, w.outs[axis - 1]) if s > own else y
    return y


def _dilated(x: tf.Tensor, filters: tf.Tensor, w: Windows, convolution: Convolution) -> tf.Tensor:
    """Convolve with stride 1: elements a dilation apart become images of their own."""
    surplus: list[Dim] = [
        0 if d == 1 else -(n + before + after) % d
        for n, d, (before, after) in zip(w.dims, w.dilations, w.reach, strict=True)
    ]
    padding = [(before, after + more) for (before, after), more in zip(w.reach, surplus, strict=True)]
    y = tf.space_to_batch(x, list(w.dilations), _pairs(padding))
    y = convolution(y, filters, (1,) * len(w.dilations), "VALID")
    y = tf.batch_to_space(y, list(w.dilations), _pairs([(0, more) for more in surplus]))
    if all(isinstance(n, int) for n in surplus):
        return y
    # TensorFlow takes all dimensions that batch_to_space leaves open for one: once it learns one of them, it computes
    # with that for the others, as far as the shape of x. A Reshape has dimensions of its own, and copies nothing.
    rooms = [n + b + a - e + 1 for n, (b, a), e in zip(w.dims, w.reach, w.extents, strict=True)]
    return reshaped(y, [dims_of(x)[0], *rooms, dims_of(filters)[-1]])


def _pairs(padding: Sequence[Padding]) -> tf.Tensor:
    """Return paddings as a tensor [axes, 2]."""
    if all(isinstance(n, int) for pair in padding for n in pair):
        # TensorFlow's constant folding loses a Squeeze after BatchToSpaceND where a Reshape gives the crops.
        return tf.constant(padding)
    return tf.reshape(as_shape([n for pair in padding for n in pair]), [len(padding), 2])


def _by_slices(x: tf.Tensor, filters: tf.Tensor, w: Windows, groups: int) -> tf.Tensor:
    """Convolve along the first spatial axis slice by slice, each by a convolution of one rank less."""
    x = pad_spatial(x, [w.reach[0], *[(0, 0)] * (len(w.kernel) - 1)])
    inner = w.of_planes()
    step, stride, out = w.dilations[0], w.strides[0], w.outs[0]
    batch, _, *rest = dims_of(x)

    def of_tap(tap: Dim) -> tf.Tensor:
        part = strided(x, 1, tap * step, stride, out)
        return convolve(reshaped(part, [batch * out, *rest]), filters[tap], None, inner, groups)

    taps = w.kernel[0]
    if isinstance(taps, int) and taps <= MAX_WRITTEN_OUT:
        total = functools.reduce(tf.add, map(of_tap, range(taps)))
    else:
        start = tf.zeros(as_shape([batch * out, *inner.outs, dims_of(filters)[-1]]), x.dtype)
        shapes = (tf.TensorShape([]), tf.TensorShape([None] * len(start.shape)))
        _, total = tf.while_loop(
            lambda tap, _: tap < taps,
            lambda tap, total: (tap + 1, total + of_tap(tap)),
            (tf.zeros([], tf.int64), start),
            shape_invariants=shapes,
        )
    return reshaped(total, [batch, out, *dims_of(total)[1:]])
