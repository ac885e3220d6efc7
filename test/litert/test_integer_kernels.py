"""Quantised models become integer kernels with their own scales and weights, and ONNX Runtime's numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from onnx_tf.export.flatbuffer import operators
from onnx_tf.export.integers.file import float_operators
from test.litert.integers import check_integers
from test.litert.pairs import Pairs

Build = Callable[[Pairs], str]
CASES: dict[str, tuple[Build, str]] = {}
"""By name: what adds an operator to a graph and returns the last value, and LiteRT's operator for it."""
WEIGHTED: set[str] = set()
"""Cases that have weights, whose granularity is tried too."""
FLOATS: set[str] = set()
"""Cases of which something stays in floats, since LiteRT's kernel has other scales."""


def case(name: str, kernel: str, *, weighted: bool = False, floats: bool = False) -> Callable[[Build], Build]:
    def add(build: Build) -> Build:
        CASES[name] = build, kernel
        if weighted:
            WEIGHTED.add(name)
        if floats:
            FLOATS.add(name)
        return build

    return add


def convolution(name: str, dims: Sequence[int], filters: Sequence[int], kernel: str = "CONV_2D", **attributes) -> None:
    @case(name, kernel, weighted=True)
    def build(graph: Pairs) -> str:
        x, w = graph.input(*dims), graph.weights(*filters)
        y = graph.node("Conv", x, w, graph.bias(filters[0], x, w), **attributes)
        return graph.pair(y)


convolution("conv", (2, 5, 9, 8), (7, 5, 3, 3), pads=[1, 1, 1, 1])
convolution("conv_1x1", (1, 8, 6, 6), (4, 8, 1, 1))
convolution("conv_strided_uneven", (1, 3, 11, 12), (6, 3, 3, 3), strides=[2, 2], pads=[0, 1, 1, 2])
convolution("conv_dilated", (1, 4, 12, 12), (6, 4, 3, 3), dilations=[2, 2], pads=[2, 2, 2, 2])
convolution("conv_grouped", (1, 8, 7, 7), (12, 4, 3, 3), group=2, pads=[1, 1, 1, 1])
convolution("conv_depthwise", (1, 6, 9, 9), (6, 1, 3, 3), "DEPTHWISE_CONV_2D", group=6, pads=[1, 1, 1, 1])
convolution("conv_multiplied", (1, 6, 9, 9), (12, 1, 3, 3), "DEPTHWISE_CONV_2D", group=6, strides=[2, 2])
convolution("conv_dilated_depthwise", (1, 6, 9, 9), (6, 1, 3, 3), "DEPTHWISE_CONV_2D", group=6, dilations=[2, 2])
convolution("conv_line", (2, 5, 16), (7, 5, 3), pads=[1, 1])


@case("conv_without_bias", "CONV_2D", weighted=True)
def _(graph: Pairs) -> str:
    return graph.pair(graph.node("Conv", graph.input(1, 4, 6, 6), graph.weights(5, 4, 3, 3)))


@case("conv_float_bias", "CONV_2D", weighted=True)
def _(graph: Pairs) -> str:
    x, w = graph.input(1, 4, 6, 6), graph.weights(5, 4, 3, 3)
    return graph.pair(graph.node("Conv", x, w, graph.constant(np.linspace(-1, 1, 5, dtype=np.float32))))


@case("conv_relu", "CONV_2D", weighted=True)
def _(graph: Pairs) -> str:
    y = graph.node("Conv", graph.input(1, 4, 6, 6), graph.weights(5, 4, 3, 3))
    return graph.pair(graph.node("Relu", y))


@case("conv_clip", "CONV_2D", weighted=True)
def _(graph: Pairs) -> str:
    y = graph.node("Conv", graph.input(1, 4, 6, 6), graph.weights(5, 4, 3, 3))
    bounds = [graph.constant(np.float32(bound)) for bound in (-0.5, 1.25)]
    return graph.pair(graph.node("Clip", y, *bounds), 0.02, int(np.iinfo(graph.dtype).min) + 100)


@case("conv_padded_before", "CONV_2D", weighted=True)
def _(graph: Pairs) -> str:
    x = graph.node("Pad", graph.input(1, 4, 6, 6), graph.constant(np.array([0, 0, 1, 2, 0, 0, 1, 1])))
    return graph.pair(graph.node("Conv", x, graph.weights(5, 4, 3, 3)))


