"""Elementwise operators and pools on quantised tensors.

ONNX Runtime's arithmetic is followed to the last bit where its vector kernels are the same on all
processors of a kind: a result half-way between two integers may fall either way otherwise.
"""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers._cast import onnx_dtype
from onnx_tf.handlers._layout import to_channels_first, to_channels_last
from onnx_tf.handlers._quantized import centred, dequantize, quantize, requantize, shifted
from onnx_tf.handlers._ranks import broadcasting, select
from onnx_tf.handlers._tensors import as_shape, dims_of, exact_quotient, normalize_axis, product, rank_of
from onnx_tf.handlers.pooling import average_pool_10
from onnx_tf.registry import onnx_op

MICROSOFT = "com.microsoft"


@onnx_op("QLinearAdd", domain=MICROSOFT)
def q_linear_add(a, a_scale, a_zero, b, b_scale, b_zero, c_scale, c_zero=None, *, context):
    dtype = onnx_dtype(a, context, 0)
    a_ratio, b_ratio = a_scale / c_scale, b_scale / c_scale
    offset = _float(c_zero) - _multiply_add(a_ratio, _float(a_zero), b_ratio * _float(b_zero))
    total = broadcasting(lambda a, b: _multiply_add(a, a_ratio, _multiply_add(b, b_ratio, offset)))(
        _float(a), _float(b)
    )
    return shifted(total, None, dtype)


@onnx_op("QLinearMul", domain=MICROSOFT)
def q_linear_mul(a, a_scale, a_zero, b, b_scale, b_zero, c_scale, c_zero=None, *, context):
    dtype = onnx_dtype(a, context, 0)
    values = broadcasting(tf.multiply)(centred(a, a_zero, dtype), centred(b, b_zero, dtype))
    return shifted(values * (a_scale * b_scale / c_scale), c_zero, dtype)


def _float(x):
    return tf.constant(0, tf.float32) if x is None else tf.cast(x, tf.float32)


def _multiply_add(x, y, z):
    """Return x * y + z rounded once, as processors compute it."""
    wide = tf.cast(x, tf.float64) * tf.cast(y, tf.float64) + tf.cast(z, tf.float64)
    return tf.cast(wide, tf.float32)


@onnx_op("QLinearSigmoid", domain=MICROSOFT)
def q_linear_sigmoid(x, x_scale, x_zero, y_scale, y_zero=None, *, context):
    dtype = onnx_dtype(x, context, 0)
    return quantize(tf.sigmoid(dequantize(x, x_scale, x_zero, dtype)), y_scale, y_zero, dtype)


@onnx_op("QLinearLeakyRelu", domain=MICROSOFT)
def q_linear_leaky_relu(x, x_scale, x_zero, y_scale, y_zero=None, *, alpha=0.01, context):
    dtype = onnx_dtype(x, context, 0)
    return quantize(tf.nn.leaky_relu(dequantize(x, x_scale, x_zero, dtype), alpha), y_scale, y_zero, dtype)


@onnx_op("QLinearSoftmax", domain=MICROSOFT)
def q_linear_softmax(x, x_scale, x_zero, y_scale, y_zero, *, axis=-1, opset, context):
    dtype = onnx_dtype(x, context, 0)
    values = dequantize(x, x_scale, None, dtype)  # the zero point shifts all of them
    if opset < 13:
        axis = normalize_axis(axis, rank_of(x)) if rank_of(x) else 0
        dims = dims_of(x)
        rows = tf.reshape(values, as_shape([product(dims[:axis]), -1]))
        soft = tf.reshape(tf.nn.softmax(rows), as_shape(dims))
    else:
        soft = tf.nn.softmax(values, axis=axis)
    return quantize(soft, y_scale, y_zero, dtype)


@onnx_op("QLinearConcat", domain=MICROSOFT)
def q_linear_concat(y_scale, y_zero, *inputs, axis, context):
    dtype = onnx_dtype(y_zero, context, 1)
    triples = zip(inputs[::3], inputs[1::3], inputs[2::3], strict=True)
    parts = [quantize(dequantize(x, scale, zero, dtype), y_scale, y_zero, dtype) for x, scale, zero in triples]
    return tf.concat(parts, axis)


@onnx_op("QLinearWhere", domain=MICROSOFT)
def q_linear_where(condition, x, x_scale, x_zero, y, y_scale, y_zero, z_scale, z_zero, *, context):
    dtype = onnx_dtype(x, context, 1)
    left, right = dequantize(x, x_scale, x_zero, dtype), dequantize(y, y_scale, y_zero, dtype)
    return quantize(select(condition, left, right), z_scale, z_zero, dtype)


@onnx_op("QLinearAveragePool", domain=MICROSOFT)
def q_linear_average_pool(
    x,
    x_scale,
    x_zero,
    y_scale,
    y_zero=None,
    *,
    auto_pad="NOTSET",
    ceil_mode=0,
    channels_last=0,
    count_include_pad=0,
    kernel_shape,
    pads=None,
    strides=None,
    context,
):
    dtype = onnx_dtype(x, context, 0)
    values = dequantize(x if channels_last else to_channels_last(x), x_scale, x_zero, dtype)
    mean = average_pool_10(
        values,
        auto_pad=auto_pad,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
        kernel_shape=kernel_shape,
        pads=pads,
        strides=strides,
    )
    y = shifted(exact_quotient(mean, y_scale), y_zero, dtype)
    return y if channels_last else to_channels_first(y)


@onnx_op("QLinearGlobalAveragePool", domain=MICROSOFT)
def q_linear_global_average_pool(x, x_scale, x_zero, y_scale, y_zero, *, channels_last=0, context):
    dtype = onnx_dtype(x, context, 0)
    spatial = [*range(1, rank_of(x) - 1)] if channels_last else [*range(2, rank_of(x))]
    count = product([dim for axis, dim in enumerate(dims_of(x)) if axis in spatial])
    sums = tf.reduce_sum(tf.cast(x, tf.int32), spatial, keepdims=True)
    sums -= tf.cast(x_zero, tf.int32) * tf.cast(count, tf.int32)
    return requantize(sums, x_scale / (y_scale * tf.cast(count, tf.float32)), y_zero, dtype)


@onnx_op("QLinearReduceMean", domain=MICROSOFT)
def q_linear_reduce_mean(x, x_scale, x_zero, y_scale, y_zero=None, *, axes, keepdims, context):
    dtype = onnx_dtype(x, context, 0)
    mean = tf.reduce_mean(dequantize(x, x_scale, x_zero, dtype), list(axes) or None, keepdims=bool(keepdims))
    return quantize(mean, y_scale, y_zero, dtype)
