"""Convolutions of quantised data."""

from __future__ import annotations

import math

import tensorflow as tf

from onnx_tf.handlers._cast import onnx_dtype
from onnx_tf.handlers._convolve import convolve
from onnx_tf.handlers._layout import channels_last_op
from onnx_tf.handlers._quantized import centred, exact_product, limit_of, requantize, static_centred
from onnx_tf.handlers._windows import windows
from onnx_tf.handlers.convolution import kernel_of


@channels_last_op("ConvInteger", since=10, filters=(1,))
def conv_integer(
    x, w, x_zero_point=None, w_zero_point=None, *, auto_pad, dilations, group, kernel_shape, pads, strides, context
):
    dtypes = onnx_dtype(x, context, 0), onnx_dtype(w, context, 1)
    place = windows(x, kernel_of(w, kernel_shape), strides=strides, dilations=dilations, auto_pad=auto_pad, pads=pads)
    return tf.cast(integer_convolution(x, w, x_zero_point, w_zero_point, dtypes, place, group), tf.int32)


@channels_last_op("QLinearConv", since=10, filters=(3,))
def q_linear_conv(
    x,
    x_scale,
    x_zero_point,
    w,
    w_scale,
    w_zero_point,
    y_scale,
    y_zero_point,
    b=None,
    *,
    auto_pad,
    dilations,
    group,
    kernel_shape,
    pads,
    strides,
    context,
):
    dtypes = onnx_dtype(x, context, 0), onnx_dtype(w, context, 3)
    place = windows(x, kernel_of(w, kernel_shape), strides=strides, dilations=dilations, auto_pad=auto_pad, pads=pads)
    # As integers also without a bias: the graph optimizer would multiply the filters by the factor.
    sums = tf.cast(integer_convolution(x, w, x_zero_point, w_zero_point, dtypes, place, group), tf.int32)
    sums = sums if b is None else sums + b
    return requantize(sums, x_scale * w_scale / y_scale, y_zero_point, onnx_dtype(y_zero_point, context, 7))


def integer_convolution(x, w, x_zero_point, w_zero_point, dtypes, place, group):
    """Return the convolution of quantised data and filters as exact integers, in float32 or int32."""
    data, filters = centred(x, x_zero_point, dtypes[0]), centred(w, w_zero_point, dtypes[1])
    known = static_centred(w, w_zero_point)
    return exact_product(
        lambda part, own: convolve(part, own, None, place, group),
        data,
        filters,
        limits=(limit_of(dtypes[0], x_zero_point), limit_of(dtypes[1], w_zero_point)),
        terms=math.prod(place.kernel),
        weights=None if known is None else abs(known).sum(axis=tuple(range(known.ndim - 2))),
        divisible=group == 1,
    )
