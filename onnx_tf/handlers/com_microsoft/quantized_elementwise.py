"""Elementwise operators and pools on quantised tensors.

ONNX Runtime's arithmetic is followed to the last bit where its vector kernels are the same on all
processors of a kind: a result half-way between two integers may fall either way otherwise.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import tensorflow as tf

from onnx_tf.handlers._cast import onnx_dtype
from onnx_tf.handlers._layout import to_channels_first, to_channels_last
from onnx_tf.handlers._pools import TENSORFLOW, average_pool
from onnx_tf.handlers._quantized import centred, dequantize, quantize, requantize, shifted
from onnx_tf.handlers._ranks import broadcasting, select, softmax
from onnx_tf.handlers._tensors import dims_of, exact_quotient, normalize_axis, product, rank_of, reshaped
from onnx_tf.handlers._windows import windows
from onnx_tf.registry import NodeContext, onnx_op

MICROSOFT = "com.microsoft"


def register_add(multiply_add: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor], target: str = "") -> None:
    """Register QLinearAdd by what computes x * y + z rounded once, as processors do, for one target or for all."""

    @onnx_op("QLinearAdd", domain=MICROSOFT, target=target)
    def q_linear_add(
        a: tf.Tensor,
        a_scale: tf.Tensor,
        a_zero: tf.Tensor | None,
        b: tf.Tensor,
        b_scale: tf.Tensor,
        b_zero: tf.Tensor | None,
        c_scale: tf.Tensor,
        c_zero: tf.Tensor | None = None,
        *,
        context: NodeContext,
    ) -> tf.Tensor:
        dtype = onnx_dtype(a, context, 0)
        a_ratio, b_ratio = a_scale / c_scale, b_scale / c_scale
        offset = _float(c_zero) - multiply_add(a_ratio, _float(a_zero), b_ratio * _float(b_zero))
        total = broadcasting(lambda a, b: multiply_add(a, a_ratio, multiply_add(b, b_ratio, offset)))(
            _float(a), _float(b)
        )
        return shifted(total, None, dtype)


@onnx_op("QLinearMul", domain=MICROSOFT)
def q_linear_mul(
    a: tf.Tensor,
    a_scale: tf.Tensor,
    a_zero: tf.Tensor | None,
    b: tf.Tensor,
    b_scale: tf.Tensor,
    b_zero: tf.Tensor | None,
    c_scale: tf.Tensor,
    c_zero: tf.Tensor | None = None,
    *,
    context: NodeContext,
) -> tf.Tensor:
    dtype = onnx_dtype(a, context, 0)
    values = broadcasting(tf.multiply)(centred(a, a_zero, dtype), centred(b, b_zero, dtype))
    return shifted(values * (a_scale * b_scale / c_scale), c_zero, dtype)


def _float(x: tf.Tensor | None) -> tf.Tensor:
    """Return a zero point as float32; an absent one is 0."""
    return tf.constant(0, tf.float32) if x is None else tf.cast(x, tf.float32)


def _multiply_add(x: tf.Tensor, y: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
    wide = tf.cast(x, tf.float64) * tf.cast(y, tf.float64) + tf.cast(z, tf.float64)
    return tf.cast(wide, tf.float32)


register_add(_multiply_add)


@onnx_op("QLinearSigmoid", domain=MICROSOFT)
def q_linear_sigmoid(
    x: tf.Tensor,
    x_scale: tf.Tensor,
    x_zero: tf.Tensor | None,
    y_scale: tf.Tensor,
    y_zero: tf.Tensor | None = None,
    *,
    context: NodeContext,
) -> tf.Tensor:
    dtype = onnx_dtype(x, context, 0)
    return quantize(tf.sigmoid(dequantize(x, x_scale, x_zero, dtype)), y_scale, y_zero, dtype)


@onnx_op("QLinearLeakyRelu", domain=MICROSOFT)
def q_linear_leaky_relu(
    x: tf.Tensor,
    x_scale: tf.Tensor,
    x_zero: tf.Tensor | None,
    y_scale: tf.Tensor,
    y_zero: tf.Tensor | None = None,
    *,
    alpha: float = 0.01,
    context: NodeContext,
) -> tf.Tensor:
    dtype = onnx_dtype(x, context, 0)
    return quantize(tf.nn.leaky_relu(dequantize(x, x_scale, x_zero, dtype), alpha), y_scale, y_zero, dtype)


@onnx_op("QLinearSoftmax", domain=MICROSOFT)
def q_linear_softmax(
    x: tf.Tensor,
    x_scale: tf.Tensor,
    x_zero: tf.Tensor | None,
    y_scale: tf.Tensor,
    y_zero: tf.Tensor,
    *,
    axis: int = -1,
    opset: int,
    context: NodeContext,
) -> tf.Tensor:
    dtype = onnx_dtype(x, context, 0)
    values = dequantize(x, x_scale, None, dtype)  # the zero point shifts all of them
    if opset < 13:
        axis = normalize_axis(axis, rank_of(x)) if rank_of(x) else 0
        dims = dims_of(x)
        rows = reshaped(values, [product(dims[:axis]), -1])
        soft = reshaped(tf.nn.softmax(rows), dims)
    else:
        soft = softmax(values, axis)
    return quantize(soft, y_scale, y_zero, dtype)


@onnx_op("QLinearConcat", domain=MICROSOFT)
def q_linear_concat(
    y_scale: tf.Tensor, y_zero: tf.Tensor, *inputs: tf.Tensor, axis: int, context: NodeContext
) -> tf.Tensor:
    dtype = onnx_dtype(y_zero, context, 1)
    triples = zip(inputs[::3], inputs[1::3], inputs[2::3], strict=True)
    parts = [quantize(dequantize(x, scale, zero, dtype), y_scale, y_zero, dtype) for x, scale, zero in triples]
    return tf.concat(parts, axis)


@onnx_op("QLinearWhere", domain=MICROSOFT)
def q_linear_where(
    condition: tf.Tensor,
    x: tf.Tensor,
    x_scale: tf.Tensor,
    x_zero: tf.Tensor,
    y: tf.Tensor,
    y_scale: tf.Tensor,
    y_zero: tf.Tensor,
    z_scale: tf.Tensor,
    z_zero: tf.Tensor,
    *,
    context: NodeContext,
) -> tf.Tensor:
    dtype = onnx_dtype(x, context, 1)
    left, right = dequantize(x, x_scale, x_zero, dtype), dequantize(y, y_scale, y_zero, dtype)
    return quantize(select(condition, left, right), z_scale, z_zero, dtype)


_BY_KERNEL = dataclasses.replace(TENSORFLOW, has_sliced_means=lambda *_: False, min_by_plane=0)
"""Sums in ONNX Runtime's order: in another one numbers fall to the other side of a half."""


