"""Comparison, boolean operators and choice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from test.handlers.check import check_op
from test.handlers.strategies import FLOATS, INTEGERS, a_way, arrays, broadcastable, few


@pytest.mark.parametrize("op_type", ["Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"])
@few
@given(data=st.data())
def test_comparisons(op_type, data):
    dtype = data.draw(st.sampled_from([*FLOATS, *INTEGERS]))
    a, b = [data.draw(arrays(dtype, shape)) for shape in data.draw(broadcastable())]
    check_op(op_type, [a, b], reference="onnx", through=a_way(data))


@pytest.mark.parametrize("op_type", ["And", "Or", "Xor"])
@few
@given(data=st.data())
def test_boolean_operators(op_type, data):
    a, b = [data.draw(arrays(np.bool_, shape)) for shape in data.draw(broadcastable())]
    check_op(op_type, [a, b], reference="onnx", through=a_way(data))


def test_equal_of_strings_and_booleans():
    a, b = np.array([["x"], ["é"]], object), np.array(["x", "é", ""], object)
    check_op("Equal", [a, b], through=["static", "dynamic", "export"])
    check_op("Equal", [np.array([True, False]), np.array(True)])


def test_broadcasting_by_attributes():
    a, b = np.arange(6).reshape(2, 3).astype(np.float32), np.array([1, 4], np.float32)
    for op_type, function in [("Greater", np.greater), ("Less", np.less)]:
        attributes = {"axis": 0, "broadcast": 1}
        check_op(op_type, [a, b], attributes, opset=1, reference=[function(a, b[:, None])])
    check_op("And", [a > 2, b > 2], {"axis": 0, "broadcast": 1}, opset=1, reference=[(a > 2) & (b > 2)[:, None]])


@few
@given(data=st.data())
def test_where(data):
    dtype = data.draw(st.sampled_from([np.float32, np.int64, np.uint8, np.float64, np.bool_]))
    one, two, three = data.draw(broadcastable(3))
    condition = data.draw(arrays(np.bool_, one))
    check_op("Where", [condition, data.draw(arrays(dtype, two)), data.draw(arrays(dtype, three))], reference="onnx")


def test_where_of_strings():
    check_op("Where", [np.array([True, False]), np.array(["a", "b"], object), np.array(["c"], object)])