@case("conv_moved_after", "CONV_2D", weighted=True)
def _(graph: Pairs) -> str:
    y = graph.node("Conv", graph.input(1, 4, 6, 6), graph.weights(6, 4, 3, 3))
    y = graph.node("Reshape", y, graph.constant(np.array([1, 2, 3, 16])))
    return graph.pair(graph.node("Transpose", y, perm=[0, 3, 1, 2]))


@case("conv_uneven_weights", "CONV_2D")
def _(graph: Pairs) -> str:
    y = graph.pair(graph.node("Conv", graph.input(1, 4, 8, 8), graph.uneven_weights(5, 4, 3, 3)))
    return graph.pair(graph.node("Relu", graph.node("Conv", y, graph.uneven_weights(6, 5, 3, 3))))


@case("conv_depthwise_uneven_weights", "DEPTHWISE_CONV_2D")
def _(graph: Pairs) -> str:
    return graph.pair(graph.node("Conv", graph.input(1, 4, 8, 8), graph.uneven_weights(4, 1, 3, 3), group=4))


@case("gemm_uneven_weights", "FULLY_CONNECTED")
def _(graph: Pairs) -> str:
    x, w = graph.input(4, 20), graph.uneven_weights(9, 20)
    return graph.pair(graph.node("Gemm", x, w, graph.bias(9, x, w), transB=1))


def without_scale(name: str, filters: Sequence[int], op_type: str = "Conv", **attributes) -> None:
    @case(name, "DEQUANTIZE", weighted=True, floats=True)
    def build(graph: Pairs) -> str:
        w = graph.weights(*filters, axis=op_type == "ConvTranspose")
        y = graph.node(op_type, graph.input(1, 6, 8, 8), w, **attributes)
        return graph.pair(graph.node("Sigmoid", graph.node("Exp", graph.node("Tanh", y))))


without_scale("conv_without_scale", (5, 6, 3, 3))
without_scale("conv_depthwise_without_scale", (6, 1, 3, 3), group=6)
without_scale("conv_transposed_without_scale", (6, 4, 2, 2), "ConvTranspose", strides=[2, 2])


@case("matmul_without_scale", "DEQUANTIZE", weighted=True, floats=True)
def _(graph: Pairs) -> str:
    y = graph.node("MatMul", graph.input(2, 4, 20), graph.weights(20, 9, axis=1))
    return graph.pair(graph.node("Sigmoid", graph.node("Exp", graph.node("Tanh", y))))


@case("conv_transposed", "", weighted=True)
def _(graph: Pairs) -> str:
    x, w = graph.input(1, 5, 6, 6), graph.weights(5, 4, 3, 3, axis=1)
    return graph.pair(graph.node("ConvTranspose", x, w, graph.bias(4, x, w), strides=[2, 2], pads=[1, 1, 1, 1]))


@case("conv_transposed_2x2", "", weighted=True)
def _(graph: Pairs) -> str:
    x, w = graph.input(1, 5, 6, 6), graph.weights(5, 4, 2, 2, axis=1)
    return graph.pair(graph.node("ConvTranspose", x, w, strides=[2, 2]))


@case("gemm", "FULLY_CONNECTED", weighted=True)
def _(graph: Pairs) -> str:
    x, w = graph.input(4, 20), graph.weights(9, 20)
    return graph.pair(graph.node("Gemm", x, w, graph.bias(9, x, w), transB=1))


@case("gemm_relu", "FULLY_CONNECTED", weighted=True)
def _(graph: Pairs) -> str:
    x, w = graph.input(4, 20), graph.weights(20, 9, axis=1)
    return graph.pair(graph.node("Relu", graph.node("Gemm", x, w, graph.bias(9, x, w))))


@case("matmul", "FULLY_CONNECTED", weighted=True)
def _(graph: Pairs) -> str:
    return graph.pair(graph.node("MatMul", graph.input(4, 20), graph.weights(20, 9, axis=1)))


@case("matmul_relu", "FULLY_CONNECTED", weighted=True)
def _(graph: Pairs) -> str:
    y = graph.node("MatMul", graph.input(4, 20), graph.weights(20, 9, axis=1))
    return graph.pair(graph.node("Relu", y))


@case("matmul_of_batches", "FULLY_CONNECTED", weighted=True)
def _(graph: Pairs) -> str:
    x, w = graph.input(2, 4, 20), graph.weights(20, 9, axis=1)
    return graph.pair(graph.node("Add", graph.node("MatMul", x, w), graph.bias(9, x, w)))


