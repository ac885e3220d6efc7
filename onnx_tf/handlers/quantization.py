"""Linear quantisation and products of quantised matrices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import onnx_ir as ir
import tensorflow as tf

from onnx_tf.dtypes import to_tf
from onnx_tf.handlers._cast import onnx_dtype
from onnx_tf.handlers._narrow import decode, is_bits
from onnx_tf.handlers._quantized import (
    centred,
    dequantize,
    exact_product,
    limit_of,
    quantize,
    requantize,
    spread,
    static_centred,
)
from onnx_tf.handlers._tensors import exact_quotient, rank_of
from onnx_tf.handlers.linear_algebra import mat_mul
from onnx_tf.registry import NodeContext, onnx_op

UINT8 = ir.DataType.UINT8


@dataclass(frozen=True)
class Steps:
    """The steps of a quantisation: what QuantizeLinear and DequantizeLinear state, once for both.

    Attributes:
        scale: the size of a step.
        zero_point: what zero is as an integer; ``None`` is 0.
        dtype: the quantised dtype.
        axis: along which scale and zero point lie, where they are vectors.
        block_size: of how many elements along the axis each has a scale; 0 for no blocks.
    """

    scale: tf.Tensor
    zero_point: tf.Tensor | None
    dtype: ir.DataType
    axis: int
    block_size: int

    def over(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Return scale and zero point so that they broadcast to x."""
        scale = spread(self.scale, x, self.axis, self.block_size)
        assert scale is not None
        return scale, spread(self.zero_point, x, self.axis, self.block_size)


Form: TypeAlias = Callable[[Callable[[tf.Tensor, Steps], tf.Tensor], tf.Tensor, Steps, bool], tf.Tensor]
"""(what computes the result of data and steps, data, steps, whether the data becomes integers) -> result."""


def register_linear(form: Form, *, target: str = "") -> None:
    """Register a form of QuantizeLinear and DequantizeLinear, see :func:`onnx_tf.registry.onnx_op`."""
    _register_quantize(form, target)
    _register_dequantize(form, target)


def _register_quantize(form: Form, target: str) -> None:
    @onnx_op("QuantizeLinear", since=10, target=target)
    def quantize_linear_10(
        x: tf.Tensor, scale: tf.Tensor, zero_point: tf.Tensor | None = None, *, context: NodeContext
    ) -> tf.Tensor:
        return _quantize(form, x, scale, zero_point, context)

    @onnx_op("QuantizeLinear", since=13, target=target)
    def quantize_linear_13(
        x: tf.Tensor, scale: tf.Tensor, zero_point: tf.Tensor | None = None, *, axis: int, context: NodeContext
    ) -> tf.Tensor:
        return _quantize(form, x, scale, zero_point, context, axis=axis)

    @onnx_op("QuantizeLinear", since=19, target=target)
    def quantize_linear_19(
        x: tf.Tensor,
        scale: tf.Tensor,
        zero_point: tf.Tensor | None = None,
        *,
        axis: int,
        saturate: int,
        context: NodeContext,
    ) -> tf.Tensor:
        return _quantize(form, x, scale, zero_point, context, axis=axis, saturate=saturate)

    @onnx_op("QuantizeLinear", since=21, target=target)
    def quantize_linear_21(
        x: tf.Tensor,
        scale: tf.Tensor,
        zero_point: tf.Tensor | None = None,
        *,
        axis: int,
        block_size: int,
        output_dtype: int,
        saturate: int,
        context: NodeContext,
    ) -> tf.Tensor:
        return _quantize(form, x, scale, zero_point, context, axis, block_size, output_dtype, saturate)

    @onnx_op("QuantizeLinear", since=23, target=target)
    def quantize_linear_23(
        x: tf.Tensor,
        scale: tf.Tensor,
        zero_point: tf.Tensor | None = None,
        *,
        axis: int,
        block_size: int,
        output_dtype: int,
        precision: int,
        saturate: int,
        context: NodeContext,
    ) -> tf.Tensor:
        return _quantize(form, x, scale, zero_point, context, axis, block_size, output_dtype, saturate, precision)


def _register_dequantize(form: Form, target: str) -> None:
    @onnx_op("DequantizeLinear", since=10, target=target)
    def dequantize_linear_10(
        x: tf.Tensor, scale: tf.Tensor, zero_point: tf.Tensor | None = None, *, context: NodeContext
    ) -> tf.Tensor:
        return _dequantize(form, x, scale, zero_point, context)

    @onnx_op("DequantizeLinear", since=13, target=target)
    def dequantize_linear_13(
        x: tf.Tensor, scale: tf.Tensor, zero_point: tf.Tensor | None = None, *, axis: int, context: NodeContext
    ) -> tf.Tensor:
        return _dequantize(form, x, scale, zero_point, context, axis)

    @onnx_op("DequantizeLinear", since=21, target=target)
    def dequantize_linear_21(
        x: tf.Tensor,
        scale: tf.Tensor,
        zero_point: tf.Tensor | None = None,
        *,
        axis: int,
        block_size: int,
        context: NodeContext,
    ) -> tf.Tensor:
        return _dequantize(form, x, scale, zero_point, context, axis, block_size)

    @onnx_op("DequantizeLinear", since=23, target=target)
    def dequantize_linear_23(
        x: tf.Tensor,
        scale: tf.Tensor,
        zero_point: tf.Tensor | None = None,
        *,
        axis: int,
        block_size: int,
        output_dtype: int,
        context: NodeContext,
    ) -> tf.Tensor:
        return _dequantize(form, x, scale, zero_point, context, axis, block_size, output_dtype)


