"""Rows of :mod:`test.handlers.table` of com.microsoft: attention, experts, weights of few bits, quantised data."""

from __future__ import annotations

from typing import Any

import numpy as np

from test.handlers.table import FIXED, Dims, Source, middle, vector
from test.handlers.table import add as _add

MS = "com.microsoft."
HEADS = {"num_heads": 2}


def add(names: str, inputs: Any, attributes: Any = None, **settings: Any) -> None:
    """Add rows for data of four axes, which stand for N, C, length, size."""
    _add(" ".join(MS + name for name in names.split()), inputs, attributes, into=FIXED, **settings)


def add_of_any_rank(names: str, inputs: Any, attributes: Any = None, **settings: Any) -> None:
    """Add rows for data of any axes."""
    _add(" ".join(MS + name for name in names.split()), inputs, attributes, **settings)


def _bytes(draw: Source, *dims: int) -> np.ndarray:
    return draw.integers(*dims, low=0, high=256, dtype=np.uint8)


def _quantized(draw: Source, *dims: int) -> list[np.ndarray]:
    return [draw.integers(*dims, low=0, dtype=np.uint8), np.float32(0.5), np.uint8(1)]


Y = [np.float32(0.5), np.uint8(1)]
"""Scale and zero point of a quantised result."""


def _text(draw: Source, dims: Dims, size: int) -> np.ndarray:
    """Return floats, [N, length, size]."""
    return draw.floats(dims[0], dims[2], size)


def _places(draw: Source, *dims: int) -> np.ndarray:
    return draw.integers(*dims, low=0, high=16)


add("Attention", lambda draw, dims: [_text(draw, dims, 2 * dims[1]), draw.floats(2 * dims[1], 24), draw.floats(24)],
    HEADS, fixed=(1, 2))  # fmt: skip
add(
    "QAttention",
    lambda draw, dims: [
        *[_bytes(draw, dims[0], dims[2], 2 * dims[1]), _bytes(draw, 2 * dims[1], 24), draw.floats(24)],
        *[np.float32(0.01), np.float32(0.02), None, np.uint8(120), np.uint8(130)],
    ],
    HEADS,
    fixed=(1, 3, 4),
)
add(
    "DecoderMaskedMultiHeadAttention",
    lambda draw, dims: [draw.floats(dims[0], 1, 2 * dims[1]) for _ in range(3)],
    HEADS,
)
add(
    "GroupQueryAttention",
    lambda draw, dims: [
        *[_text(draw, dims, size) for size in (64, 32, 32)],
        *[draw.floats(dims[0], 2, 0, 16) for _ in range(2)],
        *[np.full(dims[0], dims[2] - 1, np.int32), np.array(dims[2], np.int32)],
    ],
    {"num_heads": 4, "kv_num_heads": 2},
    outputs=3,
)
add(
    "LinearAttention",
    lambda draw, dims: [_text(draw, dims, size) for size in (8, 8, 6)],
    {"q_num_heads": 2, "kv_num_heads": 2, "update_rule": "linear"},
    outputs=2,
)
add("LinearAttentionGate", lambda draw, dims: [_text(draw, dims, 4), draw.floats(4), draw.floats(4)])
add(
    "CausalConvWithState",
    lambda draw, dims: [draw.floats(*dims[:3]), draw.floats(dims[1], 1, 3)],
    outputs=2,
    fixed=(1,),
)
add(
    "RotaryEmbedding",
    lambda draw, dims: [
        _text(draw, dims, 8),
        _places(draw, dims[0], dims[2]),
        draw.floats(16, 2),
        draw.floats(16, 2),
    ],
    fixed=(2, 3),
)
add(
    "MRotaryEmbedding",
    lambda draw, dims: [
        _text(draw, dims, 32),
        _places(draw, 3, dims[0], dims[2]),
        draw.floats(16, 8),
        draw.floats(16, 8),
    ],
    HEADS | {"mrope_section": [4, 2, 2]},
    fixed=(2, 3),
)
add(
    "MoE",
    lambda draw, dims: [
        *[draw.floats(dims[0] * dims[2], 8), draw.floats(dims[0] * dims[2], 4)],
        *[draw.floats(4, 16, 8), None, draw.floats(4, 8, 16)],
    ],
    {"k": 2},
    fixed=(2, 4),
)
add(
    "QMoE",
    lambda draw, dims: [
        *[draw.floats(dims[0] * dims[2], 32), draw.floats(dims[0] * dims[2], 4)],
        *[_bytes(draw, 4, 64, 16), draw.positive(4, 64) / 10, None],
        *[_bytes(draw, 4, 32, 32), draw.positive(4, 32) / 10],
    ],
    {"k": 2},
    fixed=(3, 6),
)
add(
    "MatMulNBits",
    lambda draw, dims: [_text(draw, dims, 64), _bytes(draw, 6, 2, 16), draw.positive(6, 2) / 10],
    {"K": 64, "N": 6, "bits": 4, "block_size": 32},
    fixed=(2,),
)
add(
    "MatMulBnb4",
    lambda draw, dims: [_text(draw, dims, 32), _bytes(draw, 160), draw.floats(10)],
    {"K": 32, "N": 10, "block_size": 32, "quant_type": 1},
    fixed=(2,),
)
add(
    "GatherBlockQuantized",
    lambda draw, dims: [_bytes(draw, 5, 32), draw.integers(dims[0], dims[2], low=-5, high=5), draw.positive(5, 4) / 10],
    {"bits": 4, "block_size": 16, "gather_axis": 0, "quantize_axis": 1},
    fixed=(0, 2),
    fed=(1,),
)


