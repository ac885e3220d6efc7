"""Drawn layers and short networks, many in one model: their integer kernels give ONNX Runtime's numbers.

Operators, sizes, dtypes and granularities are drawn; each block has an input and an output of its own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from onnx_tf.export.integers.file import float_operators
from test.litert.integers import check_integers
from test.litert.pairs import Pairs

MODELS, BLOCKS, QUICK = 25, 20, 3
"""How many models there are, of how many blocks, and how many of them are tried each time."""
SEEDS = [seed if seed < QUICK else pytest.param(seed, marks=pytest.mark.slow) for seed in range(MODELS)]
Draw = np.random.Generator


def _convolved(graph: Pairs, draw: Draw, x: str, dims: list[int]) -> tuple[str, list[int]]:
    batch, channels, height, width = dims
    kernel = [int(draw.integers(1, min(4, size + 1))) for size in (height, width)]
    strides = [int(draw.integers(1, 3)) for _ in kernel]
    pads = [int(draw.integers(0, size)) for size in (*kernel, *kernel)]
    is_depthwise, per_group = draw.random() < 0.3, int(draw.integers(1, 3))
    group = channels if is_depthwise else 1
    out = channels * per_group if is_depthwise else int(draw.integers(1, 9))
    w = graph.weights(out, channels // group, *kernel)
    bias = [graph.bias(out, x, w)] if draw.random() < 0.7 else []
    y = graph.node("Conv", x, w, *bias, strides=strides, pads=pads, group=group)
    sizes = [
        (size + pads[axis] + pads[axis + 2] - kernel[axis]) // strides[axis] + 1
        for axis, size in enumerate((height, width))
    ]
    return y, [batch, out, *sizes]


def _pooled(graph: Pairs, draw: Draw, x: str, dims: list[int]) -> tuple[str, list[int]]:
    if draw.random() < 0.5:
        return graph.node("GlobalAveragePool", x), [*dims[:2], 1, 1]
    y = graph.node("MaxPool", x, kernel_shape=[2, 2], strides=[1, 1], pads=[0, 0, 1, 1])
    return y, dims


def _multiplied(graph: Pairs, draw: Draw, x: str, dims: list[int]) -> tuple[str, list[int]]:
    out = int(draw.integers(1, 12))
    w = graph.weights(dims[-1], out, axis=1)
    y = graph.node("MatMul", x, w)
    if draw.random() < 0.5:
        y = graph.node("Add", y, graph.bias(out, x, w))
    return y, [*dims[:-1], out]


def _combined(graph: Pairs, draw: Draw, x: str, dims: list[int]) -> tuple[str, list[int]]:
    other = [size if draw.random() < 0.7 else 1 for size in dims]
    operand = graph.input(*other, low=float(draw.uniform(-4, -0.1)), high=float(draw.uniform(0.1, 4)))
    return graph.node(str(draw.choice(["Add", "Sub", "Mul"])), x, operand), dims


def _activated(graph: Pairs, draw: Draw, x: str, dims: list[int]) -> tuple[str, list[int]]:
    kind = str(draw.choice(["Relu", "LeakyRelu", "HardSwish", "Clip"]))
    if kind == "Clip":
        return graph.node(kind, x, *[graph.constant(np.float32(bound)) for bound in (-0.5, 1.5)]), dims
    return graph.node(kind, x), dims


def _averaged(graph: Pairs, draw: Draw, x: str, dims: list[int]) -> tuple[str, list[int]]:
    axis = int(draw.integers(1, len(dims)))
    dims = [1 if place == axis else size for place, size in enumerate(dims)]
    return graph.node("ReduceMean", x, axes=[axis], keepdims=1), dims


def _moved(graph: Pairs, draw: Draw, x: str, dims: list[int]) -> tuple[str, list[int]]:
    order = [0, *(1 + draw.permutation(len(dims) - 1)).tolist()]
    return graph.node("Transpose", x, perm=order), [dims[axis] for axis in order]


OF_IMAGES = (_convolved, _convolved, _pooled, _combined, _activated, _averaged)
OF_ROWS = (_multiplied, _multiplied, _combined, _activated, _averaged, _moved)


def block(graph: Pairs, draw: Draw) -> str:
    """Add an input and up to three operators, each between pairs, and return the last value."""
    graph.dtype = np.uint8 if draw.random() < 0.5 else np.int8
    graph.per_channel = bool(draw.random() < 0.5)
    makers: tuple[Callable[..., tuple[str, list[int]]], ...] = OF_IMAGES if draw.random() < 0.5 else OF_ROWS
    rank = 4 if makers is OF_IMAGES else int(draw.integers(2, 4))
    dims = [1, *(int(size) for size in draw.integers(2, 9, rank - 1))]
    x = graph.input(*dims)
    for maker in draw.choice(np.array(makers, object), int(draw.integers(1, 4))):
        x, dims = maker(graph, draw, x, dims)
        x = graph.pair(x)
    return x


@pytest.mark.parametrize("seed", SEEDS)
def test_drawn_blocks(seed, tmp_path):
    draw, graph = np.random.default_rng(seed), Pairs(seed=seed)
    model = graph.model([block(graph, draw) for _ in range(BLOCKS)])
    # In LiteRT's own kernels the errors of layers, a step each, add up.
    content = check_integers(model, graph.feed, tmp_path, without_xnnpack=4.0)
    assert not float_operators(content)
