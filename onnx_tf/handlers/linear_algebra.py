"""Products of matrices, and what else is defined on them."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers._tensors import as_shape, computed_in, dims_of, product, rank_of, widened
from onnx_tf.registry import onnx_op

MODULAR = (tf.int8, tf.int16, tf.uint8, tf.uint16, tf.uint32, tf.uint64)
"""Integers without a product kernel; int64 wraps around to the same result."""


@onnx_op("MatMul")
def mat_mul(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    if a.dtype in MODULAR:
        return computed_in(tf.int64, mat_mul, a, b)
    if a.shape.rank is None or b.shape.rank is None:
        # Of matrices: this refuses vectors when it is run.
        return tf.raw_ops.BatchMatMulV2(x=a, y=b)
    if rank_of(a) == 1:
        return tf.squeeze(mat_mul(a[None, :], b), -2 if rank_of(b) > 1 else [])
    if rank_of(b) == 1:
        return tf.squeeze(mat_mul(a, b[:, None]), -1)
    if rank_of(b) == 2 and rank_of(a) > 2:
        # One large product is faster than one for each matrix of a batch.
        *outer, depth = dims_of(a)
        # What a dimension of an empty matrix is, -1 cannot tell.
        rows = tf.reshape(a, as_shape([-1 if isinstance(depth, int) and depth else product(outer), depth]))
        return tf.reshape(tf.matmul(rows, b), as_shape([*outer, dims_of(b)[-1]]))
    return tf.matmul(a, b)


@onnx_op("Gemm")
def gemm_1(
    a: tf.Tensor, b: tf.Tensor, c: tf.Tensor, *, alpha: float, beta: float, broadcast: int, transA: int, transB: int
) -> tf.Tensor:
    return _gemm(a, b, c, alpha, beta, transA, transB)


@onnx_op("Gemm", since=7)
def gemm_7(
    a: tf.Tensor, b: tf.Tensor, c: tf.Tensor | None = None, *, alpha: float, beta: float, transA: int, transB: int
) -> tf.Tensor:
    return _gemm(a, b, c, alpha, beta, transA, transB)


def _gemm(
    a: tf.Tensor, b: tf.Tensor, c: tf.Tensor | None, alpha: float, beta: float, transA: int, transB: int
) -> tf.Tensor:
    """Return alpha * a * b + beta * c of matrices, a and b transposed if asked for."""
    if a.dtype in MODULAR:
        return computed_in(tf.int64, lambda x, y, z: _gemm(x, y, z, alpha, beta, transA, transB), a, b, c)
    y = _scaled(tf.matmul(a, b, transpose_a=bool(transA), transpose_b=bool(transB)), alpha)
    if c is None or beta == 0:
        return y
    c = _scaled(c, beta)
    columns = y.shape[-1]
    if columns is not None and c.shape.rank is not None and c.shape.as_list() in ([columns], [1, columns]):
        # One row must be a vector: oneDNN refuses the matrix that grappler gives to its fused product.
        return tf.nn.bias_add(y, tf.reshape(c, [columns]))
    return y + c


def _scaled(x: tf.Tensor, factor: float) -> tf.Tensor:
    """Return the tensor times a number, integers rounded toward zero."""
    if factor == 1:
        return x
    if x.dtype.is_integer:
        return computed_in(tf.float64, lambda wide: wide * factor, x)
    return x * tf.cast(factor, x.dtype)


@onnx_op("Einsum", since=12)
def einsum(*inputs: tf.Tensor, equation: str) -> tf.Tensor:
    if inputs[0].dtype in MODULAR:
        return tf.cast(einsum(*[tf.cast(x, tf.int64) for x in inputs], equation=equation), inputs[0].dtype)
    return tf.einsum(equation.replace(" ", ""), *inputs)


@onnx_op("Det", since=11)
def det(x: tf.Tensor) -> tf.Tensor:
    return widened(tf.linalg.det, x)