def _embedded(draw: Source, dims: Dims) -> list[np.ndarray]:
    """Return identifiers of words and segments."""
    words, segments = ((dims[0], dims[2], high) for high in (10, 2))
    return [draw.integers(*d[:2], low=0, high=d[2], dtype=np.int32) for d in (words, segments)]


TABLES = ((10, 8), (6, 8), (2, 8), (8,), (8,))
add(
    "EmbedLayerNormalization",
    lambda draw, dims: [*_embedded(draw, dims), *[draw.floats(*shape) for shape in TABLES]],
    outputs=2,
    fed=(1,),
)
add(
    "QEmbedLayerNormalization",
    lambda draw, dims: [
        *_embedded(draw, dims),
        *[_bytes(draw, *shape) for shape in TABLES],
        None,
        *[np.float32(0.05)] * 5,
        *[np.uint8(7)] * 5,
    ],
    outputs=2,
    fed=(1,),
    fixed=tuple(range(8, 13)),
)
add(
    "DynamicQuantizeLSTM",
    lambda draw, dims: [
        *[draw.floats(dims[2], min(dims[0], 1), dims[1]), _bytes(draw, 1, dims[1], 20), _bytes(draw, 1, 5, 20)],
        *[None] * 5,
        *[np.float32([0.005]), np.uint8([120]), np.float32([0.005]), np.uint8([120])],
    ],
    {"hidden_size": 5},
    outputs=3,
    fixed=(8, 10),
)
add_of_any_rank(
    "DynamicQuantizeMatMul",
    lambda draw, dims: [draw.floats(*dims), _bytes(draw, dims[-1], 3), np.float32(0.5)],
    fixed=(2,),
)
add_of_any_rank(
    "MatMulIntegerToFloat",
    lambda draw, dims: [_bytes(draw, *dims), _bytes(draw, dims[-1], 3), np.float32(0.5), np.float32(0.5)],
    fixed=(2, 3),
)
add_of_any_rank(
    "MatMulInteger16",
    lambda draw, dims: [draw.integers(*dims, dtype=np.int16), draw.integers(dims[-1], 3, dtype=np.int16)],
    fed=(1,),
)
add(
    "QGemm", lambda draw, dims: [*_quantized(draw, *dims[:2]), *_quantized(draw, dims[1], 3), None, *Y], fixed=(1, 4, 7)
)
add_of_any_rank(
    "QLinearConcat",
    lambda draw, dims: [*Y, *_quantized(draw, *dims), *_quantized(draw, *dims)],
    lambda dims: {"axis": middle(dims)},
    fixed=(0, 3, 6),
    fed=(2, 5),
)
add_of_any_rank(
    "QLinearSoftmax",
    lambda draw, dims: [*_quantized(draw, *dims), np.float32(1 / 256), np.uint8(0)],
    lambda dims: {"opset": 13, "axis": middle(dims)},
    fixed=(1, 3),
)
add("QLinearAveragePool", lambda draw, dims: [*_quantized(draw, *dims), *Y], {"kernel_shape": [1, 2]}, fixed=(1, 3))
add("QLinearGlobalAveragePool", lambda draw, dims: [*_quantized(draw, *dims), *Y], fixed=(1, 3))
add(
    "QLinearConv",
    lambda draw, dims: [
        *_quantized(draw, dims[0], *dims[2:], dims[1]),
        *_quantized(draw, 3, dims[1], 1, 2),
        *Y,
    ],
    {"channels_last": 1},
    fixed=(1, 4, 6),
)
add("NhwcMaxPool", lambda draw, dims: [_bytes(draw, dims[0], *dims[2:], dims[1])], {"kernel_shape": [1, 2]})
add_of_any_rank("GatedAdd", lambda draw, dims: [draw.floats(*dims), draw.floats(*dims), draw.floats(*dims[:-1], 1)])
add_of_any_rank("GatedRMSNorm", lambda draw, dims: [draw.floats(*dims), draw.positive(dims[-1]), draw.floats(*dims)])

_add(
    "NonMaxSuppression",
    lambda draw, dims: [
        *[draw.floats(dims[0], dims[2], 4), draw.floats(*dims[:3])],
        *[vector(2), np.float32([0.5]), np.float32([0.0])],
    ],
    into=FIXED,
    fixed=(3, 4),
)
_add("Scale", lambda draw, dims: [draw.floats(*dims)], {"scale": 2.0}, opset=7)