@case("matmul_of_transposed_weights", "FULLY_CONNECTED", weighted=True)
def _(graph: Pairs) -> str:
    w = graph.node("Transpose", graph.weights(9, 20), perm=[1, 0])
    return graph.pair(graph.node("MatMul", graph.input(2, 4, 20), w))


@case("matmul_of_reshaped_weights", "FULLY_CONNECTED")
def _(graph: Pairs) -> str:
    graph.per_channel = False
    w = graph.node("Reshape", graph.weights(3, 4, 15), graph.constant(np.array([20, 9])))
    return graph.pair(graph.node("MatMul", graph.input(2, 4, 20), w))


@case("matmul_of_activations", "BATCH_MATMUL")
def _(graph: Pairs) -> str:
    return graph.pair(graph.node("MatMul", graph.input(2, 3, 4, 6), graph.input(2, 3, 6, 5)))


@case("matmul_of_transposed", "BATCH_MATMUL")
def _(graph: Pairs) -> str:
    y = graph.node("Transpose", graph.input(2, 3, 5, 6), perm=[0, 1, 3, 2])
    return graph.pair(graph.node("MatMul", graph.input(2, 3, 4, 6), y))


for op_type in ("Add", "Sub", "Mul"):

    @case(op_type.lower(), op_type.upper())
    def _(graph: Pairs, op_type: str = op_type) -> str:
        return graph.pair(graph.node(op_type, graph.input(2, 5, 6), graph.input(2, 5, 6, low=-1)))

    @case(f"{op_type.lower()}_broadcast", op_type.upper())
    def _(graph: Pairs, op_type: str = op_type) -> str:
        return graph.pair(graph.node(op_type, graph.input(2, 5, 6), graph.input(5, 1)))

    @case(f"{op_type.lower()}_number", op_type.upper())
    def _(graph: Pairs, op_type: str = op_type) -> str:
        return graph.pair(graph.node(op_type, graph.input(2, 5, 6), graph.constant(np.float32(-0.7))))


@case("add_relu", "ADD")
def _(graph: Pairs) -> str:
    return graph.pair(graph.node("Relu", graph.node("Add", graph.input(2, 5, 6), graph.input(2, 5, 6))))


@case("max_pool", "MAX_POOL_2D")
def _(graph: Pairs) -> str:
    y = graph.node("MaxPool", graph.input(1, 3, 8, 8), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    return graph.pair(y)


@case("average_pool", "AVERAGE_POOL_2D")
def _(graph: Pairs) -> str:
    x = graph.input(1, 3, 8, 8)
    scale, zero_point = next(reversed(graph.steps.values()))
    return graph.pair(graph.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2]), float(scale), int(zero_point))


@case("average_pool_of_two_scales", "AVERAGE_POOL_2D", floats=True)
def _(graph: Pairs) -> str:
    return graph.pair(graph.node("AveragePool", graph.input(1, 3, 8, 8), kernel_shape=[3, 3]))


@case("average_pool_of_all", "MEAN")
def _(graph: Pairs) -> str:
    return graph.pair(graph.node("AveragePool", graph.input(1, 3, 8, 8), kernel_shape=[8, 8]))


@case("global_average_pool", "MEAN")
def _(graph: Pairs) -> str:
    return graph.pair(graph.node("GlobalAveragePool", graph.input(1, 3, 8, 8)))


@case("mean", "MEAN")
def _(graph: Pairs) -> str:
    return graph.pair(graph.node("ReduceMean", graph.input(2, 3, 8), axes=[2], keepdims=0))


@case("relu", "")
def _(graph: Pairs) -> str:
    return graph.pair(graph.node("Relu", graph.input(2, 3, 8)))


@case("clip", "MAXIMUM")
def _(graph: Pairs) -> str:
    bounds = [graph.constant(np.float32(bound)) for bound in (-0.5, 1.25)]
    return graph.pair(graph.node("Clip", graph.input(2, 3, 8), *bounds), 0.02, int(np.iinfo(graph.dtype).min) + 100)


@case("concat", "CONCATENATION")
def _(graph: Pairs) -> str:
    return graph.pair(graph.node("Concat", graph.input(2, 3, 8), graph.input(2, 4, 8, low=0), axis=1))


@case("reshape", "RESHAPE")
def _(graph: Pairs) -> str:
    return graph.pair(graph.node("Reshape", graph.input(2, 3, 8), graph.constant(np.array([6, 8]))))


@case("transpose", "TRANSPOSE")
def _(graph: Pairs) -> str:
    return graph.pair(graph.node("Transpose", graph.input(2, 3, 8), perm=[2, 0, 1]))


