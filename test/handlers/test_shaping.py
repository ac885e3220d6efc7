"""Shapes: every form of axes and sizes, empty tensors and scalars, and what stays static."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from onnx_tf import prepare
from test.handlers.check import check_op
from test.handlers.strategies import arrays, few, shapes

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@pytest.mark.parametrize("target", [(0, -1), (-1,), (2, 0, 2, 2), (1, 0, -1, 1), (0, 0, 0), (24,), (4, 6)])
def test_reshape(target):
    check_op("Reshape", [X, ints(*target)], constants=[1])
    check_op("Reshape", [X, ints(*target)])
    check_op("Reshape", [X, ints(*target)], opset=5, constants=[1])
    expected = [X.reshape([X.shape[i] if d == 0 else d for i, d in enumerate(target)])]
    check_op("Reshape", [X], {"shape": list(target)}, opset=1, reference=expected)


def test_reshape_of_empty_tensors_and_scalars():
    empty = np.zeros([0, 3], np.float32)
    check_op("Reshape", [empty, ints(3, 0)], {"allowzero": 1}, constants=[1])
    check_op("Reshape", [empty, ints(0, 3, 1)], constants=[1])
    check_op("Reshape", [np.array(1.0, np.float32), ints(1, 1)], constants=[1])
    check_op("Reshape", [np.ones([1, 1], np.float32), ints()], constants=[1])


@few
@given(data=st.data())
def test_flatten(data):
    x = data.draw(arrays(np.float32, shapes(0, 4), finite=True))
    check_op("Flatten", [x], {"axis": data.draw(st.integers(-x.ndim, x.ndim))})


@pytest.mark.parametrize("axes", [(0,), (3, -1), (-6, 3), ()])
def test_squeeze(axes):
    x = X.reshape(1, 2, 3, 1, 4, 1)
    check_op("Squeeze", [x, ints(*axes)], constants=[1])
    check_op("Squeeze", [x, ints(*axes)], through=["static"])
    check_op("Squeeze", [x], {"axes": list(axes)} if axes else {}, opset=11)


@pytest.mark.parametrize("axes", [(0,), (3,), (-1, 0), (1, -2), (4, 0, 2)])
def test_unsqueeze(axes):
    check_op("Unsqueeze", [X, ints(*axes)], constants=[1])
    check_op("Unsqueeze", [X, ints(*axes)], through=["static"])
    check_op("Unsqueeze", [X], {"axes": list(axes)}, opset=11)


@pytest.mark.parametrize("target", [(2, 3, 4), (1, 1, 1), (5, 1, 3, 4), (4,), (1,), ()])
def test_expand(target):
    check_op("Expand", [X, ints(*target)], constants=[1])
    check_op("Expand", [X, ints(*target)])


def test_expand_of_empty_tensors_and_scalars():
    check_op("Expand", [X[:, :1], ints(1, 0, 1)], constants=[1])
    check_op("Expand", [X[:, :0], ints(1, 1, 1)])
    check_op("Expand", [np.array(1.0, np.float32), ints(2, 3)])


@pytest.mark.parametrize("dtype", [np.float32, np.uint16, np.uint8, np.int64, np.bool_, object])
def test_tile(dtype):
    x = np.array([["a", "b"]], object) if dtype is object else np.array([[0, 1]]).astype(dtype)
    for repeats in [(2, 3), (0, 1)]:
        check_op("Tile", [x, ints(*repeats)], reference=[np.tile(x, repeats)])


def test_tile_along_one_axis():
    inputs = [X, np.array(2, np.float32), np.array(1, np.float32)]
    check_op("Tile", inputs, opset=1, reference=[np.tile(X, (1, 2, 1))])


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_concat(axis):
    check_op("Concat", [X, X + 1, np.take(X, [], axis)], {"axis": axis})
    check_op("Concat", [X, X + 1], {}, opset=1, reference=[np.concatenate([X, X + 1], 1)])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_split_into_uneven_chunks(count):
    x = np.arange(10, dtype=np.float32).reshape(2, 5)
    size = -(-5 // count)
    expected = [x[:, i * size : (i + 1) * size] for i in range(count)]
    check_op("Split", [x], {"axis": -1, "num_outputs": count}, outputs=count, reference=expected)


def test_split_by_sizes_in_every_form():
    attributes, expected = {"axis": 1}, [X[:, :1], X[:, 1:1], X[:, 1:]]
    check_op("Split", [X, ints(1, 0, 2)], attributes, outputs=3, reference=expected)
    check_op("Split", [X, ints(1, 0, 2)], attributes, outputs=3, constants=[1], opset=13, reference=expected)
    check_op("Split", [X], attributes | {"split": [1, 0, 2]}, outputs=3, opset=2, reference=expected)
    check_op("Split", [X], attributes | {"split": [1, 0, 2]}, outputs=3, opset=1, reference=expected)
    check_op("Split", [X, np.array([1, 0, 2], np.float32)], attributes, outputs=3, opset=1, reference=expected)
    check_op("Split", [X], {}, outputs=2, opset=1, reference=[X[:1], X[1:]])


@pytest.mark.parametrize("bounds", [{}, {"start": 1}, {"start": -2, "end": -1}, {"end": 9}, {"start": 2, "end": 1}])
def test_shape(bounds):
    check_op("Shape", [X], bounds)
    check_op("Shape", [np.array(1.0, np.float32)], bounds)


@few
@given(x=arrays(np.uint8, shapes(0, 4)))
def test_size(x):
    check_op("Size", [x])


@few
@given(data=st.data())
def test_trilu(data):
    dtype = data.draw(st.sampled_from([np.float32, np.int64, np.uint16, np.bool_]))
    x = data.draw(arrays(dtype, shapes(2, 3)))
    k = data.draw(st.sampled_from([None, -9, -1, 0, 1, 2, 9]))
    k = None if k is None else np.array(k, np.int64)
    check_op("Trilu", [x, k], {"upper": data.draw(st.integers(0, 1))}, reference="onnx")


@pytest.mark.parametrize("dtype", [np.float32, np.uint16, np.int64])
def test_reverse_sequence(dtype):
    x = X.astype(dtype)
    expected = x.copy()
    expected[1, :3] = x[1, 2::-1]
    attributes = {"batch_axis": 0, "time_axis": 1}
    check_op("ReverseSequence", [x, ints(1, 3)], attributes, reference=[expected])


def inferred_shape(nodes, inputs, dims) -> list[int | None]:
    """Return the static shape of the first output of a model with dynamic inputs."""
    outputs = [helper.make_empty_tensor_value_info("y")]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", 1, dims)], outputs, inputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return prepare(model).tf_module.compute.get_concrete_function().outputs[0].shape.as_list()


def test_shape_arithmetic_stays_static_beside_a_dynamic_batch():
    constants = {"i": ints(2), "two": ints(2), "first": ints(0), "end": ints(1), "minus": ints(-1)}
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Shape", ["r"], ["s"]),
        helper.make_node("Gather", ["s", "i"], ["h"]),
        helper.make_node("Div", ["h", "two"], ["half"]),
        helper.make_node("Slice", ["s", "first", "end"], ["batch"]),
        helper.make_node("Concat", ["batch", "minus", "two", "half"], ["target"], axis=0),
        helper.make_node("Reshape", ["r", "target"], ["y"]),
    ]
    tensors = [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()]
    assert inferred_shape(nodes, tensors, ["n", "c", 6]) == [None, None, 2, 3]


def test_expansion_to_a_shape_keeps_the_dimensions_that_are_known():
    constants = {"ones": ints(1, 5, 1)}
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Mul", ["s", "ones"], ["target"]),
        helper.make_node("Expand", ["x", "target"], ["y"]),
    ]
    tensors = [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()]
    assert inferred_shape(nodes, tensors, ["n", 1, 7])[2] == 7