@onnx_op("QLinearAveragePool", domain=MICROSOFT)
def q_linear_average_pool(
    x: tf.Tensor,
    x_scale: tf.Tensor,
    x_zero: tf.Tensor | None,
    y_scale: tf.Tensor,
    y_zero: tf.Tensor | None = None,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    channels_last: int = 0,
    count_include_pad: int = 0,
    kernel_shape: Sequence[int],
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
    context: NodeContext,
) -> tf.Tensor:
    dtype = onnx_dtype(x, context, 0)
    values = dequantize(x if channels_last else to_channels_last(x), x_scale, x_zero, dtype)
    w = windows(
        values,
        kernel_shape,
        strides=strides,
        dilations=None,
        auto_pad=auto_pad,
        pads=pads,
        ceil_mode=ceil_mode,
        of_less=True,
    )
    mean = average_pool(values, w, count_include_pad, _BY_KERNEL)
    y = shifted(exact_quotient(mean, y_scale), y_zero, dtype)
    return y if channels_last else to_channels_first(y)


@onnx_op("QLinearGlobalAveragePool", domain=MICROSOFT)
def q_linear_global_average_pool(
    x: tf.Tensor,
    x_scale: tf.Tensor,
    x_zero: tf.Tensor,
    y_scale: tf.Tensor,
    y_zero: tf.Tensor,
    *,
    channels_last: int = 0,
    context: NodeContext,
) -> tf.Tensor:
    dtype = onnx_dtype(x, context, 0)
    spatial = [*range(1, rank_of(x) - 1)] if channels_last else [*range(2, rank_of(x))]
    count = product([dim for axis, dim in enumerate(dims_of(x)) if axis in spatial])
    sums = tf.reduce_sum(tf.cast(x, tf.int32), spatial, keepdims=True)
    sums -= tf.cast(x_zero, tf.int32) * tf.cast(count, tf.int32)
    return requantize(sums, x_scale / (y_scale * tf.cast(count, tf.float32)), y_zero, dtype)


@onnx_op("QLinearReduceMean", domain=MICROSOFT)
def q_linear_reduce_mean(
    x: tf.Tensor,
    x_scale: tf.Tensor,
    x_zero: tf.Tensor | None,
    y_scale: tf.Tensor,
    y_zero: tf.Tensor | None = None,
    *,
    axes: Sequence[int],
    keepdims: int,
    context: NodeContext,
) -> tf.Tensor:
    dtype = onnx_dtype(x, context, 0)
    mean = tf.reduce_mean(dequantize(x, x_scale, x_zero, dtype), list(axes) or None, keepdims=bool(keepdims))
    return quantize(mean, y_scale, y_zero, dtype)
