"""Fused operators and normalizations of com.microsoft, against ONNX Runtime."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from test.handlers.com_microsoft.case import by_onnx_runtime, case, each

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
        yield case("TransposeMatMul", [normal(*a_shape), normal(*b_shape)], attributes)


def gelu():
    x, bias = normal(2, 3, 8), normal(8)
    half = [x.astype(np.float16), bias.astype(np.float16)]
    loose = {"rtol": 2e-2, "atol": 2e-3, "through": ["dynamic"]}
    yield case("Gelu", [x])
    yield case("Gelu", [normal(0, 3)], through=["export"])
    yield case("Gelu", half[:1], **loose)
    yield case("QuickGelu", half[:1], **loose)
    yield case("BiasGelu", half, **loose)
    yield case("BiasGelu", [normal(5, 8), bias], through=["export"])
    yield case("QuickGelu", [x])
    yield case("QuickGelu", [x], {"alpha": 0.7}, through=["dynamic"])
    yield case("BiasGelu", [x, bias])
    yield case("FastGelu", [x])
    yield case("FastGelu", [x, bias], through=["dynamic", "export"])
    yield case("FastGelu", half, **loose)


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


@each("dtype", [np.uint8, np.int8])
def q_embed_layer_normalization(dtype):
    ids, segments = RNG.integers(0, 10, (2, 5)).astype(np.int32), RNG.integers(0, 2, (2, 5)).astype(np.int32)
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], np.int32)
    values = [RNG.integers(0, 256, shape).astype(np.uint8).view(dtype) for shape in ((10, 8), (6, 8), (2, 8), 8, 8)]
    scales = [np.array(scale, np.float32) for scale in RNG.uniform(0.01, 0.1, 5)]
    zeros = [np.array(zero, dtype) for zero in RNG.integers(0, 100, 5)]
    yield case("QEmbedLayerNormalization", [ids, segments, *values, mask, *scales, *zeros], outputs=2)
    values[2] = scales[2] = zeros[2] = None
    yield case("QEmbedLayerNormalization", [ids, None, *values, None, *scales, *zeros], outputs=2, through=["dynamic"])


def gated():
    x, y = normal(2, 3, 8), normal(2, 3, 8)
    yield case("GatedAdd", [x, y, normal(2, 3, 1)])
    yield case("GatedAdd", [normal(3, 4), normal(3, 4), normal(3, 1)], through=["dynamic"])
    yield case("GatedAdd", [z.astype(np.float16) for z in (x, y, normal(2, 3, 1))], rtol=2e-2, atol=1e-3)
    yield case("GatedRMSNorm", [x, normal(4), y])
    yield case("GatedRMSNorm", [x, normal(8), y], {"activation": "sigmoid", "epsilon": 0.1})
    half = [z.astype(np.float16) for z in (x, normal(8), y)]
    yield case("GatedRMSNorm", half, {"activation": "swish"}, rtol=1e-2, atol=1e-3)


def matrix_products_with_activations():
    a, b, bias = normal(2, 3, 4), normal(4, 5), normal(5)
    for activation, attributes in [("Relu", {}), ("LeakyRelu", {"activation_alpha": 0.2}), ("Tanh", {})]:
        nodes = f"p = MatMul (x0, x1) h = Constant <value_float = 0.5> () s = Mul (p, h) y = {activation}"
        expected = by_onnx_runtime(nodes + ("<alpha = 0.2> (s)" if attributes else "(s)"), a, b)
        attributes = {"alpha": 0.5, "activation": activation} | attributes
        yield case("FusedMatMulActivation", [a, b], attributes, reference=expected)
    expected = by_onnx_runtime("p = MatMul (x0, x1) y = Softmax <axis = 1> (p)", a, b)
    softmax = {"activation": "Softmax", "activation_axis": 1, "transB": 1}
    yield case("FusedMatMulActivation", [a, b.T.copy()], softmax, reference=expected)
    wide = [z[:, None, None, None] for z in (a, *expected)]
    softmax |= {"activation_axis": -2}
    yield case("FusedMatMulActivation", [wide[0], b.T.copy()], softmax, reference=wide[1:])

    for x in (a, normal(3, 4), normal(2, 1, 3, 4)):
        expected = by_onnx_runtime(
            'p = MatMul (x0, x1) s = Add (p, x2) y = Gelu <approximate = "tanh"> (s)', x, b, bias
        )
        yield case("GemmFastGelu", [x, b, bias], reference=expected)
    expected = by_onnx_runtime('p = MatMul (x0, x1) y = Gelu <approximate = "tanh"> (p)', a, b)
    yield case("GemmFastGelu", [a, b], reference=expected)


@each("shape", [(2, 3, 8), (1, 5, 4), (0, 2, 6)])
def biases(shape):
    x, bias, skip = normal(*shape), normal(shape[-1]), normal(*shape)
    yield case("BiasAdd", [x, bias, skip], reference=[x + bias + skip])
    expected = by_onnx_runtime(
        "s = Add (x0, x1) a, b = Split <axis = -1, num_outputs = 2> (s) g = Gelu (b) y = Mul (a, g)", x, bias
    )
    yield case("BiasSplitGelu", [x, bias], reference=expected)


BIASED = [
    ((2, 4, 3, 5), (2, 1, 1, 5), 3, 1),
    ((2, 4, 3, 5), (2, 5), 3, 1),
    ((2, 4, 3, 5), (3, 5), 2, 0),
    ((6, 5), (5,), 1, 0),
]


@each("shape bias axis inner", BIASED)
def bias_softmax(shape, bias, axis, inner):
    x, bias = normal(*shape), normal(*bias)
    wide = bias.reshape(shape[0], *[1] * (axis - 1), *shape[axis:]) if inner else bias
    nodes = f"s = Add (x0, x1) f = Flatten <axis = {axis}> (s) p = Softmax (f) d = Shape (x0) y = Reshape (p, d)"
    attributes = {"axis": axis, "is_inner_broadcast": inner}
    yield case("BiasSoftmax", [x, bias], attributes, reference=by_onnx_runtime(nodes, x, wide))


@each("shape size", [((2, 3, 8), 5), ((3, 4), 1)])
def gates_that_are_projected(shape, size):
    # ONNX Runtime has it on GPUs alone: the schema's text, rounding by rounding. The sums are exact in float32.
    low = ml_dtypes.bfloat16
    x, y = normal(*shape).astype(low), normal(*shape).astype(low)
    gate, weight = (RNG.integers(-8, 9, dims).astype(low) / low(4) for dims in ((*shape[:-1], size), (size, 1)))
    logits = (gate.astype(np.float32) @ weight.astype(np.float32)).astype(low).astype(np.float32)
    opened = (1 / (1 + np.exp(-logits))).astype(low)
    product = (y.astype(np.float32) * opened.astype(np.float32)).astype(low)
    expected = (x.astype(np.float32) + product.astype(np.float32)).astype(low)
    through = ["static", "dynamic", "export"]
    yield case("GatedAdd", [x, y, gate, weight], reference=[expected], through=through, rtol=0, atol=0)
