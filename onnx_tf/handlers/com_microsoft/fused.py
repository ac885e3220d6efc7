"""Operators that ONNX Runtime fuses from several of ai.onnx."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from onnx_tf.handlers._ranks import softmax
from onnx_tf.handlers._tensors import dims_of, normalize_axis, product, rank_of, reshaped, widened
from onnx_tf.handlers.linear_algebra import gemm_7, mat_mul
from onnx_tf.registry import onnx_op

MICROSOFT = "com.microsoft"

ACTIVATIONS = {
    "": lambda x: x,
    "Relu": tf.nn.relu,
    "Tanh": tf.tanh,
    "Sigmoid": tf.sigmoid,
    "Softplus": tf.nn.softplus,
    "Softsign": tf.nn.softsign,
    "LeakyRelu": lambda x, alpha=0.01: tf.nn.leaky_relu(x, alpha),
    "Elu": lambda x, alpha=1.0: tf.where(x > 0, x, alpha * tf.math.expm1(tf.minimum(x, 0))),
    "Clip": lambda x, low, high: tf.clip_by_value(x, low, high),
    "HardSigmoid": lambda x, alpha=0.2, beta=0.5: tf.clip_by_value(alpha * x + beta, 0, 1),
    "HardSwish": lambda x, *_: x * tf.clip_by_value(x / 6 + 0.5, 0, 1),
}


def _activated(x: tf.Tensor, name: str, parameters: Sequence[float]) -> tf.Tensor:
    """Apply an activation of :data:`ACTIVATIONS` with the parameters that it takes, in order."""
    if name not in ACTIVATIONS:
        raise ValueError(f"activation {name!r} is not known: one of {sorted(ACTIVATIONS)} is expected")
    return widened(lambda x: ACTIVATIONS[name](x, *parameters), x)


@onnx_op("FusedGemm", domain=MICROSOFT)
def fused_gemm(
    a: tf.Tensor,
    b: tf.Tensor,
    c: tf.Tensor | None = None,
    *,
    activation: str = "",
    activation_alpha: float | None = None,
    activation_beta: float | None = None,
    activation_gamma: float | None = None,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> tf.Tensor:
    y = gemm_7(a, b, c, alpha=alpha, beta=beta, transA=transA, transB=transB)
    parameters = [p for p in (activation_alpha, activation_beta, activation_gamma) if p is not None]
    return _activated(y, activation, parameters)


@onnx_op("FusedMatMul", domain=MICROSOFT)
def fused_mat_mul(
    a: tf.Tensor,
    b: tf.Tensor,
    *,
    alpha: float = 1.0,
    transA: int = 0,
    transB: int = 0,
    transBatchA: int = 0,
    transBatchB: int = 0,
) -> tf.Tensor:
    y = mat_mul(_oriented(a, transA, transBatchA), _oriented(b, transB, transBatchB))
    return y if alpha == 1 else y * tf.cast(alpha, y.dtype)


@onnx_op("FusedMatMulActivation", domain=MICROSOFT)
def fused_mat_mul_activation(
    a: tf.Tensor, b: tf.Tensor, *, activation: str, activation_alpha: float | None = None,
    activation_axis: int | None = None, activation_beta: float | None = None, activation_gamma: float | None = None,
    alpha: float = 1.0, transA: int = 0, transB: int = 0, transBatchA: int = 0, transBatchB: int = 0,
) -> tf.Tensor:  # fmt: skip
    y = fused_mat_mul(a, b, alpha=alpha, transA=transA, transB=transB, transBatchA=transBatchA, transBatchB=transBatchB)
    if activation == "Softmax":
        return widened(lambda y: softmax(y, -1 if activation_axis is None else activation_axis), y)
    parameters = [p for p in (activation_alpha, activation_beta, activation_gamma) if p is not None]
    return _activated(y, activation, parameters)


@onnx_op("TransposeMatMul", domain=MICROSOFT)
def transpose_mat_mul(a: tf.Tensor, b: tf.Tensor, *, alpha: float = 1.0, transA: int = 0, transB: int = 0) -> tf.Tensor:
    return fused_mat_mul(a, b, alpha=alpha, transA=transA, transB=transB)


def _oriented(x: tf.Tensor, transpose: int, from_batch: int) -> tf.Tensor:
    """Return a matrix operand; its rows lie before the batch if ``from_batch``."""
    rank = rank_of(x)
    if rank < 2 or not (transpose or from_batch):
        return x
    order = [*range(1, rank - 1), 0, rank - 1] if from_batch else list(range(rank))
    if transpose:
        order[-2:] = order[:-3:-1]
    return tf.transpose(x, order)


@onnx_op("Gelu", domain=MICROSOFT)
def gelu(x: tf.Tensor) -> tf.Tensor:
    return widened(lambda x: tf.nn.gelu(x), x)


@onnx_op("BiasGelu", domain=MICROSOFT)
def bias_gelu(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return gelu(a + b)


@onnx_op("FastGelu", domain=MICROSOFT)
def fast_gelu(x: tf.Tensor, bias: tf.Tensor | None = None) -> tf.Tensor:
    return widened(lambda x: tf.nn.gelu(x, approximate=True), x if bias is None else x + bias)


@onnx_op("QuickGelu", domain=MICROSOFT)
def quick_gelu(x: tf.Tensor, *, alpha: float = 1.702) -> tf.Tensor:
    return widened(lambda x: x * tf.sigmoid(alpha * x), x)


@onnx_op("GemmFastGelu", domain=MICROSOFT)
def gemm_fast_gelu(x: tf.Tensor, w: tf.Tensor, bias: tf.Tensor | None = None) -> tf.Tensor:
    return fast_gelu(mat_mul(x, w), bias)


@onnx_op("BiasAdd", domain=MICROSOFT)
def bias_add(x: tf.Tensor, bias: tf.Tensor, skip: tf.Tensor) -> tf.Tensor:
    return x + bias + skip


@onnx_op("BiasSplitGelu", domain=MICROSOFT)
def bias_split_gelu(x: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    kept, gate = tf.split(x + bias, 2, -1)
    return kept * gelu(gate)


@onnx_op("BiasSoftmax", domain=MICROSOFT)
def bias_softmax(x: tf.Tensor, bias: tf.Tensor, *, axis: int = 1, is_inner_broadcast: int) -> tf.Tensor:
    rank, dims = rank_of(x), dims_of(x)
    axis = normalize_axis(axis, rank)
    if is_inner_broadcast:
        # The bias lacks the axes between its batch and the softmax.
        inner = dims_of(bias)
        outer = rank_of(bias) - (rank - axis)
        bias = reshaped(bias, [*inner[:outer], *[1] * (axis - outer), *inner[outer:]])
    rows = reshaped(x + bias, [*dims[:axis], product(dims[axis:])])
    return reshaped(widened(tf.nn.softmax, rows), dims)
