"""Constants of every form, ranges, fills and identities."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

from onnx_tf import prepare
from test.handlers.check import check_op


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("value_float", 1.5, np.array(1.5, np.float32)),
        ("value_floats", [1.5, 2], np.array([1.5, 2], np.float32)),
        ("value_int", 7, np.array(7, np.int64)),
        ("value_ints", [7, -1], np.array([7, -1], np.int64)),
        ("value_string", "é", np.array("é", object)),
        ("value_strings", ["a", ""], np.array(["a", ""], object)),
        ("value", onnx.numpy_helper.from_array(np.array([[1]], np.int8)), np.array([[1]], np.int8)),
    ],
)
def test_constants(name, value, expected):
    check_op("Constant", [], {name: value}, reference=[expected])


@pytest.mark.parametrize("indices", [[1, 5], [[0, 1], [1, 2]]])
def test_sparse_constants_and_initializers(indices):
    values = helper.make_tensor("s", onnx.TensorProto.FLOAT, [2], [3.0, -1.0])
    shape = [len(indices), len(np.shape(indices)) == 2 and 2][: len(np.shape(indices))]
    tensor = helper.make_sparse_tensor(
        values, helper.make_tensor("i", onnx.TensorProto.INT64, shape, np.ravel(indices)), [2, 3]
    )
    expected = np.array([[0, 3, 0], [0, 0, -1]], np.float32)
    check_op("Constant", [], {"sparse_value": tensor}, reference=[expected])
    node = helper.make_node("Neg", ["s"], ["y"])
    graph = helper.make_graph([node], "g", [], [helper.make_tensor_value_info("y", 1, [2, 3])])
    graph.sparse_initializer.append(tensor)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    np.testing.assert_array_equal(prepare(model).run([])[0], -expected)


@pytest.mark.parametrize(
    "value", [None, np.array([3], np.int32), np.array([True]), np.array([2.5], np.float16), np.array([7], np.uint64)]
)
def test_constant_of_shape(value):
    attributes = {} if value is None else {"value": onnx.numpy_helper.from_array(value)}
    for shape in [(2, 3), (), (0, 2)]:
        check_op("ConstantOfShape", [ints(*shape)], attributes)
    check_op("ConstantOfShape", [ints(2, 3)], attributes, constants=[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.int32, np.int64])
@pytest.mark.parametrize("bounds", [(0, 10, 3), (10, 0, -3), (5, 5, 1), (0, 5, -1), (-7, -2, 2)])
def test_range(dtype, bounds):
    arrays = [np.array(bound, dtype) for bound in bounds]
    check_op("Range", arrays)
    check_op("Range", arrays, constants=[2])


def test_range_multiplies_instead_of_adding_up():
    start, limit, delta = (np.array(v, np.float32) for v in (0, 1000, 0.1))
    expected = np.arange(10000).astype(np.float32) * delta
    check_op("Range", [start, limit, delta], reference=[expected], rtol=1e-7)


def test_range_counts_with_an_exact_quotient():
    for step in (41, 47, 55, 61):
        arrays = [np.array(v, np.float32) for v in (0, 3 * step, step)]
        expected = [np.array([0, step, 2 * step], np.float32)]
        check_op("Range", arrays, constants=[0, 2], through=["dynamic"], reference=expected)


def test_range_of_halves():
    arrays = [np.array(v, np.float16) for v in (0, 3, 0.1)]
    expected = (np.arange(31).astype(np.float32) * np.float32(np.float16(0.1))).astype(np.float16)
    check_op("Range", arrays, opset=27, reference=[expected])


@pytest.mark.parametrize("k", [-2, 0, 1, 9])
def test_eye_like(k):
    check_op("EyeLike", [np.zeros([3, 4], np.float32)], {"k": k})
    for dtype in (np.int64, np.uint8, np.float16, np.bool_):
        attributes = {"k": k, "dtype": helper.np_dtype_to_tensor_dtype(np.dtype(dtype))}
        check_op("EyeLike", [np.zeros([3, 4], np.int32)], attributes, reference=[np.eye(3, 4, k, dtype)])
