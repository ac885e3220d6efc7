"""Arithmetic: special values, broadcasting old and new, integers that overflow or divide."""

from __future__ import annotations

import functools
import warnings

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

from test.handlers.check import check_op, make_op_model
from test.handlers.strategies import FLOATS, INTEGERS, SPECIAL, a_way, arrays, broadcastable, few

UNARY = """
    Abs Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Erf Exp Floor Log Neg Reciprocal Round Sign Sin Sinh Sqrt
    Tan Tanh
""".split()  # noqa: SIM905


@pytest.mark.parametrize("op_type", UNARY)
def test_special_values(op_type):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for dtype, rtol in [(np.float32, 1e-5), (np.float64, 1e-12)]:
            check_op(op_type, [np.array(SPECIAL, dtype)], reference="onnx", through=["dynamic"], rtol=rtol, atol=1e-7)
        for dtype, rtol in [(np.float16, 2e-3), (ml_dtypes.bfloat16, 2e-2)]:
            x = np.array(SPECIAL, dtype)
            model = [np.asarray(_reference(op_type, x.astype(np.float32))).astype(dtype)]
            check_op(op_type, [x], reference=model, through=["static"], rtol=rtol, atol=1e-3)


def _reference(op_type, x):
    return ReferenceEvaluator(make_op_model(op_type, [x])).run(None, {"x0": x})[0]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_of_one_input(dtype):
    limits = np.iinfo(dtype)
    x = np.array([0, 1, 5, limits.max, limits.min], dtype)
    for op_type in ("Abs", "Sign", "Neg") if limits.min else ("Abs", "Sign"):
        check_op(op_type, [x], reference="onnx")


@pytest.mark.parametrize("op_type", ["Add", "Sub", "Mul", "Max", "Min"])
@few
@given(data=st.data())
def test_binary_operators_broadcast_and_wrap_around(op_type, data):
    dtype = data.draw(st.sampled_from([*FLOATS, *INTEGERS]))
    a, b = [data.draw(arrays(dtype, shape)) for shape in data.draw(broadcastable())]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tolerance = 1e-3 if dtype is np.float16 else 1e-6
        check_op(op_type, [a, b], reference="onnx", rtol=tolerance, through=a_way(data))


@few
@given(data=st.data())
def test_division(data):
    dtype = data.draw(st.sampled_from([np.float32, np.float64, np.int8, np.int32, np.int64, np.uint8, np.uint32]))
    a, b = [data.draw(arrays(dtype, shape, finite=True)) for shape in data.draw(broadcastable())]
    b = np.where(b == 0, np.ones_like(b), b)
    quotient = a / b if a.dtype.kind == "f" else np.trunc(a.astype(np.float64) / b)
    check_op("Div", [a, b], reference=[quotient.astype(dtype)], through=a_way(data))
    check_op("Mod", [a, b], {"fmod": 1}, reference=[np.fmod(a, b)], through=a_way(data))
    if a.dtype.kind != "f":
        check_op("Mod", [a, b], reference=[np.mod(a, b)], through=a_way(data))


@pytest.mark.parametrize(
    ("op_type", "function"), [("Max", np.maximum), ("Min", np.minimum), ("Sum", np.add), ("Mean", np.add)]
)
@few
@given(data=st.data())
def test_variadic_operators(op_type, function, data):
    count = data.draw(st.integers(1, 4))
    tensors = [data.draw(arrays(np.float32, shape)) for shape in data.draw(broadcastable(count))]
    with np.errstate(invalid="ignore"):
        expected = np.asarray(functools.reduce(function, tensors)) / np.float32(count if op_type == "Mean" else 1)
    check_op(op_type, tensors, reference=[expected], through=a_way(data))


def test_sums_of_halves_round_once():
    x = [np.full([2], v, np.float16) for v in (2048, 1, 1, 60000, -60000, 60000)]
    check_op("Sum", x, reference=[np.full([2], 62048, np.float16)], rtol=1e-3)
    check_op("Mean", x, reference=[np.full([2], 62050 / 6, np.float16)], rtol=1e-3)


@pytest.mark.parametrize(("op_type", "function"), [("Add", np.add), ("Sub", np.subtract), ("Pow", np.power)])
@pytest.mark.parametrize("opset", [1, 6])
def test_broadcasting_by_attributes(op_type, function, opset):
    a = np.arange(1, 25, dtype=np.float32).reshape(2, 3, 4)
    b = np.array([2, 1, 3], np.float32)
    check_op(op_type, [a, a], {}, opset=opset, reference=[function(a, a)], rtol=1e-3)
    expected = [function(a, b[:, None])]
    for axis in (1, -2):
        check_op(op_type, [a, b], {"axis": axis, "broadcast": 1}, opset=opset, reference=expected, rtol=1e-3)
    check_op(op_type, [a, b[:1]], {"broadcast": 1}, opset=opset, reference=[function(a, b[:1])], rtol=1e-3)
    wide = np.ones([3, 4], np.float32) * 2
    check_op(op_type, [a, wide], {"broadcast": 1}, opset=opset, reference=[function(a, wide)], rtol=1e-3)


