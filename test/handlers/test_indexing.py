"""Reading and writing by index: negative and empty indices, bounds beyond the data, repeated targets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from test.handlers.check import check_op
from test.handlers.strategies import a_way, arrays, few, shapes

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
HUGE = 2**63 - 1
INDICES = [np.array(-1), np.array([0, -1, 1]), np.array([[1, 0]], np.int32), np.zeros([0], int), np.zeros([2, 0], int)]


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("indices", INDICES, ids=lambda a: str(a.shape))
def test_gather(axis, indices):
    check_op("Gather", [X, indices], {"axis": axis})
    check_op("Gather", [X, indices], {"axis": axis}, constants=[1])


@few
@given(data=st.data())
def test_gather_elements(data):
    dtype = data.draw(st.sampled_from([np.float32, np.int64, np.uint8, np.bool_]))
    x = data.draw(arrays(dtype, shapes(1, 3, min_dim=1)))
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    shape = [data.draw(st.integers(0, 4 if i == axis % x.ndim else dim)) for i, dim in enumerate(x.shape)]
    bound = x.shape[axis]
    indices = data.draw(arrays(np.int64, tuple(shape))) % (2 * bound) - bound
    check_op("GatherElements", [x, indices], {"axis": axis})


@pytest.mark.parametrize(
    ("indices", "batch_dims"),
    [
        ([[0, 1], [-1, -1]], 0),
        ([[0, 1, 2], [-1, -1, 0]], 0),
        ([[[1], [-1]], [[0], [2]]], 1),
        ([[[1], [0], [2]], [[0], [3], [-1]]], 2),
    ],
)
def test_gather_nd(indices, batch_dims):
    check_op("GatherND", [X, np.array(indices)], {"batch_dims": batch_dims}, constants=[1])
    check_op("GatherND", [X, np.array(indices)], {"batch_dims": batch_dims}, through=["static"])


SLICES = [
    ((0,), (2,), None, None),
    ((1, 0), (HUGE, -1), (1, 2), None),
    ((-1,), (-HUGE - 1,), (2,), (-1,)),
    ((3,), (0,), (-1,), (-2,)),
    ((-100,), (100,), (0,), None),
    ((2,), (1,), (1,), None),
    ((HUGE,), (-HUGE,), (2,), (-1,)),
    ((-2,), (-100,), (1,), (-1,)),
    ((-100,), (-200,), (1,), (-1,)),
    ((0,), (HUGE,), (2,), (3,)),
    ((-4,), (-1,), (2,), (2,)),
    ((2**31 - 1,), (-(2**31),), (2,), (-1,)),
    ((0,), (2**32,), (1,), (1,)),
    ((0,), (HUGE,), (2,), (2,)),
    ((1,), (HUGE,), (2,), (2,)),
    ((0, 1), (-1, 3), (2, 1), (3, 2)),
    ((3,), (1,), (1,), (2,)),
]


@pytest.mark.parametrize("bounds", SLICES, ids=str)
def test_slice(bounds):
    inputs = [X, *[None if bound is None else ints(*bound) for bound in bounds]]
    while inputs[-1] is None:
        inputs.pop()
    given_inputs = [i for i in range(1, len(inputs)) if inputs[i] is not None]
    check_op("Slice", inputs, constants=given_inputs)
    check_op("Slice", inputs, constants=[i for i in given_inputs if i > 2])
    check_op("Slice", inputs)


def test_slice_by_attributes():
    check_op("Slice", [X], {"starts": [0, 1], "ends": [2, 100]}, opset=1, reference=[X[0:2, 1:]])
    check_op("Slice", [X], {"starts": [1], "ends": [-1], "axes": [2]}, opset=1, reference=[X[:, :, 1:-1]])


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.float32, np.uint8])
def test_one_hot(dtype):
    indices, values = np.array([[0, 1], [5, 3]]).astype(dtype), np.array([2, 7], np.float32)
    expected = np.where(indices[..., None] == np.arange(4), np.float32(7), np.float32(2))
    for depth in (np.array(4, np.int64), np.array([4], np.float32)):
        check_op("OneHot", [indices, depth, values], reference=[expected])
    check_op("OneHot", [indices, depth, values], {"axis": -2}, reference=[np.moveaxis(expected, -1, 1)])


def test_one_hot_counts_negative_indices_from_the_end():
    expected = np.array([[False] * 3 + [True], [True] + [False] * 3, [False] * 4])
    check_op("OneHot", [ints(-1, -4, -5), np.array(4), np.array([False, True])], reference=[expected])


@few
@given(data=st.data())
def test_non_zero(data):
    x = data.draw(arrays(data.draw(st.sampled_from([np.float32, np.int8, np.uint16, np.bool_])), shapes(1, 3)))
    check_op("NonZero", [x], reference=[np.array(np.nonzero(x), np.int64)])


def test_non_zero_of_a_scalar_has_no_rows():
    check_op("NonZero", [np.array(3.0, np.float32)], reference=[np.zeros([0, 1], np.int64)])


def test_compress():
    check_op("Compress", [X, np.array([True, False, True])], {"axis": 1})
    check_op("Compress", [X, np.array([False, True])], {"axis": -1})
    check_op("Compress", [X, np.array([False, True])])


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
@few
@given(data=st.data())
def test_scatter_elements(reduction, data):
    dtype = data.draw(st.sampled_from([np.float32, np.float64, np.int32, np.int64, np.uint8]))
    x = data.draw(arrays(dtype, shapes(1, 3, min_dim=1), finite=True))
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    shape = tuple(data.draw(st.integers(0, dim)) for dim in x.shape)
    bound = x.shape[axis]
    if reduction == "none":  # repeated targets have no defined result
        order = [data.draw(st.permutations(range(bound))) for _ in range(int(np.prod(shape)) // max(shape[axis], 1))]
        rows = np.array([row[: shape[axis]] for row in order], np.int64).reshape(
            [*np.delete(shape, axis % x.ndim), shape[axis]]
        )
        indices = np.moveaxis(rows, -1, axis) - bound * data.draw(st.integers(0, 1))
    else:
        indices = data.draw(arrays(np.int64, shape)) % (2 * bound) - bound
    updates = data.draw(arrays(dtype, shape, finite=True))
    expected = scattered(x, indices, updates, axis, reduction)
    attributes = {"axis": axis, "reduction": reduction}
    check_op("ScatterElements", [x, indices, updates], attributes, reference=[expected], through=a_way(data))


def scattered(x, indices, updates, axis, reduction):
    combine = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}
    result = x.copy()
    for place in np.ndindex(indices.shape):
        target = list(place)
        target[axis] = indices[place]
        old, new = result[tuple(target)], updates[place]
        with np.errstate(over="ignore"):
            result[tuple(target)] = new if reduction == "none" else combine[reduction](old, new)
    return result


def test_scatter_elements_of_old_versions_and_booleans():
    inputs = [X, np.array([[[1, -1, 0, 2]]]), np.full([1, 1, 4], -5, np.float32)]
    expected = [scattered(*inputs, 1, "none")]
    check_op("Scatter", inputs, {"axis": 1}, opset=9, reference=expected)
    check_op("ScatterElements", inputs, {"axis": 1}, opset=11, reference=expected)
    x, indices = np.array([True, False, True, False]), ints(0, 1, 1, 2)
    updates = np.array([False, True, False, True])
    either, both = np.array([True, True, True, False]), np.array([False, False, True, False])
    for reduction, expected in {"add": either, "max": either, "mul": both, "min": both}.items():
        check_op("ScatterElements", [x, indices, updates], {"reduction": reduction}, reference=[expected])


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
def test_scatter_nd(reduction):
    rng = np.random.default_rng(0)
    for indices in (np.array([[0, 1], [-1, -1]]), np.array([[[1]]]), np.zeros([0, 2], np.int64)):
        updates = rng.normal(size=indices.shape[:-1] + X.shape[indices.shape[-1] :]).astype(np.float32)
        inputs, attributes = [X, indices, updates], {"reduction": reduction}
        check_op("ScatterND", inputs, attributes, constants=[1])
        check_op("ScatterND", inputs, attributes, through=["static"])
    if reduction != "none":
        check_op("ScatterND", [X[0, 0], np.array([[0], [0]]), np.array([1, 2], np.float32)], attributes, constants=[1])


def test_rows_without_elements():
    x, rows = np.zeros((2, 0, 3), np.float32), np.array([[1], [0]])
    check_op("GatherND", [x, rows], constants=[1], reference=[x])
    check_op("ScatterND", [x, rows, x], constants=[1], reference=[x])
