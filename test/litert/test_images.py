"""Resizing and sampling of images and volumes, static and open."""

from __future__ import annotations

import numpy as np
import pytest

from test.handlers.check import make_op_model
from test.litert.check import check_tflite

RNG = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


# An axis of 7: indices are clipped to 0..6, which the converter takes for RELU6.
IMAGES, VOLUMES = floats(2, 3, 9, 7), floats(1, 3, 5, 6, 7)
GRID, GRID_3D = RNG.random((2, 4, 5, 2), np.float32) * 2.4 - 1.2, RNG.random((1, 3, 4, 5, 3), np.float32) * 2.4 - 1.2
ROIS, BATCHES = np.array([[1, 1, 6, 7], [0, 2, 5, 8]], np.float32), np.array([0, 1])
BINS = {"output_height": 3, "output_width": 4}

CASES = [
    ("GridSample", [IMAGES, GRID], {"mode": "linear"}, 20),
    ("GridSample", [IMAGES, GRID], {"mode": "cubic", "padding_mode": "reflection"}, 20),
    ("GridSample", [VOLUMES, GRID_3D], {"mode": "nearest", "padding_mode": "border"}, 20),
    ("RoiAlign", [IMAGES, ROIS, BATCHES], {"mode": "avg", "sampling_ratio": 0, **BINS}, 16),
    ("RoiAlign", [IMAGES, ROIS, BATCHES], {"mode": "max", "sampling_ratio": 2, **BINS}, 16),
    ("DepthToSpace", [floats(2, 8, 3, 4)], {"blocksize": 2, "mode": "CRD"}, 13),
]


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize(("op_type", "inputs", "attributes", "opset"), CASES)
def test_sampling(tmp_path, op_type, inputs, attributes, opset, dynamic):
    model = make_op_model(op_type, inputs, attributes, opset=opset, dynamic=dynamic)
    check_tflite(model, {f"x{i}": array for i, array in enumerate(inputs)}, tmp_path)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_sizes_that_are_an_input(tmp_path, mode):
    sizes = np.array([2, 3, 13, 5])
    model = make_op_model("Resize", [IMAGES, None, None, sizes], {"mode": mode}, opset=19)
    check_tflite(model, {"x0": IMAGES, "x3": sizes}, tmp_path)


def test_small_integers(tmp_path):
    x = RNG.integers(0, 255, (1, 3, 9, 7)).astype(np.uint8)
    model = make_op_model(
        "Resize", [x, None, None, np.array([1, 3, 12, 8])], {"mode": "linear"}, opset=19, constants=(3,)
    )
    check_tflite(model, {"x0": x}, tmp_path)


def test_bins_of_regions(tmp_path):
    rng = np.random.default_rng(3)
    low = rng.integers(0, 16, (60, 2))
    rois = np.concatenate([np.zeros((60, 1)), low, low + rng.integers(0, 16, (60, 2))], 1).astype(np.float32)
    x = rng.standard_normal((1, 2, 17, 19)).astype(np.float32)
    attributes = {"pooled_shape": [3, 2], "spatial_scale": 0.5}
    check_tflite(make_op_model("MaxRoiPool", [x, rois], attributes, opset=1), {"x0": x, "x1": rois}, tmp_path)