@pytest.mark.parametrize("base", [np.float32, np.float64, np.int32, np.int64])
@pytest.mark.parametrize("exponent", [np.float32, np.int32, np.int64])
def test_powers_of_mixed_dtypes(base, exponent):
    x, y = np.array([[-3], [1], [2], [7]], base), np.array([0, 1, 2, 3], exponent)
    check_op("Pow", [x, y])
    check_op("Pow", [x, y], constants=[1])


def test_integer_powers_are_exact_and_take_negative_exponents():
    x = np.array([3, -3, 1, -1, 2, -(2**31)], np.int64)
    check_op("Pow", [x, np.array(39, np.int64)], reference=[x ** np.int64(39)])
    check_op("Pow", [x, np.array(-3, np.int64)], reference=[np.array([0, 0, 1, -1, 0, 0], np.int64)])


@pytest.mark.parametrize(("low", "high"), [(None, None), (0.0, None), (None, 3.0), (0.0, 3.0), (0.0, 6.0), (2.0, -1.0)])
def test_clip(low, high):
    x = np.array([np.inf, -np.inf, np.nan, 1, 7, -4], np.float32)
    bounds = [None if bound is None else np.array(bound, np.float32) for bound in (low, high)]
    check_op("Clip", [x, *bounds])
    check_op("Clip", [x, *bounds], opset=11)
    attributes = {name: bound for name, bound in (("min", low), ("max", high)) if bound is not None}
    expected = np.minimum(np.maximum(x[3:], -np.inf if low is None else low), np.inf if high is None else high)
    for opset in (1, 6):
        check_op("Clip", [x[3:]], attributes, opset=opset, reference=[expected.astype(np.float32)])


@pytest.mark.parametrize("dtype", INTEGERS)
def test_clip_integers(dtype):
    limits = np.iinfo(dtype)
    x = np.array([0, 1, 2, 3, limits.max, limits.min], dtype)
    check_op("Clip", [x, np.array(1, dtype), np.array(limits.max - 1, dtype)], reference="onnx")
    check_op("Clip", [x, None, np.array(2, dtype)], reference=[np.minimum(x, 2)])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64, np.int8, np.int32, np.int64])
@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
def test_shifts_by_any_amount(dtype, direction):
    limits, bits = np.iinfo(dtype), np.dtype(dtype).itemsize * 8
    x = np.array([[1], [2], [limits.max], [limits.min]], dtype)
    amounts = np.array([0, 1, bits - 1, bits, limits.max], dtype)
    python = [[_shifted(int(v), int(n), bits, direction, limits.min < 0) for n in amounts] for v in x[:, 0]]
    check_op("BitShift", [x, amounts], {"direction": direction}, opset=28, reference=[np.array(python, dtype)])


def _shifted(value, amount, bits, direction, is_signed):
    shifted = value >> min(amount, bits) if direction == "RIGHT" else value << min(amount, bits)
    shifted %= 2**bits
    return shifted - 2**bits if is_signed and shifted >= 2 ** (bits - 1) else shifted


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_is_inf_by_sign(dtype):
    x = np.array([np.inf, -np.inf, np.nan, 0, 1], dtype)
    for positive in (0, 1):
        for negative in (0, 1):
            expected = (positive & (x == np.inf)) | (negative & (x == -np.inf))
            attributes = {"detect_positive": positive, "detect_negative": negative}
            check_op("IsInf", [x], attributes, reference=[expected.astype(bool)])


def test_division_by_a_constant_is_rounded_once():
    divisors = np.array([41, 47, 55, 61, 3, 8], np.float32)
    x = np.arange(50, dtype=np.float32)[:, None] * divisors
    for divisor in (divisors, np.array(41, np.float32)):
        check_op("Div", [x, divisor], constants=[1], through=["dynamic", "export"], rtol=0, atol=0)
    check_op("Div", [x, np.array([0, 3, 3, 3, 3, 3], np.float32)], constants=[1])


@pytest.mark.parametrize("dtype", [ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, ml_dtypes.float8_e5m2fnuz])
def test_nan_and_infinity_of_narrow_floats(dtype):
    x = np.arange(256, dtype=np.uint8).view(dtype)
    wide = x.astype(np.float32)
    check_op("IsNaN", [x], opset=20, reference=[np.isnan(wide)])
    check_op("IsInf", [x], opset=20, reference=[np.isinf(wide)])
    check_op("IsInf", [x], {"detect_positive": 0}, opset=20, reference=[wide == -np.inf])
