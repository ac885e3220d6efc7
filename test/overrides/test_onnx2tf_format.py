"""onnx2tf's parameter replacement: entries speak of channels-last values, and mean the same of ONNX's."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import helper

from onnx_tf import EditError
from onnx_tf.edits.channels_last import channels_last
from test.models import node_model, text_model
from test.overrides.test_overrides import check, softmax

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3, 4, 5)).astype(np.float32)


def last(x: np.ndarray) -> np.ndarray:
    """Return an array as the format sees it."""
    return x.transpose(channels_last(x.ndim))


def one(
    op_type: str, constants: dict[str, Any] | None = None, *, opset: int = 17, **attributes: Any
) -> onnx.ModelProto:
    """Return a model of one node called ``node`` from ``x`` [2, 3, 4, 5] to ``y``."""
    arrays = {name: np.asarray(value) for name, value in (constants or {}).items()}
    arrays = {name: a.astype(np.float32) if a.dtype == np.float64 else a for name, a in arrays.items()}
    node = helper.make_node(op_type, ["x", *arrays], ["y"], name="node", **attributes)
    return node_model([node], {"x": [2, 3, 4, 5]}, ["y"], arrays, opset=opset)


def replaced(model: onnx.ModelProto, *operations: dict[str, Any]) -> np.ndarray:
    """Return what a model computes of X with entries for its node, found to be what ONNX Runtime does."""
    entries = [{"op_name": "node", **operation} for operation in operations]
    return check(model, {"format_version": 1, "operations": entries}, {"x": X})["y"]


def attribute(name: str, values: Any) -> dict[str, Any]:
    return {"param_target": "attributes", "param_name": name, "values": values}


def constant(name: str, values: Any) -> dict[str, Any]:
    return {"param_target": "inputs", "param_name": name, "values": values}


@pytest.mark.parametrize("perm", [[0, 1, 2, 3], [0, 2, 1, 3], [0, 3, 1, 2], [3, 0, 2, 1]])
def test_perm(perm: list[int]) -> None:
    found = replaced(one("Transpose", perm=[0, 2, 3, 1]), attribute("perm", perm))
    np.testing.assert_array_equal(last(found), last(X).transpose(perm))


@pytest.mark.parametrize("axis", [1, 3, -1, -3])
def test_axis(axis: int) -> None:
    found = replaced(one("Softmax", axis=0), attribute("axis", axis))
    np.testing.assert_allclose(last(found), softmax(last(X), axis), rtol=1e-5)


@pytest.mark.parametrize("opset", [17, 18])
def test_axes_that_are_an_attribute_or_an_input(opset: int) -> None:
    model = one("ReduceMean", axes=[0]) if opset == 17 else one("ReduceMean", {"axes": [0]}, opset=opset)
    found = replaced(model, attribute("axes", [1, 2]), attribute("keepdims", 1))
    np.testing.assert_allclose(last(found), last(X).mean((1, 2), keepdims=True), rtol=1e-5, atol=1e-6)
    if opset == 18:
        same = replaced(model, constant("axes", [1, 2]))
        np.testing.assert_array_equal(same, found)


@pytest.mark.parametrize("shape", [(3,), (2, 4, 5, 3), (4, 1, 3), ()])
def test_a_constant_lies_along_the_last_axes(shape: tuple[int, ...]) -> None:
    values = RNG.normal(size=shape).astype(np.float32)
    found = replaced(one("Add", {"w": [0.0]}), constant("w", values.tolist()))
    np.testing.assert_allclose(last(found), last(X) + values, rtol=1e-5, atol=1e-6)


def test_the_weights_of_a_convolution() -> None:
    filters = RNG.normal(size=(1, 1, 3, 6)).astype(np.float32)  # height, width, in, out
    found = replaced(one("Conv", {"w": np.zeros((6, 3, 1, 1))}), constant("w", filters.tolist()))
    np.testing.assert_allclose(last(found), last(X) @ filters[0, 0], rtol=1e-4, atol=1e-5)


def test_shapes() -> None:
    found = replaced(one("Reshape", {"shape": [2, 60]}), constant("shape", [2, 2, 2, 15]))
    np.testing.assert_array_equal(found, X.reshape(2, 15, 2, 2))
    found = replaced(one("Tile", {"repeats": [1, 1, 1, 1]}), constant("repeats", [1, 2, 1, 3]))
    np.testing.assert_array_equal(last(found), np.tile(last(X), (1, 2, 1, 3)))
    found = replaced(one("Pad", {"pads": [0] * 8}), constant("pads", [0, 1, 0, 2, 0, 3, 0, 0]))
    np.testing.assert_array_equal(last(found), np.pad(last(X), [(0, 0), (1, 3), (0, 0), (2, 0)]))


def test_sizes_of_a_resize() -> None:
    model = one("Resize", {"roi": np.zeros(0), "scales": np.zeros(0), "sizes": [2, 3, 4, 5]}, mode="nearest")
    found = replaced(model, constant("sizes", [8, 10]))
    np.testing.assert_array_equal(found, X.repeat(2, 2).repeat(2, 3))


def test_transposes() -> None:
    before = {"param_target": "inputs", "param_name": "x", "pre_process_transpose_perm": [0, 3, 1, 2]}
    after = {"param_target": "outputs", "param_name": "y", "post_process_transpose_perm": [0, 2, 3, 1]}
    found = replaced(one("Softmax", axis=1), before, after)  # the ONNX axis 1 lies last there
    expected = softmax(last(X).transpose(0, 3, 1, 2), -1).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(last(found), expected, rtol=1e-5)


def test_slices_of_tensorflow() -> None:
    model = one("Slice", {"starts": [0], "ends": [1], "axes": [0]})
    entry = {"param_target": "op", "begin": [0, 1, 0, 0], "end": [0, 0, 4, 2], "end_mask": 3}
    np.testing.assert_array_equal(last(replaced(model, entry)), last(X)[:, 1:, 0:4, 0:2])
    backwards = {"param_target": "op", "begin": [0, 0, 4, 0], "end": [2, 4, 0, 0], "end_mask": 12,
                 "strides": [1, 2, -2, 1]}  # fmt: skip
    np.testing.assert_array_equal(last(replaced(model, backwards)), last(X)[:2, :4:2, 4::-2])


def test_a_new_shape() -> None:
    found = replaced(one("Unsqueeze", {"axes": [1]}), {"param_target": "op", "new_shape": [2, 4, 5, 3]})
    np.testing.assert_array_equal(found, X)
    found = replaced(one("Unsqueeze", opset=11, axes=[1]), {"param_target": "op", "new_shape": [2, 60]})
    np.testing.assert_array_equal(found, X.reshape(2, 60))


def test_indices_into_a_shape_are_axes() -> None:
    text = "g (float[2, 3, 4, 5] x) => (int64[1] y) <int64[1] i = {0}> { s = Shape(x) y = Gather(s, i) }"
    model = text_model(text)
    model.graph.node[1].name = "node"
    for index, size in enumerate((2, 4, 5, 3)):
        np.testing.assert_array_equal(replaced(model, constant("i", [index])), [size])
    with pytest.raises(EditError, match=r"\[4\] are no axes of 4"):
        replaced(model, constant("i", [4]))


def test_an_entry_that_is_there_twice_counts_once() -> None:
    entry = {"param_target": "inputs", "param_name": "x", "pre_process_transpose_perm": [0, 2, 1, 3]}
    found = replaced(one("Relu"), entry, entry)
    np.testing.assert_array_equal(last(found), np.maximum(last(X).transpose(0, 2, 1, 3), 0))


@pytest.mark.parametrize(
    ("padding", "strides", "size"),
    [("SAME", [2, 3], [8, 15]), ("SAME", [2, 2], [7, 9]), ("VALID", [2, 3], [9, 15]), ("VALID", [2, 3], [10, 17])],
)
def test_a_transposed_convolution_of_tensorflow(padding: str, strides: list[int], size: list[int]) -> None:
    weights = RNG.normal(size=(3, 6, 3, 3)).astype(np.float32)
    model = one("ConvTranspose", {"w": weights}, strides=[1, 1], pads=[1, 1, 1, 1])
    shape = [2, *size, 6]
    entry = {"param_target": "op", "output_shape": shape, "strides": [1, *strides, 1], "padding": padding}
    found = replaced(model, {**entry, "dilations": [1, 1, 1, 1]})
    expected = tf.nn.conv2d_transpose(last(X), weights.transpose(2, 3, 1, 0), shape, strides, padding)
    np.testing.assert_allclose(last(found), expected, rtol=1e-4, atol=1e-5)


def test_a_transposed_convolution_of_other_sizes_is_refused() -> None:
    model = one("ConvTranspose", {"w": np.zeros((3, 6, 3, 3))})
    entry = {"param_target": "op", "output_shape": [2, 30, 15, 6], "strides": [1, 2, 3, 1], "padding": "SAME"}
    with pytest.raises(EditError, match="4 elements make no 30 with the stride 2 and SAME"):
        replaced(model, entry)


def test_values_of_two_axes_are_as_they_are() -> None:
    model = text_model("g (float[2, 3] x) => (float[2, 3] y) { y = Softmax <axis = 0> (x) }")
    model.graph.node[0].name = "node"
    x = RNG.normal(size=(2, 3)).astype(np.float32)
    entries = [{"op_name": "node", **attribute("axis", 1)}]
    found = check(model, {"format_version": 1, "operations": entries}, {"x": x})
    np.testing.assert_allclose(found["y"], softmax(x, 1), rtol=1e-5)


def test_entries_that_fit_nothing_are_told_at_once() -> None:
    entries = [
        {"op_name": "nod", **attribute("axis", 1)},
        {"op_name": "node", **attribute("axis", 4)},
        {"op_name": "node", **constant("z", [1])},
        {"op_name": "node", "param_target": "op", "output_shape": [1, 2, 3, 4]},
    ]
    with pytest.raises(EditError) as caught:
        check(one("Softmax", axis=1), {"format_version": 1, "operations": entries}, {"x": X})
    text = str(caught.value)
    for part in (
        "operations[0] (nod): the model has no node 'nod' (did you mean 'node'?)",
        "operations[1] (node): 4 is no axis of 4",
        "operations[2] (node): Softmax has no input 'z'",
        "operations[3] (node): output_shape for a Softmax cannot be said in ONNX's terms",
    ):
        assert part in text


def test_entries_that_are_not_of_the_form_are_told_at_once() -> None:
    content = {
        "format_version": 2,
        "operations": [
            {"op_name": "node", "param_target": "atributes", "param_name": "axis", "values": 1},
            {"op_name": "node", "param_target": "inputs", "param_name": "x"},
            {"op_name": "node", "param_target": "outputs", "param_name": "y", "pre_process_transpose_perm": [0, 1]},
            {"op_name": "node", "param_target": "inputs", "values": [1], "value": 2},
        ],
    }
    with pytest.raises(EditError) as caught:
        check(one("Softmax", axis=1), content, {"x": X})
    text = str(caught.value)
    for part in (
        "format_version: 1 is what is known, not 2",
        "operations[0] (node): param_target: attributes, inputs, outputs, op are known, not 'atributes'",
        "operations[1] (node): it changes nothing: for inputs, state values or pre_process_transpose_perm",
        "operations[2] (node): pre_process_transpose_perm is not for param_target 'outputs'",
        "operations[3] (node): the key 'value' is not known (did you mean 'values'?)",
        "operations[3] (node): param_name: a name is expected, not None",
    ):
        assert part in text
