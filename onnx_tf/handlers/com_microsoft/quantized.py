"""Quantisation, matrix products and convolutions of quantised tensors."""

from __future__ import annotations

import onnx_ir as ir
import tensorflow as tf

from onnx_tf.handlers._cast import onnx_dtype
from onnx_tf.handlers._quantized import dequantize, quantize, requantize, spread, transposed
from onnx_tf.handlers.linear_algebra import mat_mul
from onnx_tf.handlers.quantization import by_row, dynamic_quantize_linear, integer_product
from onnx_tf.registry import onnx_op

MICROSOFT = "com.microsoft"


@onnx_op("QuantizeLinear", domain=MICROSOFT)
def quantize_linear(x, scale, zero_point=None, *, axis=None, context):
    dtype = ir.DataType.UINT8 if zero_point is None else onnx_dtype(zero_point, context, 2)
    scale, zero_point = (spread(parameter, x, 1 if axis is None else axis) for parameter in (scale, zero_point))
    return quantize(x, scale, zero_point, dtype)


@onnx_op("DequantizeLinear", domain=MICROSOFT)
def dequantize_linear(x, scale, zero_point=None, *, axis=None, context):
    out = scale.dtype
    scale, zero_point = (spread(parameter, x, 1 if axis is None else axis) for parameter in (scale, zero_point))
    return tf.cast(dequantize(x, scale, zero_point, onnx_dtype(x, context, 0)), out)


@onnx_op("QGemm", domain=MICROSOFT)
def q_gemm(
    a,
    a_scale,
    a_zero,
    b,
    b_scale,
    b_zero,
    c=None,
    y_scale=None,
    y_zero=None,
    *,
    alpha=1.0,
    transA=0,
    transB=0,
    context,
):
    dtypes = onnx_dtype(a, context, 0), onnx_dtype(b, context, 3)
    a, b = tf.transpose(a) if transA else a, transposed(b) if transB else b
    sums = integer_product(a, b, a_zero, b_zero, dtypes)
    if c is not None:
        sums = tf.cast(sums, tf.int32) + c
    factor = alpha * a_scale * b_scale
    if y_scale is None:
        return tf.cast(sums, tf.float32) * factor
    return requantize(sums, factor / y_scale, y_zero, onnx_dtype(y_zero, context, 8))


@onnx_op("MatMulIntegerToFloat", domain=MICROSOFT)
def mat_mul_integer_to_float(a, b, a_scale, b_scale, a_zero=None, b_zero=None, bias=None, *, context):
    dtypes = onnx_dtype(a, context, 0), onnx_dtype(b, context, 1)
    sums = integer_product(a, b, by_row(a_zero), b_zero, dtypes)
    return _scaled(sums, by_row(a_scale), b_scale, bias)


@onnx_op("DynamicQuantizeMatMul", domain=MICROSOFT)
def dynamic_quantize_mat_mul(a, b, b_scale, b_zero=None, bias=None, *, context):
    quantized, a_scale, a_zero = dynamic_quantize_linear(a)
    dtypes = ir.DataType.UINT8, onnx_dtype(b, context, 1)
    return _scaled(integer_product(quantized, b, a_zero, b_zero, dtypes), a_scale, b_scale, bias)


def _scaled(sums, a_scale, b_scale, bias):
    y = tf.cast(tf.cast(sums, tf.float32) * tf.cast(a_scale * b_scale, tf.float32), b_scale.dtype)
    return y if bias is None else y + bias


@onnx_op("MatMulInteger16", domain=MICROSOFT)
def mat_mul_integer_16(a, b):
    return mat_mul(tf.cast(a, tf.int32), tf.cast(b, tf.int32))
