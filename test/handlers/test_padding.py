"""Padding in every mode, with negative, partial and dynamic pads."""

from __future__ import annotations

import itertools

import numpy as np
import onnx
import pytest

from onnx_tf import prepare
from test.handlers.check import check_op, make_op_model, run_reference

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
PADS = [(0, 1, 1, 0, 0, 2), (0, 2, 3, 0, 1, 1), (0, -1, 0, 0, 0, -2), (0, -2, 1, 0, 1, -1), (0, 0, 0, 0, 0, 0)]


MODES = itertools.product(["constant", "reflect", "edge", "wrap"], PADS)


@pytest.mark.parametrize(("mode", "pads"), [m for m in MODES if m != ("reflect", PADS[3])])  # nothing left to mirror
def test_modes(mode, pads):
    value = [np.array(1.5, np.float32)] if mode == "constant" else []
    tensor = np.array(pads, np.int64)
    check_op("Pad", [X, tensor, *value], {"mode": mode}, constants=[1])
    check_op("Pad", [X, tensor, *value], {"mode": mode})
    check_op("Pad", [X, tensor], {"mode": mode}, opset=11, constants=[1])


@pytest.mark.parametrize("mode", ["edge", "wrap", "reflect"])
def test_pads_longer_than_the_data(mode):
    pads = np.array([0, 0, 7, 0, 5, 9], np.int64)
    expected = [np.pad(X, [(0, 0), (0, 5), (7, 9)], mode)]
    check_op("Pad", [X, pads], {"mode": mode}, constants=[1], reference=expected)
    check_op("Pad", [X, pads], {"mode": mode}, reference=expected)


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("channels", [1, 3, 16, 20])
@pytest.mark.parametrize("pads", [(1, 1, 1, 1), (4, 0, 2, 3), (0, 3, 0, 0), (0, 2, 4, 0)])
@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_mirrored_images(dtype, pads, channels, channels_last):
    shape = (2, 6, 5, channels) if channels_last else (2, channels, 6, 5)
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    if dtype is np.float32:
        x.flat[::7], x.flat[3::11], x.flat[4::13] = np.nan, np.inf, -0.0
    first = 1 if channels_last else 2
    ends = np.zeros([2, 4], np.int64)
    ends[:, first : first + 2] = np.reshape(pads, [2, 2])
    model = make_op_model("Pad", [x, ends.reshape(-1)], {"mode": "reflect"}, constants=[1])
    expected = np.pad(x, ends.T, "reflect")
    np.testing.assert_array_equal(prepare(model).run(x)[0], expected)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "n"
    np.testing.assert_array_equal(prepare(model).run(x)[0], expected)
    np.testing.assert_array_equal(prepare(model).run(x[:0])[0], expected[:0])


@pytest.mark.parametrize("axes", [(-1, 1), (2, 0)])
def test_chosen_axes(axes):
    inputs = [X, np.array([1, 2, 2, 1], np.int64), None, np.array(axes, np.int64)]
    check_op("Pad", inputs, constants=[1, 3])
    check_op("Pad", inputs)


def test_attributes_of_old_versions():
    expected = [np.pad(X, [(0, 0), (1, 0), (0, 2)], constant_values=2.0)]
    check_op("Pad", [X], {"pads": [0, 1, 0, 0, 0, 2], "value": 2.0}, opset=2, reference=expected)
    check_op("Pad", [X], {"paddings": [0, 1, 0, 0, 0, 2], "value": 2.0}, opset=1, reference=expected)


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint16, np.int64, np.float16, object])
def test_dtypes(dtype):
    x = np.array([["a"]], object) if dtype is object else np.ones([1, 1], dtype)
    expected = np.array([["", ""], ["a", ""]], object) if dtype is object else np.pad(x, [(1, 0), (0, 1)])
    check_op("Pad", [x, np.array([1, 0, 0, 1], np.int64)], reference=[expected])


@pytest.mark.parametrize(("shape", "axes"), [((5, 2), (1, 2)), ((1, 7, 4), None), ((3,), (-1,))])
def test_center_crop_pad(shape, axes):
    attributes = {} if axes is None else {"axes": list(axes)}
    inputs = [X, np.array(shape, np.int64)]
    expected = run_reference(make_op_model("CenterCropPad", inputs, attributes), {"x0": X, "x1": inputs[1]}, "ort")
    for dtype in (np.int64, np.int32):  # ONNX's function body is wrong about int32
        settings = {"constants": [1], "reference": expected}
        check_op("CenterCropPad", [X, np.array(shape, dtype)], attributes, **settings)
    check_op("CenterCropPad", inputs, attributes, reference=expected, through=["static"])


@pytest.mark.parametrize("dtype", [np.float32, np.int64, bool])
def test_mirrors_of_an_open_batch(dtype):
    """TensorFlow's kernel refuses data of no elements."""
    pads = [0, 0, 2, 1, 0, 0, 0, 3]
    x = onnx.helper.make_tensor_value_info("x", onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), ["n", 2, 3, 4])
    y = onnx.helper.make_empty_tensor_value_info("y")
    node = onnx.helper.make_node("Pad", ["x", "pads"], ["y"], mode="reflect")
    graph = onnx.helper.make_graph([node], "g", [x], [y], [onnx.numpy_helper.from_array(np.array(pads), "pads")])
    rep = prepare(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8))
    data = np.random.default_rng(0).integers(0, 2, (2, 2, 3, 4)).astype(dtype)
    for batch in (data, data[:0]):
        expected = np.pad(batch, list(zip(pads[:4], pads[4:], strict=True)), "reflect")
        np.testing.assert_array_equal(rep.run({"x": batch})[0], expected, strict=True)
