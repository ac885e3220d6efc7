"""Convolutions."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers._convolve import convolve
from onnx_tf.handlers._layout import channels_last_op, pack_filters, to_channels_first, to_channels_last
from onnx_tf.handlers._tensors import as_shape, dims_of, widened
from onnx_tf.handlers._windows import windows
from onnx_tf.registry import onnx_op


@channels_last_op("Conv", filters=(1,))
def conv(x, w, b=None, *, auto_pad, dilations, group, kernel_shape, pads, strides):
    place = windows(x, kernel_of(w, kernel_shape), strides=strides, dilations=dilations, auto_pad=auto_pad, pads=pads)
    return convolve(x, w, b, place, group)


def kernel_of(filters, kernel_shape):
    """Return the spatial dims of packed filters."""
    kernel = filters.shape[:-2]
    if kernel.is_fully_defined():
        return kernel.as_list()
    if kernel_shape is None:
        raise ValueError("the filters have no static shape: state kernel_shape")
    return kernel_shape


@onnx_op("CausalConvWithState", since=27)
def causal_conv_with_state(x, weight, bias=None, past_state=None, *, activation):
    return causal_convolution(x, weight, bias, past_state, activation)


def causal_convolution(x, weight, bias, past_state, activation, dilation=1):
    """Return the depthwise convolution of N, C, length data with what came before it, and the next state."""
    taps = kernel_of(pack_filters(weight), None)[0]
    length = (taps - 1) * dilation
    batch, channels, _ = dims_of(x)
    if past_state is None:
        past_state = tf.zeros(as_shape([batch, channels, length]), x.dtype)
    seen = tf.concat([past_state, x], 2)
    data, filters = to_channels_last(seen), pack_filters(weight)
    place = windows(data, [taps], strides=None, dilations=[dilation], auto_pad="VALID", pads=None)
    y = to_channels_first(convolve(data, filters, bias, place, weight.shape[0] or channels))
    if activation in ("silu", "swish"):
        y = widened(lambda y: y * tf.sigmoid(y), y)
    elif activation != "none":
        raise ValueError(f"activation {activation!r} is not known: use none, silu or swish")
    return y, seen[:, :, tf.shape(seen)[2] - length :]
