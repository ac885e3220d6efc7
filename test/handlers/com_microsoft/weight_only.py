"""Weights of few bits, against ONNX Runtime."""

from __future__ import annotations

import functools

import ml_dtypes
import numpy as np

from test.handlers.com_microsoft.case import case, each

RNG = np.random.default_rng(13)
check = functools.partial(case, rtol=1e-3, atol=1e-3)


def normal(*shape, dtype=np.float32):
    return np.asarray(RNG.normal(size=shape), dtype)


def packed(*shape):
    return RNG.integers(0, 256, shape).astype(np.uint8)


@each("k block", [(64, 32), (50, 16)])
@each("bits", [4, 8, 2])
def mat_mul_n_bits(k, block, bits):
    n, blocks = 6, -(-k // block)
    attributes = {"K": k, "N": n, "bits": bits, "block_size": block}
    b, scales = packed(n, blocks, block * bits // 8), RNG.uniform(0.01, 0.1, (n, blocks)).astype(np.float32)
    zeros = packed(n, -(-blocks * bits // 8))
    a = normal(2, 3, k)
    yield check("MatMulNBits", [a, b, scales], attributes, constants=[1, 2])
    yield check("MatMulNBits", [a, b, scales, zeros], attributes, constants=[1, 2, 3], through=["dynamic"])
    if bits == 4:
        floats = RNG.uniform(0, 15, (n, blocks)).astype(np.float32)
        yield check("MatMulNBits", [a, b, scales, floats], attributes, constants=[1, 2, 3], through=["export"])
        inputs = [a, b, scales, None, None, normal(n)]
        yield check("MatMulNBits", inputs, attributes, constants=[1, 2, 5], through=["dynamic"])
        groups = RNG.permutation(np.arange(k) // block).astype(np.int32)
        yield check("MatMulNBits", [a, b, scales, None, groups], attributes, constants=[1, 2, 4], through=["static"])


@each("bits", [4, 8])
@each("with_zeros", [False, True])
def gather_block_quantized_of_bytes(bits, with_zeros):
    rows, columns, block = 5, 64, 16
    data = packed(rows, columns * bits // 8)
    scales = RNG.uniform(0.01, 0.1, (rows, columns // block)).astype(np.float32)
    indices = np.array([[0, 4], [-1, 2]], np.int64)
    inputs = [data, indices, scales]
    if with_zeros:
        inputs.append(packed(rows, -(-(columns // block) * bits // 8)))
    attributes = {"bits": bits, "block_size": block, "gather_axis": 0, "quantize_axis": 1}
    yield check("GatherBlockQuantized", inputs, attributes, constants=[0, 2, 3][: len(inputs) - 1])


PLACES = [
    (0, 1, np.array([1, 3, 0])),
    (1, 0, np.array([[1, 3], [0, 2]])),
    (0, 2, np.array(1, np.int32)),
]


@each("dtype low high", [(ml_dtypes.int4, -8, 8), (ml_dtypes.uint4, 0, 16)])
@each("gather_axis quantize_axis indices", PLACES)
def gather_block_quantized_of_4_bits(dtype, low, high, gather_axis, quantize_axis, indices):
    shape, blocks = [4, 6, 5], [4, 6, 5]
    shape[quantize_axis], blocks[quantize_axis] = 32, 2
    data, zeros = (RNG.integers(low, high, dims).astype(dtype) for dims in (shape, blocks))
    scales = RNG.uniform(0.01, 0.1, blocks).astype(np.float32)
    attributes = {"block_size": 16, "gather_axis": gather_axis, "quantize_axis": quantize_axis}
    yield check("GatherBlockQuantized", [data, indices, scales], attributes, constants=[0, 2], through=["static"])
    inputs = [data, indices, scales, zeros]
    yield check("GatherBlockQuantized", inputs, attributes, constants=[0, 2, 3], through=["dynamic"])


@each("quant_type", [0, 1])
@each("k n block", [(32, 10, 32), (48, 3, 16)])
def mat_mul_bnb4(quant_type, k, n, block):
    attributes = {"K": k, "N": n, "block_size": block, "quant_type": quant_type}
    b, absmax = packed(k * n // 2), normal(-(-k * n // block))
    yield check("MatMulBnb4", [normal(2, 3, k), b, absmax], attributes, constants=[1, 2])
