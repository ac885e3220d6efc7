"""Convolutions."""

from __future__ import annotations

from onnx_tf.handlers._convolve import convolve
from onnx_tf.handlers._layout import channels_last_op
from onnx_tf.handlers._windows import windows


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
