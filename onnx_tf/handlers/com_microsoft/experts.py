"""Mixtures of experts: every token goes through the networks that a router chooses for it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from onnx_tf.handlers._attend import computable
from onnx_tf.handlers._tensors import dims_of, reshaped
from onnx_tf.handlers.com_microsoft.weight_only import unpacked
from onnx_tf.registry import onnx_op

MICROSOFT = "com.microsoft"


@onnx_op("MoE", domain=MICROSOFT)
def moe(
    x: tf.Tensor, router_probs: tf.Tensor, fc1: tf.Tensor, fc1_bias: tf.Tensor | None, fc2: tf.Tensor,
    fc2_bias: tf.Tensor | None = None, fc3: tf.Tensor | None = None, fc3_bias: tf.Tensor | None = None, *,
    activation_alpha: float = 1.0, activation_beta: float = 0.0, activation_type: str = "relu", k: int = 1,
    normalize_routing_weights: int = 0, swiglu_fusion: int = 0, swiglu_limit: float | None = None,
    swiglu_limit_after_activation: int = 0, use_sparse_mixer: int = 0,
) -> tf.Tensor:  # fmt: skip
    activation = functools.partial(
        _activated, kind=activation_type, alpha=activation_alpha, beta=activation_beta, fusion=swiglu_fusion,
        limit=swiglu_limit, limit_after=swiglu_limit_after_activation,
    )  # fmt: skip
    routes = _routes(router_probs, None, k, normalize_routing_weights, use_sparse_mixer)
    return _mixed(x, routes, [(fc1, fc1_bias), (fc2, fc2_bias), (fc3, fc3_bias)], activation)


@onnx_op("QMoE", domain=MICROSOFT)
def q_moe(
    x: tf.Tensor, router_probs: tf.Tensor, fc1: tf.Tensor, fc1_scales: tf.Tensor | None, fc1_bias: tf.Tensor | None,
    fc2: tf.Tensor, fc2_scales: tf.Tensor | None, fc2_bias: tf.Tensor | None = None, fc3: tf.Tensor | None = None,
    fc3_scales: tf.Tensor | None = None, fc3_bias: tf.Tensor | None = None, fc1_zeros: tf.Tensor | None = None,
    fc2_zeros: tf.Tensor | None = None, fc3_zeros: tf.Tensor | None = None, router_weights: tf.Tensor | None = None,
    fc1_global_scale: tf.Tensor | None = None, fc2_global_scale: tf.Tensor | None = None,
    fc1_act_scale: tf.Tensor | None = None, fc2_act_scale: tf.Tensor | None = None,
    fc1_act_block_scale: tf.Tensor | None = None, fc2_act_block_scale: tf.Tensor | None = None, *,
    accuracy_level: int = 0, activation_alpha: float = 1.0, activation_beta: float = 0.0,
    activation_type: str = "relu", block_size: int | None = None, expert_weight_bits: int = 4,
    fc1_expert_weight_bits: int | None = None, fc2_expert_weight_bits: int | None = None,
    fc3_expert_weight_bits: int | None = None, k: int = 1, normalize_routing_weights: int = 0,
    quant_type: str = "int", swiglu_fusion: int = 0, swiglu_limit: float | None = None,
    swiglu_limit_after_activation: int = 0, use_sparse_mixer: int = 0, weights_prepacked: int = -1,
) -> tf.Tensor:  # fmt: skip
    """Compute with weights of 2, 4 or 8 bits.

    Limits: quant_type is "int".
    """
    del accuracy_level  # it allows ONNX Runtime less precision
    scales = fc1_global_scale, fc2_global_scale, fc1_act_scale, fc2_act_scale, fc1_act_block_scale, fc2_act_block_scale
    if quant_type != "int" or any(scale is not None for scale in scales):
        raise ValueError(f"QMoE with weights of type {quant_type!r} is not supported: 'int' is expected")
    if weights_prepacked == 1:
        raise ValueError("QMoE with prepacked weights is for one device only; export the model without")
    activation = functools.partial(
        _activated, kind=activation_type, alpha=activation_alpha, beta=activation_beta, fusion=swiglu_fusion,
        limit=swiglu_limit, limit_after=swiglu_limit_after_activation,
    )  # fmt: skip
    # ONNX Runtime's kernel for CPUs always takes the softmax of the chosen logits alone.
    normalize = normalize_routing_weights or router_weights is None
    routes = _routes(router_probs, router_weights, k, normalize, use_sparse_mixer)
    layers = [
        (None if w is None else _dequantized(w, s, z, bits or expert_weight_bits, block_size), bias)
        for w, s, z, bits, bias in (
            (fc1, fc1_scales, fc1_zeros, fc1_expert_weight_bits, fc1_bias),
            (fc2, fc2_scales, fc2_zeros, fc2_expert_weight_bits, fc2_bias),
            (fc3, fc3_scales, fc3_zeros, fc3_expert_weight_bits, fc3_bias),
        )
    ]
    return _mixed(x, routes, layers, activation)


def _dequantized(
    weights: tf.Tensor, scales: tf.Tensor, zeros: tf.Tensor | None, bits: int, block_size: int | None
) -> tf.Tensor:
    """Return packed weights [experts, rows, columns * bits / 8] as floats."""
    values = tf.cast(unpacked(weights, bits), scales.dtype)
    experts, rows, columns = dims_of(values)
    blocks = columns // block_size if block_size else 1
    if zeros is None:
        zeros = tf.constant(1 << (bits - 1), scales.dtype)
    else:
        count = rows if not block_size else blocks
        zeros = tf.cast(unpacked(zeros, bits)[..., :count], scales.dtype)
        zeros = reshaped(zeros, [experts, rows, blocks, 1])
    scales = reshaped(scales, [experts, rows, blocks, 1])
    values = reshaped(values, [experts, rows, blocks, columns // blocks])
    return reshaped((values - zeros) * scales, [experts, rows, columns])


def _routes(
    logits: tf.Tensor, weights: tf.Tensor | None, k: int, normalize: int | bool, sparse_mixer: int
) -> tf.Tensor:
    """Return how much of each expert each token takes, [tokens, experts]; 0 for those it does not pass."""
    if sparse_mixer:
        raise ValueError("use_sparse_mixer is not supported: ONNX Runtime has it on GPUs only")
    logits = computable(logits)
    chosen = tf.math.top_k(logits, k).indices
    shares = tf.nn.softmax(logits) if weights is None else computable(weights)
    taken = tf.gather(shares, chosen, batch_dims=1)
    if normalize:
        taken /= tf.reduce_sum(taken, -1, keepdims=True)
    experts = tf.one_hot(chosen, tf.cast(dims_of(logits)[1], tf.int32), dtype=taken.dtype)
    return tf.reduce_sum(experts * taken[..., tf.newaxis], 1)


def _mixed(
    x: tf.Tensor,
    routes: tf.Tensor,
    layers: Sequence[tuple[tf.Tensor | None, tf.Tensor | None]],
    activation: Callable[[tf.Tensor, tf.Tensor | None], tf.Tensor],
) -> tf.Tensor:
    """Return the tokens after their experts; each expert computes the tokens that chose it alone."""
    dims = dims_of(x)
    tokens = reshaped(computable(x), [-1, dims[-1]])
    wide: list[Any] = [None if w is None else (computable(w), None if b is None else computable(b)) for w, b in layers]

    def expert(index: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        share = routes[:, index]
        rows = tf.where(share != 0)
        data = tf.gather_nd(tokens, rows)
        hidden = _layer(data, wide[0], index)
        hidden = activation(hidden, None if wide[2] is None else _layer(data, wide[2], index))
        y = _layer(hidden, wide[1], index) * tf.gather_nd(share, rows)[:, tf.newaxis]
        return index + 1, tf.tensor_scatter_nd_add(total, rows, y)

    count = dims_of(routes)[1]
    _, total = tf.while_loop(lambda i, _: i < tf.cast(count, tf.int32), expert, (0, tf.zeros_like(tokens)))
    return tf.cast(reshaped(total, dims), x.dtype)


def _layer(x: tf.Tensor, layer: tuple[tf.Tensor, tf.Tensor | None], expert: tf.Tensor) -> tf.Tensor:
    """Return x [tokens, in] times the weights of an expert, of [experts, out, in], and its bias."""
    weights, bias = layer
    y = tf.matmul(x, weights[expert], transpose_b=True)
    return y if bias is None else y + bias[expert]


def _gelu(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.gelu(x, approximate=True)


def _activated(
    x: tf.Tensor, linear: tf.Tensor | None, *, kind: str, alpha: float, beta: float, fusion: int,
    limit: float | None, limit_after: int,
) -> tf.Tensor:  # fmt: skip
    """Return the activation of x [tokens, hidden], times what the third layer computes if there is one."""
    if limit_after and kind != "swiglu":
        raise ValueError(f"swiglu_limit_after_activation is for activation 'swiglu' alone, not {kind!r}")
    if kind == "swiglu":
        gate = x
        if fusion == 1:
            gate, linear = x[..., 0::2], x[..., 1::2]
        elif fusion == 2:
            gate, linear = tf.split(x, 2, -1)
        if linear is None:
            raise ValueError("swiglu without swiglu_fusion multiplies by the layer fc3, which is missing")
        if limit is not None:
            linear = tf.clip_by_value(linear, -limit, limit)
            gate = gate if limit_after else tf.minimum(gate, limit)
        opened = gate * tf.sigmoid(alpha * gate)
        opened = tf.minimum(opened, limit) if limit_after and limit is not None else opened
        return opened * (linear + beta)
    functions = {"relu": tf.nn.relu, "gelu": _gelu, "silu": tf.nn.silu, "identity": tf.identity}
    if kind not in functions:
        raise ValueError(f"activation {kind!r} is not known: one of {sorted([*functions, 'swiglu'])} is expected")
    y = functions[kind](x)
    return y if linear is None else y * linear
