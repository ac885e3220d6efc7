"""Convolutions: one operator of LiteRT each, with groups, dilations and open dimensions."""

from __future__ import annotations

import numpy as np
import pytest

from test.handlers.check import make_op_model
from test.litert.check import check_tflite

RNG = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


IMAGES, LINES, VOLUMES = floats(2, 8, 9, 11), floats(2, 8, 15), floats(1, 4, 7, 8, 9)

CASES = [
    (IMAGES, (4, 8, 3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1]}, {"CONV_2D": 1}),
    (IMAGES, (4, 8, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_LOWER"}, {"CONV_2D": 1}),
    (IMAGES, (4, 8, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}, {"CONV_2D": 1, "PAD": 0}),
    (IMAGES, (4, 8, 2, 2), {"strides": [3, 3]}, {"CONV_2D": 1}),
    (IMAGES, (4, 8, 3, 3), {"dilations": [2, 3], "pads": [2, 3, 2, 3]}, {"CONV_2D": 1, "SPACE_TO_BATCH_ND": 0}),
    (IMAGES, (16, 2, 3, 3), {"group": 4, "strides": [1, 2], "pads": [1, 1, 1, 1]}, {"CONV_2D": 1}),
    (IMAGES, (4, 4, 3, 3), {"group": 2, "dilations": [2, 2]}, {"CONV_2D": 1, "SPLIT": 0}),
    (IMAGES, (16, 1, 3, 3), {"group": 8, "dilations": [2, 2], "pads": [2, 2, 2, 2]}, {"DEPTHWISE_CONV_2D": 1}),
    (IMAGES, (8, 1, 3, 3), {"group": 8, "strides": [1, 2], "pads": [1, 1, 1, 1]}, {"DEPTHWISE_CONV_2D": 1}),
    (LINES, (6, 8, 3), {"dilations": [2], "pads": [4, 0]}, {"CONV_2D": 1}),
    (LINES, (8, 2, 3), {"group": 4, "strides": [2]}, {"CONV_2D": 1}),
    (LINES, (8, 1, 3), {"group": 8, "pads": [1, 1]}, {"DEPTHWISE_CONV_2D": 1}),
    (VOLUMES, (6, 4, 3, 3, 3), {"strides": [2, 2, 1], "pads": [1, 1, 1, 1, 1, 1]}, {"CONV_3D": 0, "CONV_2D": 3}),
    (VOLUMES, (6, 4, 3, 3, 3), {"dilations": [2, 1, 2], "pads": [2, 1, 2, 2, 1, 2]}, {"CONV_3D": 0, "CONV_2D": 3}),
    (VOLUMES, (6, 2, 3, 3, 3), {"group": 2}, {"CONV_3D": 0, "CONV_2D": 3}),
]


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize(("x", "filters", "attributes", "operators"), CASES)
def test_a_convolution_is_one_operator_for_each_plane(tmp_path, x, filters, attributes, operators, dynamic):
    inputs = [x, floats(*filters), floats(filters[0])]
    model = make_op_model("Conv", inputs, attributes, constants=(1, 2), dynamic=dynamic)
    found = check_tflite(model, {"x0": x}, tmp_path)
    assert {name: found.get(name, 0) for name in operators} == operators


def test_filters_that_are_an_input(tmp_path):
    x, w = IMAGES, floats(8, 2, 3, 3)
    found = check_tflite(make_op_model("Conv", [x, w], {"group": 4}), {"x0": x, "x1": w}, tmp_path)
    assert found["CONV_2D"] == 1
