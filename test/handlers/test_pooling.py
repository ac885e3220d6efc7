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
