"""Convolutions of quantised data."""

from __future__ import annotations

import math
from collections.abc import Sequence

import onnx_ir as ir
import tensorflow as tf

from onnx_tf.handlers._cast import onnx_dtype
from onnx_tf.handlers._convolve import convolve
from onnx_tf.handlers._layout import channels_last_op
from onnx_tf.handlers._quantized import centred, exact_product, limit_of, requantize, static_centred
from onnx_tf.handlers._windows import Windows, windows
from onnx_tf.handlers.convolution import static_kernel_of
from onnx_tf.registry import NodeContext


@channels_last_op("ConvInteger", since=10, filters=(1,))
def conv_integer(
    x: tf.Tensor,
    w: tf.Tensor,
    x_zero_point: tf.Tensor | None = None,
    w_zero_point: tf.Tensor | None = None,
    *,
    auto_pad: str,
    dilations: Sequence[int] | None,
    group: int,
    kernel_shape: Sequence[int] | None,
    pads: Sequence[int] | None,
    strides: Sequence[int] | None,
    context: NodeContext,
) -> tf.Tensor:
    dtypes = onnx_dtype(x, context, 0), onnx_dtype(w, context, 1)
    place = windows(
        x, static_kernel_of(w, kernel_shape), strides=strides, dilations=dilations, auto_pad=auto_pad, pads=pads
    )
    return tf.cast(
        integer_convolution(x, w, x_zero_point, w_zero_point, dtypes, place, group, context.is_batch_of_data), tf.int32
    )


@channels_last_op("QLinearConv", since=10, filters=(3,))
def q_linear_conv(
    x: tf.Tensor,
    x_scale: tf.Tensor,
    x_zero_point: tf.Tensor,
    w: tf.Tensor,
    w_scale: tf.Tensor,
    w_zero_point: tf.Tensor,
    y_scale: tf.Tensor,
    y_zero_point: tf.Tensor,
    b: tf.Tensor | None = None,
    *,
    auto_pad: str,
    dilations: Sequence[int] | None,
    group: int,
    kernel_shape: Sequence[int] | None,
    pads: Sequence[int] | None,
    strides: Sequence[int] | None,
    context: NodeContext,
) -> tf.Tensor:
    dtypes = onnx_dtype(x, context, 0), onnx_dtype(w, context, 3)
    place = windows(
        x, static_kernel_of(w, kernel_shape), strides=strides, dilations=dilations, auto_pad=auto_pad, pads=pads
    )
    # As integers also without a bias: the graph optimizer would multiply the filters by the factor.
    sums = tf.cast(
        integer_convolution(x, w, x_zero_point, w_zero_point, dtypes, place, group, context.is_batch_of_data), tf.int32
    )
    sums = sums if b is None else sums + b
    return requantize(sums, x_scale * w_scale / y_scale, y_zero_point, onnx_dtype(y_zero_point, context, 7))


def integer_convolution(
    x: tf.Tensor,
    w: tf.Tensor,
    x_zero_point: tf.Tensor | None,
    w_zero_point: tf.Tensor | None,
    dtypes: tuple[ir.DataType, ir.DataType],
    place: Windows,
    group: int,
    is_batch_of_data: bool,
) -> tf.Tensor:
    """Return the convolution of quantised data and filters as exact integers, in float32 or int32."""
    data, filters = centred(x, x_zero_point, dtypes[0]), centred(w, w_zero_point, dtypes[1])
    known = static_centred(w, w_zero_point)
    return exact_product(
        lambda part, own: convolve(part, own, None, place, group, is_batch_of_data=is_batch_of_data),
        data,
        filters,
        limits=(limit_of(dtypes[0], x_zero_point), limit_of(dtypes[1], w_zero_point)),
        terms=math.prod(place.kernel),
        weights=None if known is None else abs(known).sum(axis=tuple(range(known.ndim - 2))),
        divisible=group == 1,
    )