@case("slice", "")
def _(graph: Pairs) -> str:
    places = [graph.constant(np.array(numbers)) for numbers in ([0, 1], [2, 7], [1, 2], [1, 2])]
    return graph.pair(graph.node("Slice", graph.input(2, 3, 8), *places))


@case("gather", "GATHER")
def _(graph: Pairs) -> str:
    return graph.pair(graph.node("Gather", graph.input(2, 3, 8), graph.constant(np.array([2, 0])), axis=1))


@case("gather_of_table", "GATHER")
def _(graph: Pairs) -> str:
    graph.per_channel = False
    places = graph.constant(np.array([[2, 0, 19], [3, 3, 3]]))
    x = graph.node("Gather", graph.weights(20, 6), places)
    return graph.pair(graph.node("Add", x, graph.input(2, 3, 6)))


@case("pad", "")
def _(graph: Pairs) -> str:
    pads = graph.constant(np.array([0, 1, 2, 0, 0, 1]))
    return graph.pair(graph.node("Pad", graph.input(2, 3, 8), pads, graph.constant(np.float32(1.5))))


@case("resize_nearest", "")
def _(graph: Pairs) -> str:
    scales = graph.constant(np.array([1, 1, 2, 2], np.float32))
    return graph.pair(graph.node("Resize", graph.input(1, 3, 5, 6), "", scales, mode="nearest", nearest_mode="floor"))


@case("split", "")
def _(graph: Pairs) -> str:
    left, right = graph.node("Split", graph.input(2, 6, 8), outputs=2, axis=1)
    return graph.pair(graph.node("Mul", graph.pair(left), graph.pair(right)))


@case("softmax", "SOFTMAX")
def _(graph: Pairs) -> str:
    return graph.pair(graph.node("Softmax", graph.input(2, 3, 8)), 1 / 256, int(np.iinfo(graph.dtype).min))


@case("sigmoid", "LOGISTIC")
def _(graph: Pairs) -> str:
    return graph.pair(graph.node("Sigmoid", graph.input(2, 3, 8)), 1 / 256, int(np.iinfo(graph.dtype).min))


@case("sigmoid_of_another_scale", "LOGISTIC", floats=True)
def _(graph: Pairs) -> str:
    return graph.pair(graph.node("Sigmoid", graph.input(2, 3, 8)))


@case("tanh", "TANH")
def _(graph: Pairs) -> str:
    return graph.pair(graph.node("Tanh", graph.input(2, 3, 8)), 1 / 128, int(np.iinfo(graph.dtype).min) + 128)


@case("leaky_relu", "LEAKY_RELU")
def _(graph: Pairs) -> str:
    return graph.pair(graph.node("LeakyRelu", graph.input(2, 3, 8), alpha=0.125))


@case("hard_swish", "HARD_SWISH")
def _(graph: Pairs) -> str:
    return graph.pair(graph.node("HardSwish", graph.input(2, 3, 8)))


@case("swish", "MUL", floats=True)
def _(graph: Pairs) -> str:
    x = graph.input(2, 3, 8)
    return graph.pair(graph.node("Mul", x, graph.pair(graph.node("Sigmoid", x))))


VARIANTS = [
    (name, dtype, per_channel)
    for name in CASES
    for dtype in (np.uint8, np.int8)
    for per_channel in ((True, False) if name in WEIGHTED else (True,))
]


def _is_quick(place: int, name: str, per_channel: bool) -> bool:
    """Return whether a variant is among the half that every run tries: each case, dtype and granularity is."""
    return per_channel == (place % 4 < 2) if name in WEIGHTED else place % 2 == list(CASES).index(name) % 2


PARAMS = [
    pytest.param(
        *(name, dtype, per_channel),
        marks=[pytest.mark.slow] * (not _is_quick(place, name, per_channel)),
        id=f"{name}-{dtype.__name__}-{'channels' if per_channel else 'tensor'}",
    )
    for place, (name, dtype, per_channel) in enumerate(VARIANTS)
]


@pytest.mark.parametrize(("name", "dtype", "per_channel"), PARAMS)
def test_integer_kernels(name, dtype, per_channel, tmp_path):
    build, kernel = CASES[name]
    graph = Pairs(dtype, per_channel)
    model = graph.model([build(graph)])
    content = check_integers(model, graph.feed, tmp_path)
    assert kernel in ("", *operators(content))
    assert bool(float_operators(content)) == (name in FLOATS)
