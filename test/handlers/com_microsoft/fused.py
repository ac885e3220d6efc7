"""Fused operators and normalizations of com.microsoft, against ONNX Runtime."""

from __future__ import annotations

import numpy as np

from test.handlers.com_microsoft.case import case, each

RNG = np.random.default_rng(5)


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


@each("activation parameters", ACTIVATIONS)
def fused_conv(activation, parameters):
    x, w, b, z = normal(1, 4, 5, 6), normal(4, 2, 3, 3), normal(4), normal(1, 4, 5, 6)
    attributes = {"activation": activation, "group": 2, "pads": [1, 1, 1, 1]}
    if parameters:
        attributes["activation_params"] = parameters
    yield case("FusedConv", [x, w, b], attributes, constants=[1, 2])
    if activation == "Relu":
        yield case("FusedConv", [x, w], attributes, through=["static"])
        yield case("FusedConv", [x, w, b, z], attributes, constants=[1], through=["static", "export"])


@each("activation", ["Relu", "LeakyRelu", "Sigmoid"])
def fused_gemm(activation):
    a, b, c = normal(3, 4), normal(4, 5), normal(5)
    attributes = {"alpha": 0.5, "beta": 2.0, "activation": activation}
    if activation == "LeakyRelu":
        attributes["activation_alpha"] = 0.2
    yield case("FusedGemm", [a, b, c], attributes)
    yield case("FusedGemm", [a.T.copy(), b.T.copy(), None], attributes | {"transA": 1, "transB": 1}, through=["static"])


MATRICES = [
    ((2, 3, 4), (4, 5), {"alpha": 0.5}),
    ((2, 4, 3), (2, 5, 4), {"transA": 1, "transB": 1}),
    ((3, 2, 4), (2, 4, 5), {"transBatchA": 1}),
    ((4, 2, 3), (5, 2, 4), {"transBatchA": 1, "transA": 1, "transBatchB": 1, "transB": 1}),
    ((4,), (4, 5), {}),
]


@each("a_shape b_shape attributes", MATRICES)
def fused_mat_mul(a_shape, b_shape, attributes):
    yield case("FusedMatMul", [normal(*a_shape), normal(*b_shape)], attributes)
    if not any(name.startswith("transBatch") for name in attributes):
        yield case("TransposeMatMul", [normal(*a_shape), normal(*b_shape)], attributes, through=["dynamic"])


def gelu():
    x, bias = normal(2, 3, 8), normal(8)
    yield case("Gelu", [x])
    yield case("QuickGelu", [x])
    yield case("QuickGelu", [x], {"alpha": 0.7}, through=["dynamic"])
    yield case("BiasGelu", [x, bias])
    yield case("FastGelu", [x])
    yield case("FastGelu", [x, bias], through=["dynamic", "export"])
    half = [x.astype(np.float16), bias.astype(np.float16)]
    yield case("FastGelu", half, through=["dynamic"], rtol=2e-2, atol=2e-3)


@each("axis", [-1, 1])
def layer_normalization_before_opset_17(axis):
    x = normal(2, 3, 4)
    scale, bias = normal(*x.shape[axis:]), normal(*x.shape[axis:])
    attributes = {"axis": axis, "epsilon": 1e-3}
    yield case("LayerNormalization", [x, scale, bias], attributes, domain="", opset=12)
    if axis == -1:
        yield case("LayerNormalization", [x, scale], domain="", opset=12, through=["dynamic"])
    yield case("SimplifiedLayerNormalization", [x, scale], attributes, domain="", opset=12)
    yield case("SimplifiedLayerNormalization", [x, scale], attributes, domain="", opset=17, through=["export"])


@each("skip_shape", [(2, 3, 8), (1, 3, 8), (3, 8)])
def skip_layer_normalizations(skip_shape):
    x, skip, gamma, beta, bias = normal(2, 3, 8), normal(*skip_shape), normal(8), normal(8), normal(8)
    yield case("SkipLayerNormalization", [x, skip, gamma])
    yield case("SkipLayerNormalization", [x, skip, gamma, beta, bias], {"epsilon": 0.1}, through=["dynamic"])
    yield case("SkipLayerNormalization", [x, skip, gamma, None, bias], through=["static"])
    yield case("SkipSimplifiedLayerNormalization", [x, skip, gamma], through=["dynamic", "export"])
    yield case("SkipSimplifiedLayerNormalization", [x, skip, gamma, bias], through=["static"])


def embed_layer_normalization():
    ids, segments = RNG.integers(0, 10, (2, 5)).astype(np.int32), RNG.integers(0, 2, (2, 5)).astype(np.int32)
    word, place, segment, gamma, beta = normal(10, 8), normal(6, 8), normal(2, 8), normal(8), normal(8)
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], np.int32)
    positions = RNG.integers(0, 6, (2, 5)).astype(np.int32)
    inputs = [ids, segments, word, place, segment, gamma, beta]
    yield case("EmbedLayerNormalization", [*inputs, mask], outputs=2, constants=range(2, 7))
    yield case("EmbedLayerNormalization", inputs, outputs=2, through=["dynamic"])
    yield case("EmbedLayerNormalization", [*inputs, mask, positions], outputs=3, through=["dynamic"])
    yield case(
        "EmbedLayerNormalization", [ids, None, word, place, None, gamma, beta, mask], outputs=2, through=["export"]
    )
