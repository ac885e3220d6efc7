"""Products with quantised weights for LiteRT, which stay integers in the file."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from onnx_tf.handlers._quantized import centred, dequantize, exact_product, limit_of, static_centred
from onnx_tf.handlers._tensors import rank_of, static_value
from onnx_tf.handlers.linear_algebra import mat_mul
from onnx_tf.handlers.litert import quantized
from onnx_tf.handlers.litert.standing_quantization import TARGET, stand
from onnx_tf.handlers.quantization import Steps, register_products

_BYTES = (ir.DataType.INT8, ir.DataType.UINT8)


def _product(
    a: tf.Tensor,
    b: tf.Tensor,
    a_zero_point: tf.Tensor | None,
    b_zero_point: tf.Tensor | None,
    dtypes: tuple[ir.DataType, ir.DataType],
) -> tf.Tensor:
    """Return the product of quantised matrices as exact integers; constant weights stand for themselves.

    They are numbers in steps of 1, which are dequantised when a file is loaded.
    """
    known, zeros = static_centred(b, b_zero_point), static_value(b_zero_point)
    if known is None or rank_of(b) != 2 or any(dtype not in _BYTES for dtype in dtypes):
        return quantized.product(a, b, a_zero_point, b_zero_point, dtypes)
    zero_point = np.zeros(1) if zeros is None else zeros.ravel()
    steps = Steps(tf.ones(zero_point.shape), tf.constant(zero_point.astype(b.dtype.as_numpy_dtype)), dtypes[1], 1, 0)
    weights = stand(lambda x, own: dequantize(x, *own.over(x), own.dtype), b, steps, False)
    limits = limit_of(dtypes[0], a_zero_point), limit_of(dtypes[1], b_zero_point)
    left = centred(a, a_zero_point, dtypes[0])
    return exact_product(mat_mul, left, weights, limits=limits, axis=-2, weights=abs(known))


register_products(_product, target=TARGET)
