"""Linear quantisation: what the quantised operators of ai.onnx and com.microsoft share.

TensorFlow has next to no kernels for 8-bit integers. Sums of products of them are computed in
float32, which holds every integer up to 2**24 exactly, in as many pieces as that takes; so the
results are those of integer arithmetic, by the fastest kernels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from onnx_tf.dtypes import to_tf
from onnx_tf.handlers._narrow import decode, encode, is_bits
from onnx_tf.handlers._tensors import exact_quotient, normalize_axis, rank_of, static_value

EXACT_IN_FLOAT32 = 1 << 24

INTEGER_RANGES = {
    dtype: (-(1 << (dtype.bitwidth - 1)), (1 << (dtype.bitwidth - 1)) - 1)
    if dtype.is_signed()
    else (0, (1 << dtype.bitwidth) - 1)
    for dtype in (
        *(ir.DataType.INT2, ir.DataType.INT4, ir.DataType.INT8, ir.DataType.INT16),
        *(ir.DataType.UINT2, ir.DataType.UINT4, ir.DataType.UINT8, ir.DataType.UINT16),
    )
}


def quantize(
    x: tf.Tensor,
    scale: tf.Tensor,
    zero_point: tf.Tensor | None,
    dtype: ir.DataType,
    *,
    saturate: bool = True,
    precision: tf.DType = tf.float32,
) -> tf.Tensor:
    """Return ``saturate(round(x / scale) + zero_point)``; scale and zero point broadcast to x.

    Args:
        x: the numbers.
        scale: the size of a step.
        zero_point: what zero becomes, of the quantised dtype; ``None`` is zero.
        dtype: the quantised dtype.
        saturate: see :func:`~onnx_tf.handlers._narrow.encode`, for floats of 8 bits.
        precision: the dtype of the division.
    """
    ratio = tf.cast(exact_quotient(tf.cast(x, precision), tf.cast(scale, precision)), tf.float32)
    return _rounded(ratio, zero_point, dtype, saturate)


def requantize(sums: tf.Tensor, factor: tf.Tensor, zero_point: tf.Tensor | None, dtype: ir.DataType) -> tf.Tensor:
    """Return ``saturate(round(sums * factor) + zero_point)`` for integer sums."""
    return _rounded(tf.cast(sums, tf.float32) * factor, zero_point, dtype)


def shifted(ratio: tf.Tensor, zero_point: tf.Tensor | None, dtype: ir.DataType) -> tf.Tensor:
    """Return ``saturate(round(ratio + zero_point))``: a tie goes to the even sum, not the even ratio."""
    return _saturated(tf.round(_moved(ratio, zero_point, dtype, tf.add)), dtype)


def _rounded(ratio: tf.Tensor, zero_point: tf.Tensor | None, dtype: ir.DataType, saturate: bool = True) -> tf.Tensor:
    if is_bits(dtype):
        return encode(_moved(ratio, zero_point, dtype, tf.add), dtype, saturate=saturate)
    if dtype not in INTEGER_RANGES:
        raise ValueError(f"cannot quantize to {dtype.name}: an integer of at most 16 bits or a float8 is expected")
    return _saturated(_moved(tf.round(ratio), zero_point, dtype, tf.add), dtype)


def _saturated(x: tf.Tensor, dtype: ir.DataType) -> tf.Tensor:
    low, high = INTEGER_RANGES[dtype]
    return tf.cast(tf.minimum(tf.maximum(x, float(low)), float(high)), to_tf(dtype))


def dequantize(x: tf.Tensor, scale: tf.Tensor, zero_point: tf.Tensor | None, dtype: ir.DataType) -> tf.Tensor:
    """Return ``(x - zero_point) * scale`` in float32; scale and zero point broadcast to x."""
    return centred(x, zero_point, dtype) * tf.cast(scale, tf.float32)


def centred(x: tf.Tensor, zero_point: tf.Tensor | None, dtype: ir.DataType) -> tf.Tensor:
    """Return ``x - zero_point`` in float32."""
    return _moved(_values(x, dtype), zero_point, dtype, tf.subtract)


def _moved(
    x: tf.Tensor, zero_point: tf.Tensor | None, dtype: ir.DataType, operation: Callable[..., tf.Tensor]
) -> tf.Tensor:
    known = static_value(zero_point)
    if zero_point is None or (known is not None and not known.any()):
        return x
    if known is not None and not is_bits(dtype):
        return operation(x, tf.constant(known, tf.float32))
    return operation(x, _values(zero_point, dtype))


def _values(x: tf.Tensor, dtype: ir.DataType) -> tf.Tensor:
    return decode(x, dtype) if is_bits(dtype) else tf.cast(x, tf.float32)


def spread(parameter: tf.Tensor | None, x: tf.Tensor, axis: int, block_size: int = 0) -> tf.Tensor | None:
    """Return a scale or zero point (of a tensor, an axis or blocks) so that it broadcasts to x."""
    if parameter is None or rank_of(parameter) == 0:
        return parameter
    rank = rank_of(x)
    if block_size:
        axis = normalize_axis(axis, rank)
        size = x.shape[axis] if x.shape[axis] is not None else tf.shape(x)[axis]
        return tf.gather(parameter, tf.range(size) // block_size, axis=axis)
    if rank_of(parameter) > 1:
        raise ValueError(f"a scale of rank {rank_of(parameter)} needs block_size; without it a scalar or vector")
    if parameter.shape[0] == 1 or rank < 2:
        return tf.reshape(parameter, [-1] if rank else [])
    return tf.reshape(parameter, [-1, *[1] * (rank - 1 - normalize_axis(axis, rank))])


def exact_product(
    product: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    a: tf.Tensor,
    b: tf.Tensor,
    *,
    limits: tuple[int, int],
    axis: int = -2,
    terms: int = 1,
    weights: np.ndarray | None = None,
    divisible: bool = True,
) -> tf.Tensor:
    """Return a sum of products of small integers exactly: as float32 or, if too large, as int32.

    Args:
        product: multiplies and sums two tensors, as a matrix product or a convolution does.
        a: integers in float32; its last axis is summed over.
        b: integers in float32; the axis ``axis`` is summed over with the last of a.
        limits: the greatest magnitudes of a and b.
        axis: see ``b``.
        terms: how many products are summed for each element of that axis.
        weights: b's sums of magnitudes by element of that axis and by result, if known.
        divisible: whether the sum of products of pieces is the sum of all products.
    """
    depth = b.shape[axis]
    if weights is None and depth is not None:
        weights = np.full([depth, 1], limits[1] * terms, np.int64)
    size = 0 if weights is None else _largest_exact_piece(weights, limits[0])
    if size == 0 or (size < depth and not divisible):
        return tf.cast(product(tf.cast(a, tf.float64), tf.cast(b, tf.float64)), tf.int32)
    if size >= depth:
        return product(a, b)
    sizes = [min(size, depth - start) for start in range(0, depth, size)]
    pieces = zip(tf.split(a, sizes, -1), tf.split(b, sizes, axis), strict=True)
    return tf.add_n([tf.cast(product(left, right), tf.int32) for left, right in pieces])


def _largest_exact_piece(weights: np.ndarray, limit: int) -> int:
    """Return into pieces of how many elements to cut a sum so that each is exact in float32; 0 if none is."""
    depth = len(weights)
    for pieces in range(1, depth + 1):
        size = -(-depth // pieces)
        sums = np.add.reduceat(weights, np.arange(0, depth, size), axis=0)
        if limit * int(sums.max(initial=0)) < EXACT_IN_FLOAT32:
            return size
    return 0 if depth else 1


def limit_of(dtype: ir.DataType, zero_point: tf.Tensor | None) -> int:
    """Return the greatest magnitude of ``x - zero_point`` for x of a quantised dtype."""
    low, high = INTEGER_RANGES[dtype]
    known = np.zeros(1, int) if zero_point is None else static_value(zero_point)
    if known is None:
        return high - low
    return max(high - int(known.min()), int(known.max()) - low) if known.size else high - low


def static_centred(x: tf.Tensor, zero_point: tf.Tensor | None) -> np.ndarray | None:
    """Return ``x - zero_point`` where both are known while tracing."""
    value, zero = static_value(x), static_value(zero_point)
    if value is None or (zero_point is not None and zero is None):
        return None
    return value.astype(np.int64) - (0 if zero is None else zero.astype(np.int64))


def transposed(matrix: tf.Tensor) -> tf.Tensor:
    """Return a matrix transposed; what is known while tracing stays known."""
    value = static_value(matrix)
    return tf.transpose(matrix) if value is None else tf.constant(value.T)
