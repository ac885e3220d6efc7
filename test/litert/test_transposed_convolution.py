"""Transposed convolutions: over one to three axes, of groups, static and open."""

from __future__ import annotations

import numpy as np
import pytest

from test.handlers.check import make_op_model
from test.litert.check import check_tflite

RNG = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


LINES, IMAGES, VOLUMES = floats(2, 8, 7), floats(2, 8, 5, 6), floats(1, 4, 3, 4, 5)

CASES = [
    (IMAGES, (8, 3, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}, "DEPTH_TO_SPACE"),
    (IMAGES, (8, 3, 6, 3), {"strides": [3, 3], "pads": [1, 0, 2, 1]}, "DEPTH_TO_SPACE"),
    (IMAGES, (8, 3, 5, 4), {"strides": [2, 2], "pads": [2, 1, 1, 0], "output_padding": [1, 1]}, "DEPTH_TO_SPACE"),
    (IMAGES, (8, 3, 3, 2), {"strides": [1, 1], "pads": [1, 0, 1, 0]}, "CONV_2D"),
    (IMAGES, (8, 3, 2, 2), {"strides": [3, 3]}, "TRANSPOSE_CONV"),
    (IMAGES, (8, 3, 3, 3), {"strides": [2, 1], "output_padding": [1, 0], "dilations": [1, 2]}, "TRANSPOSE_CONV"),
    (IMAGES, (8, 3, 3, 3), {"strides": [2, 2], "output_shape": [10, 12]}, "DEPTH_TO_SPACE"),
    (IMAGES, (8, 2, 3, 3), {"group": 2, "strides": [2, 2], "auto_pad": "SAME_UPPER"}, "TRANSPOSE_CONV"),
    (IMAGES, (8, 1, 4, 4), {"group": 8, "strides": [2, 2], "pads": [1, 1, 1, 1]}, "DEPTHWISE_CONV_2D"),
    (IMAGES, (8, 1, 2, 3), {"group": 4, "strides": [3, 2]}, "CONV_2D"),
    (IMAGES, (8, 2, 3, 3), {"group": 8, "strides": [1, 2]}, "DEPTHWISE_CONV_2D"),
    (LINES, (8, 3, 4), {"strides": [2], "pads": [1, 1]}, "CONV_2D"),
    (LINES, (8, 3, 5), {"strides": [2], "pads": [1, 1]}, "CONV_2D"),
    (LINES, (8, 1, 4), {"group": 8, "strides": [2], "pads": [1, 1]}, "DEPTHWISE_CONV_2D"),
    (VOLUMES, (4, 3, 3, 3, 3), {"strides": [2, 2, 1], "pads": [1, 1, 1, 1, 1, 1]}, "CONV_3D_TRANSPOSE"),
    (VOLUMES, (4, 3, 2, 2, 2), {"group": 2, "strides": [2, 2, 2]}, "CONV_3D_TRANSPOSE"),
]


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize(("x", "filters", "attributes", "operator"), CASES)
def test_transposed_convolutions(tmp_path, x, filters, attributes, operator, dynamic):
    inputs = [x, floats(*filters), floats(filters[1] * attributes.get("group", 1))]
    model = make_op_model("ConvTranspose", inputs, attributes, constants=(1, 2), dynamic=dynamic)
    assert operator in check_tflite(model, {"x0": x}, tmp_path)
