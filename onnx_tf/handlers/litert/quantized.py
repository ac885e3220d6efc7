"""Quantised arithmetic without float64."""

from __future__ import annotations

import onnx_ir as ir
import tensorflow as tf

from onnx_tf.handlers._narrow import is_bits
from onnx_tf.handlers._quantized import centred
from onnx_tf.handlers._tensors import rank_of
from onnx_tf.handlers.com_microsoft.quantized_elementwise import register_add
from onnx_tf.handlers.linear_algebra import mat_mul
from onnx_tf.handlers.quantization import integer_product, register_products

DIGIT = 16.0
SPLITTER = 4097.0
"""Splits a float32 into two of 12 bits each."""


def product(
    a: tf.Tensor,
    b: tf.Tensor,
    a_zero_point: tf.Tensor | None,
    b_zero_point: tf.Tensor | None,
    dtypes: tuple[ir.DataType, ir.DataType],
) -> tf.Tensor:
    """Return the product of quantised matrices as exact integers, also where only the run tells their depth.

    Both come in digits then: float32 holds the sums of their products wherever int32 holds the whole.
    """
    depth = b.shape[-2] if rank_of(b) > 1 else b.shape[0]
    if depth is not None or any(is_bits(dtype) or dtype.bitwidth > 8 for dtype in dtypes):
        return integer_product(a, b, a_zero_point, b_zero_point, dtypes)
    left, right = _digits(centred(a, a_zero_point, dtypes[0])), _digits(centred(b, b_zero_point, dtypes[1]))
    sums = [[tf.cast(mat_mul(x, y), tf.int32) for y in right] for x in left]
    return (sums[0][0] * 16 + sums[0][1] + sums[1][0]) * 16 + sums[1][1]


def _digits(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    high = tf.floor(x * (1 / DIGIT))
    return high, x - high * DIGIT


def _multiply_add(x: tf.Tensor, y: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
    """Return x * y + z, rounded once but for ties: what each step rounds away is added at the end."""
    product = x * y
    (x_high, x_low), (y_high, y_low) = _halves(x), _halves(y)
    lost = ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low
    total = product + z
    part = total - product
    return total + (((product - (total - part)) + (z - part)) + lost)


def _halves(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    wide = x * SPLITTER
    high = wide - (wide - x)
    return high, x - high


register_products(product, target="litert")
register_add(_multiply_add, target="litert")
