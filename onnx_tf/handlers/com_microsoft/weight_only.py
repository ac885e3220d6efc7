"""Products with weights of few bits, quantised in blocks and packed into bytes."""

from __future__ import annotations

import onnx_ir as ir
import tensorflow as tf

from onnx_tf.handlers._attend import computable
from onnx_tf.handlers._cast import onnx_dtype
from onnx_tf.handlers._quantized import dequantize, spread
from onnx_tf.handlers._tensors import dims_of, normalize_axis, rank_of, reshaped
from onnx_tf.handlers.indexing import gather
from onnx_tf.handlers.linear_algebra import mat_mul
from onnx_tf.registry import NodeContext, onnx_op

MICROSOFT = "com.microsoft"


@onnx_op("MatMulNBits", domain=MICROSOFT)
def mat_mul_n_bits(
    a: tf.Tensor,
    b: tf.Tensor,
    scales: tf.Tensor,
    zero_points: tf.Tensor | None = None,
    g_idx: tf.Tensor | None = None,
    bias: tf.Tensor | None = None,
    *,
    K: int,
    N: int,
    accuracy_level: int = 0,
    bits: int = 4,
    block_size: int,
    weight_prepacked: int = 0,
) -> tf.Tensor:
    del accuracy_level  # it allows ONNX Runtime less precision
    if weight_prepacked:
        raise ValueError("MatMulNBits with prepacked weights is for one device only; export the model without")
    blocks = -(-K // block_size)
    quantized = tf.reshape(unpacked(tf.reshape(b, [N, -1]), bits), [N, blocks * block_size])[:, :K]
    scales = tf.reshape(computable(scales), [N, blocks])
    if zero_points is None:
        zeros = tf.constant(1 << (bits - 1), scales.dtype)
    elif zero_points.dtype == tf.uint8:
        zeros = unpacked(tf.reshape(zero_points, [N, -1]), bits)[:, :blocks]
    else:
        zeros = tf.reshape(zero_points, [N, blocks])
    block_of = tf.range(K) // block_size if g_idx is None else g_idx
    zeros = tf.cast(zeros, scales.dtype)
    zeros = zeros if zero_points is None else tf.gather(zeros, block_of, axis=1)
    weights = (tf.cast(quantized, scales.dtype) - zeros) * tf.gather(scales, block_of, axis=1)
    y = mat_mul(computable(a), tf.transpose(weights))
    if bias is not None:
        y += tf.cast(bias, y.dtype)
    return tf.cast(y, a.dtype)


_FP4_MAGNITUDES = (0.0, 1 / 192, 2 / 3, 1.0, 1 / 3, 1 / 2, 1 / 6, 1 / 4)
FP4 = (*_FP4_MAGNITUDES, *(-number for number in _FP4_MAGNITUDES))
NF4 = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635),
    *(-0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725),
    *(0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)
"""The quantiles of a normal distribution that QLoRA (arXiv 2305.14314, appendix E) takes for 4 bits."""


@onnx_op("MatMulBnb4", domain=MICROSOFT)
def mat_mul_bnb4(
    a: tf.Tensor,
    b: tf.Tensor,
    absmax: tf.Tensor,
    *,
    K: int,
    N: int,
    block_size: int,
    quant_type: int,
    training_mode: int = 0,
    transB: int = 1,
) -> tf.Tensor:
    del training_mode
    # The first of two numbers lies in the upper bits.
    codes = tf.reshape(tf.reverse(tf.reshape(unpacked(b, 4), [-1, 2]), [1]), [-1])[: N * K]
    table = tf.constant(NF4 if quant_type == 1 else FP4, tf.float32)
    factors = tf.gather(computable(absmax), tf.range(N * K) // block_size)
    weights = tf.reshape(tf.gather(table, tf.cast(codes, tf.int32)) * factors, [N, K])
    return tf.cast(mat_mul(computable(a), tf.transpose(weights) if transB else weights), a.dtype)


@onnx_op("GatherBlockQuantized", domain=MICROSOFT)
def gather_block_quantized(
    data: tf.Tensor,
    indices: tf.Tensor,
    scales: tf.Tensor,
    zero_points: tf.Tensor | None = None,
    *,
    bits: int = 4,
    block_size: int = 128,
    gather_axis: int = 0,
    quantize_axis: int = 1,
    context: NodeContext,
) -> tf.Tensor:
    dtype = onnx_dtype(data, context, 0)
    packed = dtype is ir.DataType.UINT8
    rank = rank_of(data)
    gather_axis, quantize_axis = normalize_axis(gather_axis, rank), normalize_axis(quantize_axis, rank)
    found, scales = gather(data, indices, axis=gather_axis), gather(scales, indices, axis=gather_axis)
    if zero_points is not None:
        zero_points = gather(zero_points, indices, axis=gather_axis)
    if packed:
        found = unpacked(found, bits)
        zero_points = tf.constant(1 << (bits - 1), tf.uint8) if zero_points is None else unpacked(zero_points, bits)
    axis = quantize_axis + (rank_of(indices) - 1 if quantize_axis > gather_axis else 0)
    size = block_size or dims_of(found)[axis]
    scale = spread(scales, found, axis, size)
    if zero_points is not None and rank_of(zero_points):
        zero_points = zero_points[(slice(None),) * axis + (slice(dims_of(scales)[axis]),)]
        zero_points = spread(zero_points, found, axis, size)
    return tf.cast(dequantize(found, scale, zero_points, dtype), scales.dtype)


def unpacked(packed: tf.Tensor, bits: int) -> tf.Tensor:
    """Return the numbers of a few bits that lie in bytes along the last axis, the lowest bits first."""
    if bits == 8:
        return packed
    if bits not in (1, 2, 4):
        raise ValueError(f"{bits} bits do not divide a byte: 1, 2, 4 or 8 are expected")
    shifts = tf.constant(list(range(0, 8, bits)), tf.uint8)
    numbers = tf.bitwise.right_shift(packed[..., None], shifts)
    numbers = tf.bitwise.bitwise_and(numbers, tf.constant((1 << bits) - 1, tf.uint8))
    *outer, last = dims_of(packed)
    return reshaped(numbers, [*outer, last * (8 // bits)])
