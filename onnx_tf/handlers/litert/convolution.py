"""Convolutions for LiteRT, whose kernels know groups, dilations and unequal strides, whatever is open."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers import _convolve
from onnx_tf.handlers._tensors import dims_of, quotient, reshaped, widened
from onnx_tf.handlers._windows import Windows, is_same_padding, is_static, pad_spatial
from onnx_tf.handlers.convolution import register_conv

WIDENED = (tf.float32, tf.float16, tf.bfloat16)
"""Dtypes that LiteRT convolves in, as float32."""


def conv(
    x: tf.Tensor, w: tf.Tensor, b: tf.Tensor | None, place: Windows, group: int, auto_pad: str, _: bool
) -> tf.Tensor:
    if x.dtype not in WIDENED or 0 in x.shape or len(place.kernel) > 3:
        return _convolve.convolve(x, w, b, place, group)
    is_same = auto_pad == "SAME_UPPER" or is_same_padding(place)
    return widened(lambda x, w, b: convolve(x, w, b, place, group, is_same), x, w, b)


def convolve(
    x: tf.Tensor, filters: tf.Tensor, bias: tf.Tensor | None, w: Windows, groups: int, is_same: bool
) -> tf.Tensor:
    """Return the convolution of N, 1 to 3 spatial axes, C data with spatial..., C/group, M filters, in float32.

    ``is_same`` tells that the windows are those of TensorFlow's SAME.
    """
    if len(w.kernel) == 1:
        y = convolve(tf.expand_dims(x, 1), tf.expand_dims(filters, 0), bias, _of_height_1(w), groups, is_same)
        return tf.squeeze(y, 1)
    if len(w.kernel) == 3:
        return _volume(x, filters, bias, w, groups, is_same)
    return _flat(x, filters, bias, w, groups, is_same)


def _flat(
    x: tf.Tensor, filters: tf.Tensor, bias: tf.Tensor | None, w: Windows, groups: int, is_same: bool
) -> tf.Tensor:
    padding = "SAME" if is_same else "VALID"
    x = _of_known_channels(x if is_same else pad_spatial(x, w.reach), filters, groups, is_same or is_static(w.reach))
    strides, dilations = [1, *w.strides, 1], [1, *w.dilations, 1]
    if groups > 1 and filters.shape[-2] == 1:
        own = reshaped(filters, [*w.kernel, groups, quotient(dims_of(filters)[-1], groups)])
        # Not tf.nn.depthwise_conv2d, which computes dilations by SpaceToBatchND.
        y = tf.raw_ops.DepthwiseConv2dNative(input=x, filter=own, strides=strides, padding=padding, dilations=dilations)
    else:
        y = tf.nn.conv2d(x, filters, strides, padding, dilations=dilations)
    return y if bias is None else tf.nn.bias_add(y, bias)


def _of_known_channels(x: tf.Tensor, filters: tf.Tensor, groups: int, is_known: bool) -> tf.Tensor:
    """Return data whose number of channels is the one that the filters tell: the converter needs it.

    It is known where the data has it and no pads that are open were added, after which the converter knows nothing.
    """
    if (is_known and x.shape[-1] is not None) or filters.shape[-2] is None:
        return x
    return reshaped(x, [*dims_of(x)[:-1], filters.shape[-2] * groups])


def _of_height_1(w: Windows) -> Windows:
    """Return the windows along a line as those over an image of height 1."""
    ones, none = (1,), ((0, 0),)
    return Windows(
        ones + w.dims,
        ones + w.kernel,
        ones + w.strides,
        ones + w.dilations,
        none + w.pads,
        none + w.reach,
        ones + w.outs,
    )


def _volume(
    x: tf.Tensor, filters: tf.Tensor, bias: tf.Tensor | None, w: Windows, groups: int, is_same: bool
) -> tf.Tensor:
    """Return the sum of what each plane of the filters gives of the planes of the data.

    The kernel over three axes takes longer, and knows no groups. XNNPACK pads an image for nothing where a convolution
    alone takes it: each plane pads its own.
    """
    batch, _, *image, channels = dims_of(x)
    x = pad_spatial(x, [w.reach[0], *[(0, 0)] * 2])
    size, stride = (w.outs[0] - 1) * w.strides[0] + 1, w.strides[0]
    total = None
    for plane in range(w.kernel[0]):
        start = plane * w.dilations[0]
        images = reshaped(x[:, start : start + size : stride], [batch * w.outs[0], *image, channels])
        y = _flat(images, filters[plane], bias if total is None else None, w.of_planes(), groups, is_same)
        total = y if total is None else total + y
    return reshaped(total, [batch, w.outs[0], *dims_of(total)[1:]])


register_conv(conv, target="litert")
