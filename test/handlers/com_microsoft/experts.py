"""Mixtures of experts, against ONNX Runtime."""

from __future__ import annotations

import functools

import numpy as np

from test.handlers.com_microsoft.case import case, each

RNG = np.random.default_rng(23)
check = functools.partial(case, rtol=1e-3, atol=1e-3)
EXPERTS = 4
SWIGLU = {"activation_type": "swiglu", "swiglu_fusion": 1}


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


@each("activation", ["relu", "gelu", "silu", "identity"])
def moe(activation):
    inputs = [normal(6, 8), normal(6, EXPERTS), normal(EXPERTS, 16, 8), None, normal(EXPERTS, 8, 16)]
    yield check("MoE", inputs, {"k": 2, "activation_type": activation}, through=["dynamic"])
    if activation == "relu":
        inputs[0] = normal(2, 3, 8)
        yield check("MoE", inputs, {"normalize_routing_weights": 1, "k": 3}, through=["static"])
        inputs[3:] = [normal(EXPERTS, 16), inputs[4], normal(EXPERTS, 8)]
        yield check("MoE", inputs, {"k": 1}, through=["export"])


def moe_with_gates():
    x, router = normal(6, 8), normal(6, EXPERTS)
    fused, narrow, back = normal(EXPERTS, 32, 8), normal(EXPERTS, 32), normal(EXPERTS, 8, 16)
    limits = {"activation_alpha": 1.7, "activation_beta": 1.0, "swiglu_limit": 1.5}
    inputs = [x, router, fused, narrow, back, normal(EXPERTS, 8)]
    yield check("MoE", inputs, SWIGLU | limits | {"k": 2})
    # On CPUs ONNX Runtime has no third matrix: its formula with k = all experts.
    third, third_bias = normal(EXPERTS, 16, 8), normal(EXPERTS, 16)
    gates = np.einsum("tk,enk->ten", x, fused[:, :16])
    linear = np.einsum("tk,enk->ten", x, third) + third_bias
    shares = np.exp(router) / np.exp(router).sum(-1, keepdims=True)
    hidden = gates / (1 + np.exp(-gates)) * linear
    expected = np.einsum("ten,ekn,te->tk", hidden, back, shares)
    inputs = [x, router, fused[:, :16].copy(), None, back, None, third, third_bias]
    yield check("MoE", inputs, {"k": EXPERTS, "activation_type": "silu"}, reference=[expected])


def weights(rows, columns, bits, blocks=None):
    """Return packed weights and their scales."""
    shape = (EXPERTS, rows) if blocks is None else (EXPERTS, rows, blocks)
    scales = RNG.uniform(0.01, 0.1, shape).astype(np.float32)
    return RNG.integers(0, 256, (EXPERTS, rows, columns * bits // 8)).astype(np.uint8), scales


def zeros(*shape):
    return RNG.integers(0, 256, (EXPERTS, *shape)).astype(np.uint8)


def q_moe():
    x, router = normal(6, 32), normal(6, EXPERTS)
    fixed = {"constants": [2, 3, 5, 6], "atol": 2e-2}
    first, second = weights(64, 32, 4), weights(32, 64, 4)
    plain = [x, router, *first, None, *second]
    yield check("QMoE", plain, {"k": 2}, **fixed, through=["static", "dynamic", "export"])
    biased = [x, router, *first, normal(EXPERTS, 64), *second, normal(EXPERTS, 32)]
    with_zeros = {**fixed, "constants": [2, 3, 5, 6, 11, 12]}
    yield check("QMoE", [*biased, None, None, None, zeros(32), zeros(16)], {"k": 1}, **with_zeros)
    shares = RNG.uniform(0, 1, (6, EXPERTS)).astype(np.float32)
    yield check("QMoE", [*plain, *[None] * 7, shares], {"k": 2}, **fixed)
    blocks = [x, router, *weights(64, 32, 4, 2), None, *weights(32, 64, 4, 4)]
    blocks += [None, None, None, None, zeros(64, 1), zeros(32, 2)]
    yield check("QMoE", blocks, {"k": 2, "block_size": 16}, **with_zeros)
    bytes_ = [x, router, *weights(128, 32, 8), None, *weights(32, 64, 8)]
    yield check("QMoE", bytes_, SWIGLU | {"k": 2, "expert_weight_bits": 8}, **fixed)


def clipped_after(x, router, fused, back, attributes):
    """Return what the schema's text says where all experts are taken and the activated gate is clipped."""
    hidden = np.einsum("tk,enk->ten", x, fused)
    gate, linear = hidden[..., 0::2], hidden[..., 1::2]
    limit = attributes.get("swiglu_limit", np.inf)
    gate = np.minimum(gate * (1 + np.tanh(attributes["activation_alpha"] * gate / 2)) / 2, limit)
    hidden = gate * (np.clip(linear, -limit, limit) + attributes["activation_beta"])
    shares = np.exp(router) / np.exp(router).sum(-1, keepdims=True)
    return np.einsum("ten,ekn,te->tk", hidden, back, shares)


@each("limit", [{}, {"swiglu_limit": 1.5}])
def clipped_after_the_activation(limit):
    # ONNX Runtime has it on GPUs alone.
    x, router = normal(6, 32), normal(6, EXPERTS)
    attributes = SWIGLU | limit | {"activation_alpha": 1.7, "activation_beta": 1.0, "k": EXPERTS}
    attributes |= {"swiglu_limit_after_activation": 1}
    fused, back = normal(EXPERTS, 32, 32), normal(EXPERTS, 32, 16)
    expected = clipped_after(x, router, fused, back, attributes)
    yield check("MoE", [x, router, fused, None, back], attributes, reference=[expected])
    (fc1, scales1), (fc2, scales2) = weights(128, 32, 8), weights(32, 64, 8)
    scales1, scales2 = scales1 / 10, scales2 / 10
    floats = [(w.astype(np.float32) - 128) * s[..., None] for w, s in ((fc1, scales1), (fc2, scales2))]
    expected = clipped_after(x, router, *floats, attributes)
    inputs = [x, router, fc1, scales1, None, fc2, scales2]
    attributes = attributes | {"expert_weight_bits": 8}
    yield check("QMoE", inputs, attributes, constants=[2, 3, 5, 6], atol=2e-2, reference=[expected])
