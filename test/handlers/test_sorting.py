"""The largest elements and the distinct ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from test.handlers.check import check_op
from test.handlers.strategies import FLOATS, INTEGERS, arrays, few, shapes


@few
@given(data=st.data())
def test_top_k(data):
    dtype = data.draw(st.sampled_from([*FLOATS, *INTEGERS]))
    x = data.draw(arrays(dtype, shapes(1, 3, min_dim=1)))
    x = np.where(np.isnan(x.astype(np.float64)), np.ones_like(x), x)
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    k = data.draw(st.integers(0, x.shape[axis]))
    largest = data.draw(st.integers(0, 1))
    keys = x.astype(np.float64 if x.dtype.kind == "f" else object)
    order = np.argsort(-keys if largest else keys, axis, kind="stable").take(range(k), axis)
    expected = [np.take_along_axis(x, order, axis), order]
    attributes = {"axis": axis, "largest": largest}
    check_op("TopK", [x, np.array([k], np.int64)], attributes, outputs=2, constants=[1], reference=expected)
    check_op("TopK", [x, np.array([k], np.int64)], attributes, outputs=2, reference=expected)


def test_top_k_of_old_versions():
    x = np.array([[3, 1, 3, 2]], np.float32)
    expected = [np.array([[3, 3]], np.float32), np.array([[0, 2]], np.int64)]
    check_op("TopK", [x], {"k": 2}, opset=1, outputs=2, reference=expected)
    check_op("TopK", [x, np.array([2], np.int64)], opset=10, outputs=2, reference=expected)


@few
@given(data=st.data())
def test_unique(data):
    dtype = data.draw(st.sampled_from([np.float32, np.float64, *INTEGERS, np.bool_]))
    x = data.draw(arrays(dtype, shapes(1, 3, min_dim=1), finite=True))
    attributes = {"sorted": data.draw(st.integers(0, 1))}
    axis = data.draw(st.sampled_from([None, *range(-x.ndim, x.ndim)]))
    if axis is not None:
        attributes["axis"] = axis
    check_op("Unique", [x], attributes, outputs=4, reference=distinct(x, axis, attributes["sorted"]))


def distinct(x, axis, is_sorted):
    values, first, inverse, counts = np.unique(x, return_index=True, return_inverse=True, return_counts=True, axis=axis)
    order = np.arange(len(first)) if is_sorted else np.argsort(first)
    rank = np.argsort(order)
    return [values.take(order, axis or 0), first[order], rank[inverse.reshape(-1)], counts[order]]


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_unique_strings(axis):
    x = np.array([["b", "a", "b"], ["ab", "é", "ab"], ["b", "a", "b"]], object)
    texts = x.astype("U2")
    values, *rest = distinct(texts, axis, 1)
    attributes = {} if axis is None else {"axis": axis}
    check_op("Unique", [x], attributes, outputs=4, reference=[values.astype(object), *rest])


def test_unique_takes_nan_for_equal_and_last():
    x = np.array([2, np.nan, -0.0, np.nan, 0.0, -np.inf], np.float32)
    expected = [np.array(v) for v in ([5, 2, 0, 1], [2, 3, 1, 3, 1, 0], [1, 2, 1, 2])]
    values = np.array([-np.inf, 0, 2, np.nan], np.float32)
    check_op("Unique", [x], outputs=4, reference=[values, *expected])
