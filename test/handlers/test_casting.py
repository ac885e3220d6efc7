"""Cast between all dtypes: what ONNX Runtime gives, and what the schema says of narrow dtypes."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest

from onnx_tf import prepare
from test.handlers.check import check_op, make_op_model

PLAIN = ["FLOAT", "DOUBLE", "FLOAT16", "INT8", "UINT8", "INT16", "UINT16", "INT32", "UINT32", "INT64", "UINT64", "BOOL"]
FLOATS8 = [ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e4m3fnuz, ml_dtypes.float8_e5m2, ml_dtypes.float8_e5m2fnuz]
NARROW = [*FLOATS8, ml_dtypes.float6_e2m3fn, ml_dtypes.float6_e3m2fn, ml_dtypes.float4_e2m1fn]
INTEGERS = [ml_dtypes.int4, ml_dtypes.uint4, ml_dtypes.int2, ml_dtypes.uint2]


def onnx_type(dtype) -> int:
    return onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def cast(x, dtype, opset=28, **attributes) -> np.ndarray:
    model = make_op_model("Cast", [x], {"to": onnx_type(dtype), **attributes}, opset=opset)
    return prepare(model).run([x])[0]


@pytest.mark.parametrize("source", PLAIN)
def test_plain_dtypes_convert_as_in_onnx_runtime(source):
    dtype = onnx.helper.tensor_dtype_to_np_dtype(onnx.TensorProto.DataType.Value(source))
    if dtype.kind == "f":
        x = np.array([0, -0.0, 1.5, 2.5, 127, 128, 300, 65504, 3.14159265, 1e-8, 0.1], dtype)
    elif dtype.kind == "b":
        x = np.array([True, False])
    else:
        limits = np.iinfo(dtype)
        x = np.array([0, 1, 2, 127, limits.max, limits.min, limits.max // 2, limits.min // 3], dtype)
    for target in [*PLAIN, "STRING"]:
        check_op("Cast", [x], {"to": onnx.TensorProto.DataType.Value(target)}, opset=21, through=["dynamic"], rtol=0)


def test_special_numbers_as_strings():
    x = np.array([np.nan, np.inf, -np.inf, 1e10, -3e-7, 16777217.0])
    for dtype in (np.float32, np.float64, np.float16):
        with np.errstate(over="ignore"):
            check_op("Cast", [x.astype(dtype)], {"to": onnx.TensorProto.STRING}, opset=21, through=["dynamic"])


def test_strings_to_numbers():
    floats = np.array(["1", "-3.25", "1e5", "INF", "-inf", "+INF", "NaN", "  7"], object)
    check_op("Cast", [floats], {"to": onnx.TensorProto.FLOAT}, opset=21)
    check_op("Cast", [floats], {"to": onnx.TensorProto.DOUBLE}, opset=21)
    integers = np.array(["1", "-3", "9007199254740993"], object)
    check_op("Cast", [integers], {"to": onnx.TensorProto.INT64}, opset=21, through=["dynamic", "export"])
    assert cast(np.array(["100.5"], object), np.int32).tolist() == [100]


@pytest.mark.parametrize("version", [1, 6, 9, 13])
def test_old_versions(version):
    to = "INT32" if version == 1 else onnx.TensorProto.INT32
    x = np.array([1.5, -2.5], np.float32)
    check_op("Cast", [x], {"to": to}, opset=version, reference=[np.array([1, -2], np.int32)])


@pytest.mark.parametrize("dtype", NARROW, ids=lambda d: d.__name__)
def test_every_value_and_tie_of_narrow_floats(dtype):
    codes = np.arange(256, dtype=np.uint8).view(dtype)
    values = np.unique(codes.astype(np.float32)[np.isfinite(codes.astype(np.float32))])
    ties = (values[1:] + values[:-1]) / 2
    near = np.concatenate([values, ties, np.nextafter(ties, np.inf), np.nextafter(ties, -np.inf)])
    for x in (near, near.astype(np.float64), near.astype(ml_dtypes.bfloat16)):
        np.testing.assert_array_equal(cast(x, dtype).view(np.uint8), x.astype(dtype).view(np.uint8))
    for wide in (np.float32, np.float64, np.float16, ml_dtypes.bfloat16):
        np.testing.assert_array_equal(cast(codes[:16], wide), codes[:16].astype(wide))


@pytest.mark.parametrize("dtype", FLOATS8, ids=lambda d: d.__name__)
def test_float8_out_of_range(dtype):
    x = np.array([1e6, -1e6, np.inf, -np.inf, np.nan, -0.0], np.float32)
    largest = float(ml_dtypes.finfo(dtype).max)
    saturated = cast(x, dtype).astype(np.float32)
    np.testing.assert_array_equal(saturated, [largest, -largest, largest, -largest, np.nan, 0])
    with np.errstate(all="ignore"):
        expected = x.astype(dtype)
    np.testing.assert_array_equal(cast(x, dtype, saturate=0).astype(np.float32), expected.astype(np.float32))


@pytest.mark.parametrize(
    ("saturate", "round_mode", "expected"),
    [
        (1, "up", [0, 1, 2, 4, 2**-126, 2.0**127, 2.0**127]),
        (1, "down", [0, 1, 1, 2, 2**-127, 2.0**127, 2.0**127]),
        (1, "nearest", [0, 1, 2, 4, 2**-127, 2.0**127, 2.0**127]),
        (0, "nearest", [np.nan, 1, 2, 4, 2**-127, np.nan, np.nan]),
    ],
)
def test_float8e8m0(saturate, round_mode, expected):
    x = np.array([0, 1, 1.5, 3, 2.0**-127 * 1.25, 3e38, np.inf], np.float64)
    bits = cast(x, ml_dtypes.float8_e8m0fnu, saturate=saturate, round_mode=round_mode)
    expected = np.maximum(np.array(expected), 2.0**-127)  # it has no zero
    np.testing.assert_array_equal(bits.astype(np.float64), expected)
    np.testing.assert_array_equal(cast(bits, np.float64), expected)


@pytest.mark.parametrize("dtype", INTEGERS, ids=lambda d: d.__name__)
def test_narrow_integers_discard_high_bits(dtype):
    for x in (np.arange(-20, 20), np.arange(-20, 20).astype(np.float32), np.arange(40, dtype=np.uint8)):
        np.testing.assert_array_equal(cast(x, dtype), x.astype(np.int8).astype(dtype))
    every = np.arange(-20, 20).astype(dtype)
    for wide in (np.int8, np.uint8, np.int64, np.float16, np.float32):
        np.testing.assert_array_equal(cast(every, wide), every.astype(np.int8).astype(wide))


def test_cast_like_takes_the_narrow_dtype():
    x, like = np.array([[-9.0, 3.0]], np.float32), np.zeros(1, ml_dtypes.int4)
    expected = x.astype(np.int8).astype(ml_dtypes.int4)  # ml_dtypes 0.7 makes 0 of floats out of range
    check_op("CastLike", [x, like], opset=25, reference=[expected], through=["static", "dynamic", "export"])


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("int4", "uint4"),
        ("uint2", "int2"),
        ("float8_e4m3fn", "int8"),
        ("uint16", "bfloat16"),
        ("float4_e2m1fn", "int4"),
    ],
)
def test_bit_cast(source, target):
    source, target = (np.dtype(getattr(ml_dtypes, name, name)) for name in (source, target))
    bits = np.arange(4 if "2" in source.name and "int" in source.name else 16, dtype=np.uint8)
    x = bits.astype(np.uint16).view(source) if source.itemsize == 2 else bits.view(source)
    x = x if source.kind != "V" or "int" not in source.name else bits.astype(source)
    model = make_op_model("BitCast", [x], {"to": onnx_type(target)}, opset=26)
    actual = prepare(model).run([x])[0]
    assert actual.dtype == target
    again = prepare(make_op_model("BitCast", [actual], {"to": onnx_type(source)}, opset=26)).run([actual])[0]
    np.testing.assert_array_equal(again, x)


def test_narrow_dtypes_as_inputs():
    model = make_op_model("Cast", [np.zeros(2, ml_dtypes.int4)], {"to": onnx.TensorProto.FLOAT}, opset=25)
    rep = prepare(model)
    assert rep.run([[-8, 7]])[0].tolist() == [-8, 7]
    with pytest.raises(Exception, match="cannot hold"):
        rep.run([[-9, 7]])
    with pytest.raises(Exception, match="int4"):
        rep.run([np.zeros(2, ml_dtypes.float8_e5m2)])


@pytest.mark.parametrize("dtype", FLOATS8, ids=lambda d: d.__name__)
def test_special_values_of_float8_are_found(dtype):
    codes = np.arange(256, dtype=np.uint8).view(dtype)
    check_op("IsNaN", [codes], opset=20, reference=[np.isnan(codes.astype(np.float32))])
    check_op("IsInf", [codes], opset=20, reference=[np.isinf(codes.astype(np.float32))])


@pytest.mark.parametrize("dtype", [*FLOATS8, *INTEGERS, ml_dtypes.float4_e2m1fn], ids=lambda d: d.__name__)
def test_narrow_dtypes_pass_through_operators_that_move_elements(dtype):
    x = np.arange(6).reshape(2, 3).astype(dtype)
    ways = ["static", "dynamic", "export"]
    check_op("Transpose", [x], opset=25, reference=[x.T], through=ways)
    check_op("Reshape", [x, np.array([3, 2])], opset=25, reference=[x.reshape(3, 2)], constants=[1], through=ways[:2])
