"""Operators that ONNX Runtime fuses from several of ai.onnx."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers._layout import pack_filters, to_channels_first, to_channels_last
from onnx_tf.handlers._tensors import rank_of, widened
from onnx_tf.handlers.convolution import conv
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


def _activated(x, name, parameters):
    if name not in ACTIVATIONS:
        raise ValueError(f"activation {name!r} is not known: one of {sorted(ACTIVATIONS)} is expected")
    return widened(lambda x: ACTIVATIONS[name](x, *parameters), x)


@onnx_op("FusedConv", domain=MICROSOFT)
def fused_conv(
    x,
    w,
    b=None,
    z=None,
    *,
    activation="",
    activation_params=(),
    auto_pad="NOTSET",
    dilations=None,
    group=1,
    kernel_shape=None,
    pads=None,
    strides=None,
):
    y = conv(
        to_channels_last(x),
        pack_filters(w),
        b,
        auto_pad=auto_pad,
        dilations=dilations,
        group=group,
        kernel_shape=kernel_shape,
        pads=pads,
        strides=strides,
    )
    if z is not None:
        y += to_channels_last(z)
    return to_channels_first(_activated(y, activation, activation_params))


@onnx_op("FusedGemm", domain=MICROSOFT)
def fused_gemm(
    a,
    b,
    c=None,
    *,
    activation="",
    activation_alpha=None,
    activation_beta=None,
    activation_gamma=None,
    alpha=1.0,
    beta=1.0,
    transA=0,
    transB=0,
):
    y = gemm_7(a, b, c, alpha=alpha, beta=beta, transA=transA, transB=transB)
    parameters = [p for p in (activation_alpha, activation_beta, activation_gamma) if p is not None]
    return _activated(y, activation, parameters)


@onnx_op("FusedMatMul", domain=MICROSOFT)
def fused_mat_mul(a, b, *, alpha=1.0, transA=0, transB=0, transBatchA=0, transBatchB=0):
    y = mat_mul(_oriented(a, transA, transBatchA), _oriented(b, transB, transBatchB))
    return y if alpha == 1 else y * tf.cast(alpha, y.dtype)


@onnx_op("TransposeMatMul", domain=MICROSOFT)
def transpose_mat_mul(a, b, *, alpha=1.0, transA=0, transB=0):
    return fused_mat_mul(a, b, alpha=alpha, transA=transA, transB=transB)


def _oriented(x, transpose, from_batch):
    """Return a matrix operand; its rows lie before the batch if ``from_batch``."""
    rank = rank_of(x)
    if rank < 2 or not (transpose or from_batch):
        return x
    order = [*range(1, rank - 1), 0, rank - 1] if from_batch else list(range(rank))
    if transpose:
        order[-2:] = order[:-3:-1]
    return tf.transpose(x, order)


@onnx_op("Gelu", domain=MICROSOFT)
def gelu(x):
    return widened(lambda x: tf.nn.gelu(x), x)


@onnx_op("BiasGelu", domain=MICROSOFT)
def bias_gelu(a, b):
    return gelu(a + b)


@onnx_op("FastGelu", domain=MICROSOFT)
def fast_gelu(x, bias=None):
    return widened(lambda x: tf.nn.gelu(x, approximate=True), x if bias is None else x + bias)


@onnx_op("QuickGelu", domain=MICROSOFT)
def quick_gelu(x, *, alpha=1.702):
    return widened(lambda x: x * tf.sigmoid(alpha * x), x)
