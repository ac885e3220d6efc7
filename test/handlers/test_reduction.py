"""Reductions: axes of every form, empty sets, wide accumulation, ties, cumulative sums."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from test.handlers.check import check_op
from test.handlers.strategies import a_way, arrays, few, shapes

REDUCTIONS = {
    "ReduceL1": lambda x, **k: np.sum(np.abs(x), **k),
    "ReduceL2": lambda x, **k: np.sqrt(np.sum(np.square(x), **k)),
    "ReduceLogSum": lambda x, **k: np.log(np.sum(x, **k)),
    "ReduceLogSumExp": lambda x, **k: np.log(np.sum(np.exp(x), **k)),
    "ReduceMax": np.max,
    "ReduceMean": np.mean,
    "ReduceMin": np.min,
    "ReduceProd": np.prod,
    "ReduceSum": np.sum,
    "ReduceSumSquare": lambda x, **k: np.sum(np.square(x), **k),
}


@pytest.mark.parametrize("op_type", REDUCTIONS)
@few
@given(data=st.data())
def test_axes_in_every_form(op_type, data):
    dtype = data.draw(st.sampled_from([np.float32, np.float64, np.int32, np.int64]))
    x = data.draw(arrays(dtype, shapes(1, 3, min_dim=1), finite=True))
    x = np.abs(x) + np.array(1, dtype) if op_type == "ReduceLogSum" else x
    axes = data.draw(st.lists(st.integers(0, x.ndim - 1), unique=True, max_size=x.ndim))
    given_axes = [axis - x.ndim if data.draw(st.booleans()) else axis for axis in axes]
    keepdims = data.draw(st.booleans())
    with np.errstate(over="ignore"):
        value = REDUCTIONS[op_type](x.astype(np.float64), axis=tuple(axes) or None, keepdims=keepdims)
    expected = [np.trunc(value).astype(dtype) if x.dtype.kind == "i" else value.astype(dtype)]
    attribute = {"axes": given_axes} if given_axes else {}
    old, new = (11, 13) if op_type == "ReduceSum" else (13, 18)
    for opset in (1, old):
        check_op(
            op_type, [x], {**attribute, "keepdims": int(keepdims)}, opset=opset, reference=expected, through=a_way(data)
        )
    tensor = np.array(given_axes, np.int64)
    settings = {"opset": new, "reference": expected}
    check_op(op_type, [x, tensor], {"keepdims": int(keepdims)}, constants=[1], through=a_way(data), **settings)
    check_op(op_type, [x, tensor], {"keepdims": int(keepdims)}, through=["static"], **settings)


@pytest.mark.parametrize("op_type", REDUCTIONS)
def test_no_axes_may_mean_no_reduction(op_type):
    x = np.array([[1, 2], [3, 4]], np.float32)
    expected = [REDUCTIONS[op_type](x, axis=())]
    for axes in (None, np.zeros([0], np.int64)):
        check_op(op_type, [x, axes], {"noop_with_empty_axes": 1}, reference=expected)


@pytest.mark.parametrize("op_type", sorted(REDUCTIONS.keys() - {"ReduceMean"}))
def test_empty_sets(op_type):
    x, axes = np.zeros([2, 0, 3], np.float32), np.array([1], np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_op(op_type, [x, axes], reference="onnx")


@pytest.mark.parametrize("op_type", REDUCTIONS)
def test_scalars(op_type):
    check_op(op_type, [np.array(2.5, np.float32)])


def test_infinities():
    x = np.array([[np.inf, 1], [-np.inf, -np.inf], [np.inf, -np.inf], [1000, 1000], [-1000, -1000]], np.float32)
    check_op("ReduceLogSumExp", [x, np.array([1], np.int64)])


def test_integers_are_exact():
    x = np.array([[2**62, 3, -5], [2**53, 1, 1]], np.int64)
    axes = np.array([1], np.int64)
    check_op("ReduceSum", [x, axes], reference=[x.sum(1, keepdims=True)])
    check_op("ReduceSumSquare", [x, axes], reference=[(x * x).sum(1, keepdims=True)])
    ends = np.array([[-(2**31), 5], [2**31 - 1, 2**31 - 1], [-7, 2]], np.int32)
    mean = np.array([[-1073741821], [2**31 - 1], [-2]], np.int32)
    check_op("ReduceMean", [ends, axes], reference=[mean])


def test_halves_add_up_in_float32():
    x = np.full([1, 5000], 0.1, np.float16)
    axes = np.array([1], np.int64)
    check_op("ReduceSum", [x, axes], reference=[x.astype(np.float32).sum(1, keepdims=True).astype(np.float16)])
    check_op("ReduceL2", [x * 1000, axes], reference=[np.array([[7068]], np.float16)], rtol=1e-3)


def test_booleans():
    x = np.array([[True, False], [False, False], [True, True]])
    check_op("ReduceMax", [x, np.array([1], np.int64)], opset=20)
    check_op("ReduceMin", [x, np.array([1], np.int64)], opset=20)


@pytest.mark.parametrize("op_type", ["ArgMax", "ArgMin"])
@few
@given(data=st.data())
def test_first_or_last_of_equal_elements(op_type, data):
    dtype = data.draw(st.sampled_from([np.float32, np.float64, np.int8, np.int32, np.uint8]))
    x = data.draw(arrays(dtype, shapes(1, 3, min_dim=1), finite=True))
    attributes = {
        "axis": data.draw(st.integers(-x.ndim, x.ndim - 1)),
        "keepdims": data.draw(st.integers(0, 1)),
        "select_last_index": data.draw(st.integers(0, 1)),
    }
    check_op(op_type, [x], attributes)


@pytest.mark.parametrize("op_type", ["CumSum", "CumProd"])
@few
@given(data=st.data())
def test_cumulation(op_type, data):
    dtype = data.draw(st.sampled_from([np.float32, np.float64, np.int32, np.int64, np.uint32]))
    x = data.draw(arrays(dtype, shapes(1, 3), finite=True))
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    attributes = {name: data.draw(st.integers(0, 1)) for name in ("exclusive", "reverse")}
    function, neutral = (np.cumsum, 0) if op_type == "CumSum" else (np.cumprod, 1)
    flipped = np.flip(x, axis) if attributes["reverse"] else x
    if attributes["exclusive"]:
        first = np.full_like(np.take(flipped, range(min(1, x.shape[axis])), axis), neutral)
        flipped = np.concatenate([first, np.take(flipped, range(max(x.shape[axis] - 1, 0)), axis)], axis)
    expected = function(flipped, axis=axis, dtype=dtype)
    expected = np.flip(expected, axis) if attributes["reverse"] else expected
    for array in (np.array(axis, np.int32), np.array([axis], np.int64)):
        check_op(op_type, [x, array], attributes, constants=[1], reference=[expected])
    check_op(op_type, [x, np.array(axis, np.int64)], attributes, reference=[expected])
