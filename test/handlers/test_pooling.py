"""Pools: every padding, ceil mode, dilation, rank, and dtypes without a kernel."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from onnx_tf import prepare
from onnx_tf.errors import ConversionError
from test.handlers.check import check_op, make_op_model, run_reference

RNG = np.random.default_rng(1)

POOLS = {
    "plain": ((1, 3, 7, 6), {"kernel_shape": [2, 3]}),
    "same": ((1, 3, 7, 6), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    "stem": ((1, 3, 8, 7), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}),
    "asymmetric": ((1, 3, 8, 7), {"kernel_shape": [3, 4], "pads": [0, 2, 1, 1], "strides": [2, 1]}),
    "same_upper": ((1, 3, 8, 7), {"kernel_shape": [3, 2], "auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "same_lower": ((1, 3, 8, 7), {"kernel_shape": [3, 2], "auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    "stride_beyond_kernel": ((1, 3, 8, 7), {"kernel_shape": [2, 1], "strides": [3, 2]}),
    "wide": ((1, 9, 8, 9), {"kernel_shape": [5, 7], "pads": [2, 3, 2, 3]}),
    "wide_strided": ((1, 9, 8, 9), {"kernel_shape": [5, 6], "pads": [2, 1, 0, 1], "strides": [2, 3]}),
    "line": ((2, 3, 9), {"kernel_shape": [3], "pads": [1, 1], "strides": [2]}),
    "long_stride_beyond_kernel": ((1, 2, 200), {"kernel_shape": [45], "strides": [50], "pads": [5, 5]}),
    "volume": ((1, 2, 5, 6, 4), {"kernel_shape": [2, 3, 2], "strides": [2, 1, 2], "pads": [0, 1, 0, 1, 1, 1]}),
}
CEIL = {
    "ceil": ((1, 2, 7, 8), {"kernel_shape": [3, 3], "strides": [2, 3], "ceil_mode": 1}),
    "ceil_padded": ((1, 2, 6, 7), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1}),
    "ceil_last_on_padding": ((1, 2, 2, 2), {"kernel_shape": [1, 1], "strides": [2, 2], "ceil_mode": 1}),
    "ceil_of_all": ((1, 2, 7, 6), {"kernel_shape": [40, 50], "strides": [40, 50], "ceil_mode": 1}),
    "ceil_of_all_padded": (
        (1, 2, 4, 6),
        {"kernel_shape": [30, 3], "strides": [30, 2], "pads": [2, 1, 3, 1], "ceil_mode": 1},
    ),
    "ceil_line": ((1, 2, 8), {"kernel_shape": [3], "strides": [2], "ceil_mode": 1}),
}
DILATED = {
    "dilated": ((1, 2, 9, 8), {"kernel_shape": [3, 2], "dilations": [2, 3], "strides": [1, 2]}),
    "dilated_long": ((1, 2, 90, 3), {"kernel_shape": [40, 2], "dilations": [2, 1], "strides": [3, 1]}),
    "dilated_padded": ((1, 2, 9, 8), {"kernel_shape": [3, 3], "dilations": [2, 2], "pads": [2, 1, 2, 1]}),
}


def image(shape, dtype=np.float32):
    if np.issubdtype(dtype, np.integer):
        return RNG.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    return RNG.standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("name", {**POOLS, **CEIL, **DILATED})
def test_max_pool(name):
    shape, attributes = {**POOLS, **CEIL, **DILATED}[name]
    check_op("MaxPool", [image(shape)], attributes, opset=22)


# ONNX Runtime's column-major indices of other ranks than 4 are not what the operator says.
@pytest.mark.parametrize(
    ("name", "storage_order"),
    [
        *itertools.product(["plain", "stem", "ceil", "dilated_padded"], [0, 1]),
        ("line", 0),
        ("volume", 0),
    ],
)
def test_max_pool_indices(name, storage_order):
    shape, attributes = {**POOLS, **CEIL, **DILATED}[name]
    x = image((2, *shape[1:]))
    check_op("MaxPool", [x], {**attributes, "storage_order": storage_order}, opset=22, outputs=2)


SHAPED = {
    "apart": ((2, 6, 9), {"kernel_shape": [2, 3], "strides": [2, 3]}),
    "apart_padded": ((1, 7, 8), {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [1, 0, 0, 1]}),
    "stem": ((1, 8, 7), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "ceil": ((1, 8, 7), {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
    "wide": ((1, 9, 9), {"kernel_shape": [5, 6], "strides": [3, 1], "pads": [2, 3, 2, 2]}),
    "line": ((2, 11), {"kernel_shape": [3], "strides": [2], "pads": [1, 1]}),
    "planes": ((1, 4, 6, 6), {"kernel_shape": [1, 2, 2], "strides": [1, 2, 2]}),
    "depth": ((2, 7, 3, 4), {"kernel_shape": [5, 1, 1], "strides": [1, 1, 1], "pads": [2, 0, 0, 2, 0, 0]}),
    "volume_apart": ((2, 4, 6, 5), {"kernel_shape": [2, 2, 2], "strides": [2, 2, 2]}),
    "volume_stem": ((1, 5, 6, 7), {"kernel_shape": [3, 3, 3], "strides": [2, 2, 2], "pads": [1] * 6}),
    "volume_same": ((1, 5, 6, 7), {"kernel_shape": [3, 3, 3], "strides": [1, 1, 1], "pads": [1] * 6}),
}
"""Batch and spatial dimensions, and attributes."""

CHANNELS = (1, 7, 8, 31, 32)
"""On both sides of where another form is taken."""


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("name", SHAPED)
@pytest.mark.parametrize("op_type", ["MaxPool", "AveragePool", "LpPool"])
def test_the_form_depends_on_the_shape(op_type, name, channels):
    (batch, *spatial), attributes = SHAPED[name]
    x = image((batch, channels, *spatial))
    if op_type == "AveragePool":
        check_op(op_type, [x], {**attributes, "count_include_pad": 1}, opset=22, through=["static"])
    check_op(op_type, [x], attributes, opset=22, through=["static"])


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("name", SHAPED)
@pytest.mark.parametrize("op_type", ["MaxPool", "AveragePool"])
def test_infinities_and_zeros_of_both_signs(op_type, name, channels):
    (batch, *spatial), attributes = SHAPED[name]
    x = image((batch, channels, *spatial))
    x[RNG.random(x.shape) < 0.3] = np.inf if op_type == "AveragePool" else -np.inf
    x[RNG.random(x.shape) < 0.1] = np.inf
    x[RNG.random(x.shape) < 0.2] = -0.0
    x[:, -1] = -np.inf
    (expected,) = run_reference(make_op_model(op_type, [x], attributes, opset=22), {"x0": x}, "ort")
    # ONNX Runtime begins at the lowest number.
    expected = np.where(expected == np.finfo(np.float32).min, np.float32(-np.inf), expected)
    check_op(op_type, [x], attributes, opset=22, through=["static"], reference=[expected])


@pytest.mark.parametrize("channels", [3, 16])
@pytest.mark.parametrize("open_axes", [(0,), (2, 3), (0, 2, 3), (1,)])
@pytest.mark.parametrize("op_type", ["MaxPool", "AveragePool"])
def test_open_dimensions_of_pools_of_few_channels(op_type, open_axes, channels):
    attributes = {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 0]}
    x = image((2, channels, 8, 6))
    model = make_op_model(op_type, [x], attributes, opset=22)
    for axis in open_axes:
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = f"n{axis}"
    expected = run_reference(model, {"x0": x}, "ort")
    np.testing.assert_allclose(prepare(model).run(x)[0], expected[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layout", ["auto", "keep"])
def test_pools_of_few_channels_of_halves_and_integers(layout):
    attributes = {"kernel_shape": [2, 2], "strides": [2, 2]}
    for dtype in (np.float16, np.float64, np.int8, np.uint8):
        x = image((1, 3, 6, 8), dtype)
        model = make_op_model("MaxPool", [x], attributes, opset=22)
        expected = run_reference(model, {"x0": x}, "ort")
        np.testing.assert_array_equal(prepare(model, layout=layout).run(x)[0], expected[0])


@pytest.mark.parametrize(
    ("shape", "attributes"),
    [
        ((1, 8, 2, 3), {"kernel_shape": [3, 3], "strides": [2, 2]}),
        ((1, 8, 2, 3), {"kernel_shape": [5, 5], "strides": [4, 4], "pads": [1, 0, 0, 1]}),
        ((1, 2, 2, 3), {"kernel_shape": [3, 3]}),
        ((2, 8, 1, 3), {"kernel_shape": [4, 3], "strides": [2, 2]}),
        ((1, 3, 2), {"kernel_shape": [3], "strides": [2]}),
        ((1, 3, 1, 4, 4), {"kernel_shape": [2, 2, 2], "strides": [2, 2, 2]}),
    ],
)
@pytest.mark.parametrize("op_type", ["MaxPool", "AveragePool", "LpPool"])
def test_windows_that_span_more_than_the_data(op_type, shape, attributes):
    """One window of what lacks less than a stride, none of what lacks more, as in ONNX Runtime."""
    check_op(op_type, [image(shape)], attributes, opset=22, through=["static"])
    if op_type == "MaxPool":
        check_op(op_type, [image(shape)], attributes, opset=22, outputs=2, through=["static"])
    if op_type == "AveragePool":
        check_op(op_type, [image(shape)], {**attributes, "count_include_pad": 1}, opset=22, through=["static"])


def test_a_window_that_fits_nowhere():
    with pytest.raises(ConversionError, match="spans 7 elements"):
        prepare(make_op_model("MaxPool", [image((1, 2, 1, 1))], {"kernel_shape": [7, 7], "strides": [2, 2]}))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.float16, np.float64])
@pytest.mark.parametrize("name", ["stem", "same_lower", "dilated", "volume"])
def test_max_pool_of_other_dtypes(name, dtype):
    shape, attributes = {**POOLS, **DILATED}[name]
    x = image(shape, dtype)
    reference = "ort"
    if dtype == np.float16:
        wide = [x.astype(np.float32)]
        (expected,) = run_reference(make_op_model("MaxPool", wide, attributes, opset=12), {"x0": wide[0]}, "ort")
        reference = [expected.astype(np.float16)]
    check_op("MaxPool", [x], attributes, opset=12, through=["static"], reference=reference)


@pytest.mark.parametrize("count_include_pad", [0, 1])
@pytest.mark.parametrize("name", {**POOLS, **CEIL, **DILATED})
def test_average_pool(name, count_include_pad):
    shape, attributes = {**POOLS, **CEIL, **DILATED}[name]
    check_op("AveragePool", [image(shape)], {**attributes, "count_include_pad": count_include_pad}, opset=22)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
@pytest.mark.parametrize("name", ["same", "stem", "volume"])
def test_average_pool_of_other_floats(name, dtype):
    shape, attributes = POOLS[name]
    x = image(shape, dtype)
    tolerance = 1e-3 if dtype == np.float16 else 1e-6
    check_op("AveragePool", [x], attributes, opset=22, reference="onnx", rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("op_type", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("opset", [1, 7, 8, 10, 11, 19])
def test_earlier_versions(op_type, opset):
    shape, attributes = POOLS["stem"]
    # ONNX Runtime has versions 1 to 6 of few operators.
    check_op(op_type, [image(shape)], attributes, opset=max(opset, 7) if op_type == "AveragePool" else opset)


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize("name", ["plain", "asymmetric", "same_upper", "volume"])
def test_lp_pool(name, p):
    shape, attributes = POOLS[name]
    check_op("LpPool", [image(shape)], {**attributes, "p": p}, opset=11)
    check_op("LpPool", [image(shape)], {**attributes, "p": p}, opset=22, through=["static"])


@pytest.mark.parametrize("op_type", ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"])
@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 3, 5, 4), (2, 3, 2, 3, 4)])
def test_global_pools(op_type, shape):
    check_op(op_type, [image(shape)], {"p": 3} if op_type == "GlobalLpPool" else {}, opset=2)


@pytest.mark.parametrize("shape", [(2, 3, 8), (2, 3, 6, 8), (1, 2, 4, 6, 4)])
def test_max_unpool(shape):
    rank = len(shape) - 2
    x = image((*shape[:2], *[n // 2 for n in shape[2:]]))
    plane = int(np.prod(shape[2:]))
    offsets = np.arange(shape[0] * shape[1]).reshape(*shape[:2], *[1] * rank) * plane
    inner = np.arange(plane).reshape(shape[2:])[(slice(None, None, 2),) * rank]
    indices = (offsets + inner).astype(np.int64)
    check_op("MaxUnpool", [x, indices], {"kernel_shape": [2] * rank, "strides": [2] * rank}, opset=11)
