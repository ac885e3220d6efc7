"""Grid sampling, regions of interest, non-maximum suppression, blocks."""

from __future__ import annotations

import numpy as np
import pytest

from test.handlers.check import check_op

RNG = np.random.default_rng(6)


def image(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align_corners", [0, 1])
def test_grid_sample(mode, padding_mode, align_corners):
    grid = RNG.uniform(-2.5, 2.5, (2, 6, 7, 2)).astype(np.float32)
    attributes = {"mode": mode, "padding_mode": padding_mode, "align_corners": align_corners}
    check_op("GridSample", [image(2, 3, 4, 5), grid], attributes, opset=16, through=["dynamic"])


@pytest.mark.parametrize("mode", ["linear", "nearest"])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align_corners", [0, 1])
def test_grid_sample_of_volumes(mode, padding_mode, align_corners):
    grid = RNG.uniform(-1.5, 1.5, (1, 3, 4, 2, 3)).astype(np.float32)
    attributes = {"mode": mode, "padding_mode": padding_mode, "align_corners": align_corners}
    check_op("GridSample", [image(1, 2, 3, 4, 5), grid], attributes, opset=20, through=["static"])


def test_grid_sample_far_outside_and_not_a_number():
    grid = np.array([[[[1e30, 0], [np.nan, 0], [-np.inf, 1e9]]]], np.float32)
    check_op(
        "GridSample",
        [np.ones((1, 1, 3, 3), np.float32), grid],
        opset=16,
        reference=[np.zeros((1, 1, 1, 3), np.float32)],
    )


@pytest.mark.parametrize("size", [[2, 3, 4, 5], [2, 3, 2, 4, 3]])
@pytest.mark.parametrize("align_corners", [0, 1])
def test_affine_grid(size, align_corners):
    theta = image(2, len(size) - 2, len(size) - 1)
    attributes = {"align_corners": align_corners}
    check_op("AffineGrid", [theta, np.array(size)], attributes, opset=20, constants=(1,), reference="onnx")
    check_op("AffineGrid", [theta, np.array(size)], attributes, opset=20, reference="onnx", through=["static"])


def regions(count):
    start = RNG.uniform(-3, 20, (count, 2))
    return np.concatenate([start, start + RNG.uniform(-2, 20, (count, 2))], 1).astype(np.float32)


@pytest.mark.parametrize("sampling_ratio", [0, 2])
@pytest.mark.parametrize("coordinates", [None, "half_pixel", "output_half_pixel"])
@pytest.mark.parametrize("mode", ["avg", "max"])
def test_roi_align(mode, coordinates, sampling_ratio):
    attributes = {
        "mode": mode,
        "sampling_ratio": sampling_ratio,
        "spatial_scale": 0.5,
        "output_height": 3,
        "output_width": 2,
    }
    if coordinates:
        attributes["coordinate_transformation_mode"] = coordinates
    inputs = [image(2, 3, 11, 13), regions(6), np.array([0, 1, 1, 0, 1, 0])]
    check_op("RoiAlign", inputs, attributes, opset=16 if coordinates else 10, through=["dynamic"])


def test_no_regions():
    check_op("RoiAlign", [image(2, 3, 11, 13), regions(0), np.zeros(0, np.int64)], {"mode": "max"}, opset=16)


def test_max_roi_pool():
    rois = np.concatenate([np.array([[0], [1], [1], [0], [0]]), regions(5).round()], 1).astype(np.float32)
    attributes = {"pooled_shape": [3, 2], "spatial_scale": 0.5}
    check_op("MaxRoiPool", [image(2, 3, 11, 13), rois], attributes, opset=1)


def test_bins_of_regions_are_cut_by_one_division():
    rng = np.random.default_rng(3)
    low = rng.integers(0, 16, (60, 2))
    rois = np.concatenate([np.zeros((60, 1)), low, low + rng.integers(0, 16, (60, 2))], 1).astype(np.float32)
    for shape in ([3, 2], [7, 5]):
        check_op("MaxRoiPool", [image(1, 2, 17, 19), rois], {"pooled_shape": shape, "spatial_scale": 0.5}, opset=1)


def boxes(batch, count):
    low = RNG.random((batch, count, 2))
    found = np.concatenate([low, low + RNG.random((batch, count, 2)) * 0.5], 2)
    found[:, ::3] = found[:, ::3][..., [2, 1, 0, 3]]  # corners in the other order
    return found.astype(np.float32)


LIMITS = {
    "all": [np.array([4]), np.array([0.4], np.float32), np.array([0.3], np.float32)],
    "scalars": [np.array(4), np.array(0.4, np.float32), np.array(0.3, np.float32)],
    "no_thresholds": [np.array([5])],
    "more_than_there_are": [np.array([10**12]), np.array([0.9], np.float32)],
    "none_wanted": [],
}


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("center", [0, 1])
@pytest.mark.parametrize(("batch", "classes"), [(1, 1), (2, 3)])
def test_non_max_suppression(limits, center, batch, classes):
    scores = RNG.random((batch, classes, 12)).astype(np.float32)
    scores[..., 3] = scores[..., 7]  # ties go to the lower index
    inputs = [boxes(batch, 12), scores, *LIMITS[limits]]
    check_op(
        "NonMaxSuppression",
        inputs,
        {"center_point_box": center},
        opset=11,
        constants=range(2, len(inputs)),
        through=["dynamic"],
    )
    check_op("NonMaxSuppression", inputs, {"center_point_box": center}, opset=11, through=["static"])


@pytest.mark.parametrize(("batch", "classes"), [(0, 3), (2, 0)])
def test_non_max_suppression_of_nothing(batch, classes):
    inputs = [boxes(batch, 5), np.ones((batch, classes, 5), np.float32), *LIMITS["all"]]
    check_op("NonMaxSuppression", inputs, constants=(2, 3, 4), through=["static", "dynamic", "export"])


@pytest.mark.parametrize("place", range(4))
def test_a_box_with_nan_overlaps_no_other(place):
    b = np.tile(boxes(1, 1), (1, 6, 1))
    b[0, [1, 4], place] = np.nan
    scores = RNG.random((1, 1, 6)).astype(np.float32)
    check_op("NonMaxSuppression", [b, scores, *LIMITS["all"]], constants=(2, 3, 4), through=["static"])


def test_exported():
    inputs = [boxes(2, 9), RNG.random((2, 3, 9)).astype(np.float32), *LIMITS["all"]]
    check_op("NonMaxSuppression", inputs, opset=11, constants=(2, 3, 4), through=["export"])
    rois = np.array([[1, 2, 7, 9], [0, 3, 12, 8], [2, 2, 5, 6]], np.float32)
    check_op("RoiAlign", [image(2, 3, 11, 13), rois, np.array([0, 1, 1])], opset=16, through=["export"])


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blocks(mode, dtype):
    for channels in (9, 18):
        check_op("DepthToSpace", [image(2, channels, 3, 4).astype(dtype)], {"blocksize": 3, "mode": mode}, opset=13)


def test_blocks_of_one_element():
    x = np.ones((1, 2, 3, 3), np.float32)
    check_op("DepthToSpace", [x], {"blocksize": 1})
    check_op("SpaceToDepth", [x], {"blocksize": 1}, opset=13)


def test_blocks_of_earlier_versions():
    check_op("DepthToSpace", [image(2, 8, 3, 4)], {"blocksize": 2}, opset=1)
    check_op("SpaceToDepth", [image(2, 3, 4, 6)], {"blocksize": 2}, opset=13)
