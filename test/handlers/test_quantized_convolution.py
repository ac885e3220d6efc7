"""Convolutions of quantised data: exact integers.

Unsigned by signed products are checked against numpy; see test_quantization for the reason.
"""

from __future__ import annotations

import numpy as np
import pytest

from test.handlers.check import check_op

RNG = np.random.default_rng(3)

SHAPES = {
    "plain": ((2, 3, 7, 6), (4, 3, 3, 3), {"pads": [1, 1, 1, 1]}),
    "strided": ((1, 3, 8, 9), (4, 3, 3, 2), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    "dilated": ((1, 2, 9, 9), (3, 2, 3, 3), {"dilations": [2, 2], "pads": [2, 0, 2, 1]}),
    "grouped": ((1, 4, 6, 6), (6, 2, 3, 3), {"group": 2}),
    "depthwise": ((1, 4, 6, 6), (4, 1, 3, 3), {"group": 4, "pads": [1, 1, 1, 1]}),
    "line": ((2, 3, 9), (4, 3, 3), {"pads": [1, 1]}),
    "volume": ((1, 2, 4, 5, 4), (3, 2, 2, 2, 2), {}),
    "deep": ((1, 300, 4, 4), (3, 300, 3, 3), {}),
    "wide": ((1, 1, 17, 18), (1, 1, 17, 17), {}),
}


def integers(dtype, *shape):
    limits = np.iinfo(dtype)
    return RNG.integers(limits.min, limits.max + 1, shape).astype(dtype)


def scalar(value, dtype=np.float32):
    return np.array(value, dtype)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("constants", [(), (1, 2, 3)], ids=["fed", "constant"])
def test_conv_integer(name, constants):
    x_shape, w_shape, attributes = SHAPES[name]
    x, w = integers(np.uint8, *x_shape), integers(np.uint8, *w_shape)
    zeros = [scalar(100, np.uint8), scalar(130, np.uint8)]
    way = ["static", "dynamic"] if constants else ["static"]
    check_op("ConvInteger", [x, w, *zeros], attributes, opset=10, constants=constants, through=way)
    check_op("ConvInteger", [x, w], attributes, opset=10, through=["static"])


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("per_channel", [False, True], ids=["tensor", "channels"])
def test_q_linear_conv(name, per_channel):
    x_shape, w_shape, attributes = SHAPES[name]
    count = (w_shape[0],) if per_channel else ()
    x, w = integers(np.uint8, *x_shape), integers(np.uint8, *w_shape)
    w_scale = np.asarray(RNG.uniform(0.001, 0.01, count), np.float32)
    inputs = [x, scalar(0.02), scalar(120, np.uint8), w, w_scale, scalar(127, np.uint8)]
    inputs += [scalar(0.05), scalar(90, np.uint8), RNG.integers(-10000, 10000, w_shape[0]).astype(np.int32)]
    check_op("QLinearConv", inputs, attributes, opset=10, constants=range(1, 9))
    check_op("QLinearConv", inputs[:8], attributes, opset=10, through=["static"])


def test_signed_filters_of_extremes_are_exact():
    x = np.full((1, 500, 3, 3), 255, np.uint8)
    w = np.full((4, 500, 3, 3), -128, np.int8)
    w[1], w[2, ::2], w[3, 7, 1, 1] = 127, 3, 5
    sums = np.einsum("ncij,mcij->nm", x.astype(np.int64), w.astype(np.int64)).reshape(1, 4, 1, 1)
    for constants in [(), (1,)]:
        check_op(
            "ConvInteger", [x, w], opset=10, constants=constants, reference=[sums.astype(np.int32)], through=["static"]
        )


def test_exported_with_an_absent_bias():
    x, w = integers(np.int8, 1, 2, 5, 5), integers(np.int8, 3, 2, 2, 2)
    zero = scalar(0, np.int8)
    inputs = [x, scalar(0.1), zero, w, scalar(0.01), zero, scalar(2.0), zero]
    check_op("QLinearConv", inputs, opset=10, constants=range(1, 8), through=["export"])
