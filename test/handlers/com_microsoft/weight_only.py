"""Weights of few bits, against ONNX Runtime."""

from __future__ import annotations

import functools

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


@each("dtype gather_axis", [("int4", 0), ("uint4", 1)])
def gather_block_quantized_of_4_bits(dtype, gather_axis):
    import ml_dtypes

    low, high = (-8, 8) if dtype == "int4" else (0, 16)
    data = RNG.integers(low, high, (4, 32, 3)).astype(getattr(ml_dtypes, dtype))
    scales = RNG.uniform(0.01, 0.1, (4, 2, 3)).astype(np.float32)
    quantize_axis = 1
    if gather_axis == 1:
        data, scales, quantize_axis = data.transpose(1, 0, 2), scales.transpose(1, 0, 2), 0
    indices = np.array([1, 3, 0], np.int32)
    found = np.take(data.astype(np.float32), indices, gather_axis)
    repeated = np.repeat(np.take(scales, indices, gather_axis), 16, quantize_axis)
    attributes = {"block_size": 16, "gather_axis": gather_axis, "quantize_axis": quantize_axis}
    yield check("GatherBlockQuantized", [data, indices, scales], attributes, reference=[found * repeated])