def _quantize(
    form: Form,
    x: tf.Tensor,
    scale: tf.Tensor,
    zero_point: tf.Tensor | None,
    context: NodeContext,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
    saturate: int = 1,
    precision: int = 0,
) -> tf.Tensor:
    """Return x quantised per tensor, per axis or per block, as ``output_dtype`` or the dtype of the zero point."""
    if zero_point is not None:
        dtype = onnx_dtype(zero_point, context, 2)
    else:
        dtype = ir.DataType(output_dtype) if output_dtype else UINT8
    # ONNX Runtime divides in float32 whatever the dtype of the scale, unless told otherwise.
    division = to_tf(precision) if precision else tf.float64 if scale.dtype == tf.int32 else tf.float32
    scale = _decoded(scale, onnx_dtype(scale, context, 1))
    steps = Steps(scale, zero_point, dtype, axis, block_size)

    def compute(x: tf.Tensor, steps: Steps) -> tf.Tensor:
        return quantize(x, *steps.over(x), dtype, saturate=bool(saturate), precision=division)

    return form(compute, x, steps, True)


def _dequantize(
    form: Form,
    x: tf.Tensor,
    scale: tf.Tensor,
    zero_point: tf.Tensor | None,
    context: NodeContext,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
) -> tf.Tensor:
    """Return quantised data as floats, per tensor, per axis or per block."""
    scale = _decoded(scale, onnx_dtype(scale, context, 1))
    out = to_tf(output_dtype) if output_dtype else scale.dtype
    steps = Steps(scale, zero_point, onnx_dtype(x, context, 0), axis, block_size)

    def compute(x: tf.Tensor, steps: Steps) -> tf.Tensor:
        return tf.cast(dequantize(x, *steps.over(x), steps.dtype), out)

    return form(compute, x, steps, False)


def _decoded(scale: tf.Tensor, dtype: ir.DataType) -> tf.Tensor:
    """Return a scale of any float width as numbers."""
    return decode(scale, dtype) if is_bits(dtype) else scale


register_linear(lambda compute, x, steps, _: compute(x, steps))


@onnx_op("DynamicQuantizeLinear", since=11)
def dynamic_quantize_linear(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    low = tf.minimum(tf.reduce_min(x), 0)
    high = tf.maximum(tf.reduce_max(x), 0)
    scale = tf.where(high == low, tf.ones_like(high), exact_quotient(high - low, tf.constant(255.0)))
    zero_point = quantize(-low, scale, None, UINT8)
    return quantize(x, scale, zero_point, UINT8), scale, zero_point


Product: TypeAlias = Callable[
    [tf.Tensor, tf.Tensor, "tf.Tensor | None", "tf.Tensor | None", tuple[ir.DataType, ir.DataType]], tf.Tensor
]
"""As :func:`integer_product`."""


def register_products(product: Product, target: str = "") -> None:
    """Register the products of quantised matrices of ai.onnx, for one target or for all."""

    @onnx_op("MatMulInteger", since=10, target=target)
    def mat_mul_integer(
        a: tf.Tensor,
        b: tf.Tensor,
        a_zero_point: tf.Tensor | None = None,
        b_zero_point: tf.Tensor | None = None,
        *,
        context: NodeContext,
    ) -> tf.Tensor:
        dtypes = onnx_dtype(a, context, 0), onnx_dtype(b, context, 1)
        return tf.cast(product(a, b, by_row(a_zero_point), b_zero_point, dtypes), tf.int32)

    @onnx_op("QLinearMatMul", since=10, target=target)
    def q_linear_mat_mul(
        a: tf.Tensor,
        a_scale: tf.Tensor,
        a_zero_point: tf.Tensor,
        b: tf.Tensor,
        b_scale: tf.Tensor,
        b_zero_point: tf.Tensor,
        y_scale: tf.Tensor,
        y_zero_point: tf.Tensor,
        *,
        context: NodeContext,
    ) -> tf.Tensor:
        dtypes = onnx_dtype(a, context, 0), onnx_dtype(b, context, 3)
        sums = product(a, b, by_row(a_zero_point), b_zero_point, dtypes)
        factor = tf.cast(by_row(a_scale), tf.float32) * tf.cast(b_scale, tf.float32) / tf.cast(y_scale, tf.float32)
        return requantize(sums, factor, y_zero_point, onnx_dtype(y_zero_point, context, 7))


def integer_product(
    a: tf.Tensor,
    b: tf.Tensor,
    a_zero_point: tf.Tensor | None,
    b_zero_point: tf.Tensor | None,
    dtypes: tuple[ir.DataType, ir.DataType],
) -> tf.Tensor:
    """Return the matrix product of quantised matrices as exact integers, in float32 or int32."""
    left, right = centred(a, a_zero_point, dtypes[0]), centred(b, b_zero_point, dtypes[1])
    if any(is_bits(dtype) for dtype in dtypes):
        return mat_mul(left, right)
    known = static_centred(b, b_zero_point)
    if known is not None:
        known = abs(known[:, None] if known.ndim == 1 else known)
        known = known.max(axis=tuple(range(known.ndim - 2)), initial=0)
    limits = limit_of(dtypes[0], a_zero_point), limit_of(dtypes[1], b_zero_point)
    return exact_product(mat_mul, left, right, limits=limits, axis=-min(2, rank_of(b)), weights=known)


def by_row(parameter: tf.Tensor | None) -> tf.Tensor | None:
    """Return a scale or zero point of one element per row of the left matrix as a column."""
    if parameter is None or rank_of(parameter) != 1:
        return parameter
    return tf.reshape(parameter, []) if parameter.shape[0] == 1 else parameter[:, None]


register_products(integer_product)
