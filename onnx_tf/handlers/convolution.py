"""Convolutions."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers._convolve import convolve
from onnx_tf.handlers._layout import channels_last_op
from onnx_tf.handlers._windows import windows


@channels_last_op("Conv", filters=(1,))
def conv(x, w, b=None, *, auto_pad, dilations, group, kernel_shape, pads, strides):
    place = windows(x, _kernel(w, kernel_shape), strides=strides, dilations=dilations, auto_pad=auto_pad, pads=pads)
    return convolve(x, w, b, place, group)


@channels_last_op("ConvInteger", since=10, filters=(1,))
def conv_integer(
    x, w, x_zero_point=None, w_zero_point=None, *, auto_pad, dilations, group, kernel_shape, pads, strides
):
    data, filters = _centred(x, x_zero_point), _centred(w, w_zero_point)
    place = windows(x, _kernel(w, kernel_shape), strides=strides, dilations=dilations, auto_pad=auto_pad, pads=pads)
    return convolve(data, filters, None, place, group)


def _centred(quantised, zero_point):
    wide = tf.cast(quantised, tf.int32)
    return wide if zero_point is None else wide - tf.cast(zero_point, tf.int32)


def _kernel(filters, kernel_shape):
    kernel = filters.shape[:-2]
    if kernel.is_fully_defined():
        return kernel.as_list()
    if kernel_shape is None:
        raise ValueError("the filters have no static shape: state kernel_shape")
    return kernel_shape
