"""Quantisation and products of quantised matrices: exact integers.

Products of unsigned by signed matrices are checked against onnx's reference: on processors without
VNNI ONNX Runtime adds their products pairwise in saturating 16-bit integers.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest

from onnx_tf import prepare
from onnx_tf.handlers import _quantized
from test.handlers.check import check_op, make_op_model

RNG = np.random.default_rng(7)
WAYS = ["static", "dynamic", "export"]


def scalar(value, dtype=np.float32):
    return np.array(value, dtype)


def integers(dtype, *shape):
    limits = np.iinfo(dtype)
    return RNG.integers(limits.min, limits.max + 1, shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
@pytest.mark.parametrize("float_type", [np.float32, np.float16])
def test_quantize_of_a_tensor(dtype, float_type):
    x = np.concatenate([RNG.normal(0, 40, 200), [2.5, 3.5, -2.5, 1e4, -1e4]]).astype(float_type)
    for step in (1.0, 0.037):
        zero = scalar(5, dtype)
        check_op("QuantizeLinear", [x, scalar(step, float_type), zero], opset=21, through=["dynamic"])
        check_op("DequantizeLinear", [integers(dtype, 3, 4), scalar(step, float_type), zero], opset=21)
    check_op("QuantizeLinear", [x, scalar(0.5, float_type)], opset=21, through=WAYS)


@pytest.mark.parametrize(("shape", "axis"), [((2, 3, 4), 1), ((2, 3, 4), -1), ((2, 3), 0), ((3,), 0), ((0, 3), 1)])
def test_of_an_axis(shape, axis):
    count = shape[axis]
    scale, zero = RNG.uniform(0.01, 1, count).astype(np.float32), integers(np.int8, count)
    x = RNG.normal(0, 10, shape).astype(np.float32)
    for opset in (13, 19, 21):
        check_op("QuantizeLinear", [x, scale, zero], {"axis": axis}, opset=opset, through=["dynamic"])
        q = integers(np.int8, *shape)
        check_op("DequantizeLinear", [q, scale, zero], {"axis": axis}, opset=opset, through=["dynamic"], rtol=0)


def test_scales_of_one_element_belong_to_the_tensor():
    for shape in [(2, 3), (5,), ()]:
        x = RNG.normal(0, 10, shape).astype(np.float32)
        check_op("QuantizeLinear", [x, np.full(1, 0.1, np.float32), np.zeros(1, np.int8)], opset=13)


@pytest.mark.parametrize("dtype", [np.int8, ml_dtypes.int4, ml_dtypes.uint4, ml_dtypes.int2])
@pytest.mark.parametrize("size", [6, 7])
def test_blocks(dtype, size):
    x = RNG.normal(0, 3, (2, size, 3)).astype(np.float32)
    scale = RNG.uniform(0.1, 1, (2, -(-size // 3), 3)).astype(np.float32)
    zero = RNG.integers(0, 2, scale.shape).astype(dtype)
    attributes = {"axis": 1, "block_size": 3}
    repeated = np.repeat(scale, 3, 1)[:, :size], np.repeat(zero.astype(np.int32), 3, 1)[:, :size]
    limits = ml_dtypes.iinfo(dtype)
    q = np.clip(np.rint(x / repeated[0]) + repeated[1], int(limits.min), int(limits.max)).astype(np.int8).astype(dtype)
    y = (q.astype(np.int32) - repeated[1]).astype(np.float32) * repeated[0]
    for way in (["static"], ["dynamic"]):
        check_op("QuantizeLinear", [x, scale, zero], attributes, opset=25, reference=[q], through=way)
        check_op("DequantizeLinear", [q, scale, zero], attributes, opset=25, reference=[y], through=way)


@pytest.mark.parametrize("name", ["FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT4E2M1", "FLOAT6E3M2", "INT4"])
def test_output_dtype_without_zero_point(name):
    dtype = onnx.TensorProto.DataType.Value(name)
    x = np.array([[0.1, -700, 3, 0.49, 1e6, -2.5]], np.float32)
    attributes = {"output_dtype": dtype}
    check_op("QuantizeLinear", [x, scalar(0.5)], attributes, opset=28, reference="onnx")
    q = onnx.reference.ops.op_cast.cast_to(np.array([[0.5, -1, 2]], np.float32), dtype, True)
    for out in (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16):
        check_op("DequantizeLinear", [q, scalar(0.5)], {"output_dtype": out}, opset=28, reference="onnx")


def test_precision_of_the_division_and_float8e8m0_scales():
    x = RNG.normal(0, 3, 2000).astype(np.float16)
    attributes = {"precision": onnx.TensorProto.FLOAT16}
    zero = scalar(1, np.int8)
    check_op("QuantizeLinear", [x, scalar(0.037, np.float16), zero], attributes, opset=25, reference="onnx")
    step = scalar(0.25, ml_dtypes.float8_e8m0fnu)
    expected = np.rint(x.astype(np.float32) / 0.25).astype(np.int8)
    check_op("QuantizeLinear", [x, step, scalar(0, np.int8)], opset=25, reference=[expected])


def test_int32_dequantizes_as_biases_do():
    x = np.array([2**31 - 1, -(2**31), 16777217, 5], np.int32)
    check_op("DequantizeLinear", [x, scalar(0.37)], opset=13, rtol=0)


@pytest.mark.parametrize("values", [[-3.0, 0, 7.3], [2, 5], [-4, -1], [0, 0]])
def test_dynamic_quantize_linear(values):
    x = np.concatenate([np.array(values), RNG.uniform(min(values), max(values), 50)]).astype(np.float32)
    check_op("DynamicQuantizeLinear", [x], opset=11, outputs=3, through=WAYS, rtol=0)


PRODUCTS = [((2, 3), (3, 4)), ((2, 1, 5, 3), (3, 3, 4)), ((5, 700), (700, 6)), ((1, 3), (3, 1))]


@pytest.mark.parametrize(("a_shape", "b_shape"), PRODUCTS)
@pytest.mark.parametrize("constants", [(), (1, 3)])
def test_mat_mul_integer(a_shape, b_shape, constants):
    for b_type in (np.uint8, np.int8):
        a, b = integers(np.uint8, *a_shape), integers(b_type, *b_shape)
        zeros = [scalar(131, np.uint8), integers(b_type, *b_shape[:-2], *[1] * (len(b_shape) > 2), b_shape[-1])]
        reference = "ort" if b_type == np.uint8 else "onnx"
        check_op("MatMulInteger", [a, b, *zeros], opset=10, constants=constants, reference=reference)
    check_op("MatMulInteger", [a, b], opset=10, through=["dynamic"], reference="onnx")


def test_mat_mul_integer_of_extremes_is_exact():
    a, b = np.full((2, 3000), 255, np.uint8), np.full((3000, 2), 255, np.uint8)
    b[0], b[7, 1] = 254, 3
    for constants in [(), (1,)]:
        check_op("MatMulInteger", [a, b], opset=10, constants=constants)
    rows = np.array([0, 3], np.uint8)
    expected = (a.astype(np.int32) - rows[:, None]) @ b.astype(np.int32)
    check_op("MatMulInteger", [a, b, rows], opset=10, reference=[expected])
    check_op("MatMulInteger", [a[0], b[:, 0]], opset=10, reference=[a[0].astype(np.int32) @ b[:, 0].astype(np.int32)])


def test_pieces_of_exact_sums():
    assert _quantized._largest_exact_piece(np.full([10, 1], 1), 1) == 10
    assert _quantized._largest_exact_piece(np.full([3000, 1], 255), 255) <= 258
    assert _quantized._largest_exact_piece(np.full([2, 1], 1 << 20), 255) == 0


@pytest.mark.parametrize(("a_type", "b_type"), [(np.uint8, np.uint8), (np.uint8, np.int8), (np.int8, np.int8)])
@pytest.mark.parametrize("columns", [False, True])
def test_q_linear_mat_mul(a_type, b_type, columns):
    a, b = integers(a_type, 2, 5, 300), integers(b_type, 300, 4)
    b_scale = RNG.uniform(0.01, 0.1, 4 if columns else ()).astype(np.float32)
    b_zero = integers(b_type, 4) if columns else scalar(3, b_type)
    inputs = [a, scalar(0.02), scalar(7, a_type), b, np.asarray(b_scale), b_zero, scalar(5), scalar(9, a_type)]
    for constants in [(), range(1, 8)]:
        reference = "ort" if b_type == np.uint8 else "onnx"
        check_op("QLinearMatMul", inputs, opset=10, constants=list(constants), through=["dynamic"], reference=reference)


def test_q_linear_mat_mul_of_float8():
    dtype = ml_dtypes.float8_e4m3fn
    a, b = (RNG.normal(0, 1, shape).astype(dtype) for shape in ((2, 3), (3, 4)))
    one, zero = scalar(1), scalar(0, dtype)
    expected = (a.astype(np.float32) @ b.astype(np.float32) * np.float32(0.5)).astype(dtype)
    check_op("QLinearMatMul", [a, one, zero, b, one, zero, scalar(2), zero], opset=21, reference=[expected])


def test_a_vector_scale_that_is_no_axis_is_refused():
    model = make_op_model("DequantizeLinear", [integers(np.int8, 2, 3), np.ones((2, 3), np.float32)], opset=21)
    with pytest.raises(Exception, match="block_size"):
        prepare(model)


def test_division_by_a_constant_scale_is_rounded_once():
    x = (RNG.integers(-200, 200, 20000) + 0.5).astype(np.float32) * np.float32(0.0371)
    inputs = [x, scalar(0.0371), scalar(3, np.uint8)]
    check_op("QuantizeLinear", inputs, opset=13, constants=[1, 2], through=["static", "export"])
