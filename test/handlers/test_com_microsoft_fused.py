"""Fused operators and normalizations of com.microsoft, against ONNX Runtime."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from test.handlers.check import check_op

RNG = np.random.default_rng(5)
check = functools.partial(check_op, domain="com.microsoft")


def normal(*shape, dtype=np.float32):
    return np.asarray(RNG.normal(size=shape), dtype)


ACTIVATIONS = [
    ("Relu", []),
    ("Tanh", []),
    ("Sigmoid", []),
    ("LeakyRelu", [0.2]),
    ("Clip", [-0.5, 0.7]),
    ("HardSigmoid", [0.3, 0.4]),
]


@pytest.mark.parametrize(("activation", "parameters"), ACTIVATIONS)
def test_fused_conv(activation, parameters):
    x, w, b, z = normal(1, 4, 5, 6), normal(4, 2, 3, 3), normal(4), normal(1, 4, 5, 6)
    attributes = {"activation": activation, "group": 2, "pads": [1, 1, 1, 1]}
    if parameters:
        attributes["activation_params"] = parameters
    check("FusedConv", [x, w, b], attributes, constants=[1, 2])
    if activation == "Relu":
        check("FusedConv", [x, w], attributes, through=["static"])
        check("FusedConv", [x, w, b, z], attributes, constants=[1], through=["static", "export"])


@pytest.mark.parametrize("activation", ["Relu", "LeakyRelu", "Sigmoid"])
def test_fused_gemm(activation):
    a, b, c = normal(3, 4), normal(4, 5), normal(5)
    attributes = {"alpha": 0.5, "beta": 2.0, "activation": activation}
    if activation == "LeakyRelu":
        attributes["activation_alpha"] = 0.2
    check("FusedGemm", [a, b, c], attributes)
    check("FusedGemm", [a.T.copy(), b.T.copy(), None], attributes | {"transA": 1, "transB": 1}, through=["static"])


MATRICES = [
    ((2, 3, 4), (4, 5), {"alpha": 0.5}),
    ((2, 4, 3), (2, 5, 4), {"transA": 1, "transB": 1}),
    ((3, 2, 4), (2, 4, 5), {"transBatchA": 1}),
    ((4, 2, 3), (5, 2, 4), {"transBatchA": 1, "transA": 1, "transBatchB": 1, "transB": 1}),
    ((4,), (4, 5), {}),
]


@pytest.mark.parametrize(("a_shape", "b_shape", "attributes"), MATRICES)
def test_fused_mat_mul(a_shape, b_shape, attributes):
    check("FusedMatMul", [normal(*a_shape), normal(*b_shape)], attributes)
    if not any(name.startswith("transBatch") for name in attributes):
        check("TransposeMatMul", [normal(*a_shape), normal(*b_shape)], attributes, through=["dynamic"])


def test_gelu():
    x, bias = normal(2, 3, 8), normal(8)
    check("Gelu", [x])
    check("QuickGelu", [x])
    check("QuickGelu", [x], {"alpha": 0.7}, through=["dynamic"])
    check("BiasGelu", [x, bias])
    check("FastGelu", [x])
    check("FastGelu", [x, bias], through=["dynamic", "export"])
    half = [x.astype(np.float16), bias.astype(np.float16)]
    check("FastGelu", half, through=["dynamic"], rtol=2e-2, atol=2e-3)


@pytest.mark.parametrize("axis", [-1, 1])
def test_layer_normalization_before_opset_17(axis):
    x = normal(2, 3, 4)
    scale, bias = normal(*x.shape[axis:]), normal(*x.shape[axis:])
    attributes = {"axis": axis, "epsilon": 1e-3}
    check_op("LayerNormalization", [x, scale, bias], attributes, opset=12)
    check_op("LayerNormalization", [x, scale], opset=12, through=["dynamic"]) if axis == -1 else None
    check_op("SimplifiedLayerNormalization", [x, scale], attributes, opset=12)
    check_op("SimplifiedLayerNormalization", [x, scale], attributes, opset=17, through=["export"])


@pytest.mark.parametrize("skip_shape", [(2, 3, 8), (1, 3, 8), (3, 8)])
def test_skip_layer_normalizations(skip_shape):
    x, skip, gamma, beta, bias = normal(2, 3, 8), normal(*skip_shape), normal(8), normal(8), normal(8)
    check("SkipLayerNormalization", [x, skip, gamma])
    check("SkipLayerNormalization", [x, skip, gamma, beta, bias], {"epsilon": 0.1}, through=["dynamic"])
    check("SkipLayerNormalization", [x, skip, gamma, None, bias], through=["static"])
    check("SkipSimplifiedLayerNormalization", [x, skip, gamma], through=["dynamic", "export"])
    check("SkipSimplifiedLayerNormalization", [x, skip, gamma, bias], through=["static"])


def test_embed_layer_normalization():
    ids, segments = RNG.integers(0, 10, (2, 5)).astype(np.int32), RNG.integers(0, 2, (2, 5)).astype(np.int32)
    word, place, segment, gamma, beta = normal(10, 8), normal(6, 8), normal(2, 8), normal(8), normal(8)
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], np.int32)
    positions = RNG.integers(0, 6, (2, 5)).astype(np.int32)
    inputs = [ids, segments, word, place, segment, gamma, beta]
    check("EmbedLayerNormalization", [*inputs, mask], outputs=2, constants=range(2, 7))
    check("EmbedLayerNormalization", inputs, outputs=2, through=["dynamic"])
    check("EmbedLayerNormalization", [*inputs, mask, positions], outputs=3, through=["dynamic"])
    check("EmbedLayerNormalization", [ids, None, word, place, None, gamma, beta, mask], outputs=2, through=["export"])
