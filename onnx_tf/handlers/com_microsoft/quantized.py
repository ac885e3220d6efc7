"""Quantisation, matrix products and convolutions of quantised tensors."""

from __future__ import annotations

import onnx_ir as ir
import tensorflow as tf

from onnx_tf.handlers._cast import onnx_dtype
from onnx_tf.handlers._quantized import dequantize, quantize, requantize, spread, transposed
from onnx_tf.handlers.linear_algebra import mat_mul
from onnx_tf.handlers.quantization import by_row, dynamic_quantize_linear, integer_product
from onnx_tf.registry import NodeContext, onnx_op

MICROSOFT = "com.microsoft"


@onnx_op("QuantizeLinear", domain=MICROSOFT)
def quantize_linear(
    x: tf.Tensor,
    scale: tf.Tensor,
    zero_point: tf.Tensor | None = None,
    *,
    axis: int | None = None,
    context: NodeContext,
) -> tf.Tensor:
    dtype = ir.DataType.UINT8 if zero_point is None else onnx_dtype(zero_point, context, 2)
    scale, zero_point = (spread(parameter, x, 1 if axis is None else axis) for parameter in (scale, zero_point))
    return quantize(x, scale, zero_point, dtype)


@onnx_op("DequantizeLinear", domain=MICROSOFT)
def dequantize_linear(
    x: tf.Tensor,
    scale: tf.Tensor,
    zero_point: tf.Tensor | None = None,
    *,
    axis: int | None = None,
    context: NodeContext,
) -> tf.Tensor:
    out = scale.dtype
    scale, zero_point = (spread(parameter, x, 1 if axis is None else axis) for parameter in (scale, zero_point))
    return tf.cast(dequantize(x, scale, zero_point, onnx_dtype(x, context, 0)), out)


@onnx_op("QGemm", domain=MICROSOFT)
def q_gemm(
    a: tf.Tensor,
    a_scale: tf.Tensor,
    a_zero: tf.Tensor,
    b: tf.Tensor,
    b_scale: tf.Tensor,
    b_zero: tf.Tensor,
    c: tf.Tensor | None = None,
    y_scale: tf.Tensor | None = None,
    y_zero: tf.Tensor | None = None,
    *,
    alpha: float = 1.0,
    transA: int = 0,
    transB: int = 0,
    context: NodeContext,
) -> tf.Tensor:
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
def mat_mul_integer_to_float(
    a: tf.Tensor,
    b: tf.Tensor,
    a_scale: tf.Tensor,
    b_scale: tf.Tensor,
    a_zero: tf.Tensor | None = None,
    b_zero: tf.Tensor | None = None,
    bias: tf.Tensor | None = None,
    *,
    context: NodeContext,
) -> tf.Tensor:
    dtypes = onnx_dtype(a, context, 0), onnx_dtype(b, context, 1)
    sums = integer_product(a, b, by_row(a_zero), b_zero, dtypes)
    return _scaled(sums, by_row(a_scale), b_scale, bias)


@onnx_op("DynamicQuantizeMatMul", domain=MICROSOFT)
def dynamic_quantize_mat_mul(
    a: tf.Tensor,
    b: tf.Tensor,
    b_scale: tf.Tensor,
    b_zero: tf.Tensor | None = None,
    bias: tf.Tensor | None = None,
    *,
    context: NodeContext,
) -> tf.Tensor:
    quantized, a_scale, a_zero = dynamic_quantize_linear(a)
    dtypes = ir.DataType.UINT8, onnx_dtype(b, context, 1)
    return _scaled(integer_product(quantized, b, a_zero, b_zero, dtypes), a_scale, b_scale, bias)


def _scaled(sums: tf.Tensor, a_scale: tf.Tensor, b_scale: tf.Tensor, bias: tf.Tensor | None) -> tf.Tensor:
    """Return integer sums times the scales of both operands, and a bias."""
    y = tf.cast(tf.cast(sums, tf.float32) * tf.cast(a_scale * b_scale, tf.float32), b_scale.dtype)
    return y if bias is None else y + bias


@onnx_op("MatMulInteger16", domain=MICROSOFT)
def mat_mul_integer_16(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return mat_mul(tf.cast(a, tf.int32), tf.cast(b, tf.int32))
