"""Resize in all modes, with scales and sizes that are constant or arrive at run time."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from test.handlers.check import check_op, make_op_model

RNG = np.random.default_rng(5)
COORDINATES = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"]
NEAREST = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]

MODES = [
    *[("nearest", c, {"nearest_mode": n}) for c, n in itertools.product(COORDINATES, NEAREST)],
    *[(m, c, {"antialias": a}) for m, c, a in itertools.product(["linear", "cubic"], COORDINATES, [0, 1])],
    *[("cubic", c, {"exclude_outside": 1, "cubic_coeff_a": -0.5}) for c in COORDINATES],
]


def image(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def check_resize(x, attributes, *, roi=None, scales=None, sizes=None, opset=19, **settings):
    roi = None if roi is None else np.array(roi, np.float32)
    scales = None if scales is None else np.array(scales, np.float32)
    sizes = None if sizes is None else np.array(sizes, np.int64)
    inputs = [x, roi, scales, sizes]
    settings = {"opset": opset, "rtol": 1e-4, "atol": 1e-4, **settings}
    # With constant sizes the dimensions are known, or not even those of the data are.
    check_op("Resize", inputs, attributes, constants=(1, 2, 3), **{"through": ["static"], **settings})
    check_op("Resize", inputs, attributes, **{"through": ["dynamic"], **settings})


@pytest.mark.parametrize(("mode", "coordinates", "extra"), MODES)
def test_modes(mode, coordinates, extra):
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates, **extra}
    check_resize(image(1, 2, 4, 5), attributes, scales=[1, 1, 2, 3])
    check_resize(image(1, 2, 5, 7), attributes, sizes=[1, 2, 8, 4])


CUT = [
    *itertools.product(["nearest", "linear", "cubic"], ["half_pixel", "asymmetric"]),
    ("linear", "half_pixel_symmetric"),
    ("cubic", "half_pixel_symmetric"),
]


@pytest.mark.parametrize(("mode", "coordinates"), CUT)
def test_sizes_that_are_cut(mode, coordinates):
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
    check_resize(image(1, 2, 7, 9), attributes, scales=[1, 1, 0.6, 1.3])


@pytest.mark.parametrize("scales", [(1.7, 0.6), (0.2, 1.1)], ids=str)
@pytest.mark.parametrize(
    ("mode", "extra"),
    [("nearest", {"nearest_mode": "floor"}), ("linear", {}), ("cubic", {}), ("linear", {"antialias": 1})],
)
def test_corners_are_those_of_the_whole_size(mode, extra, scales):
    """As PyTorch and ONNX Runtime have it, not of ``scale * size``, which is no whole number."""
    attributes = {"mode": mode, "coordinate_transformation_mode": "align_corners", **extra}
    x = image(1, 2, 7, 9)
    check_resize(x, attributes, scales=[1, 1, *scales])
    check_resize(x, {**attributes, "axes": [3, 2]}, scales=scales)
    if "antialias" not in extra:  # the width of its filter is by the scale
        sizes = [int(np.float32(n) * np.float32(s)) for n, s in zip(x.shape[2:], scales, strict=True)]
        check_resize(x, attributes, scales=[1, 1, *scales], reference=[_resized(x, attributes, [1, 2, *sizes])])


def _resized(x, attributes, sizes):
    model = make_op_model("Resize", [x, None, None, np.int64(sizes)], attributes, opset=19, constants=(3,))
    return ReferenceEvaluator(model).run(None, {"x0": x})[0]


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_corners_with_a_kept_aspect_ratio(mode, policy):
    attributes = {"mode": mode, "coordinate_transformation_mode": "align_corners", "axes": [2, 3]}
    check_resize(image(1, 2, 7, 9), {**attributes, "keep_aspect_ratio_policy": policy}, sizes=[13, 7])


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_crop_and_resize(mode):
    attributes = {
        "mode": mode,
        "coordinate_transformation_mode": "tf_crop_and_resize",
        "extrapolation_value": 3.0,
    }
    roi = [0, 0, 0.1, -0.2, 1, 1, 0.8, 1.2]
    check_resize(image(1, 2, 6, 7), attributes, roi=roi, sizes=[1, 2, 5, 9])
    check_resize(image(1, 2, 6, 7), attributes, roi=roi, sizes=[1, 2, 1, 1])


@pytest.mark.parametrize("policy", ["stretch", "not_larger", "not_smaller"])
def test_axes_and_aspect_ratio(policy):
    attributes = {"mode": "linear", "axes": [3, 2], "keep_aspect_ratio_policy": policy}
    check_resize(image(1, 2, 6, 9), attributes, sizes=[13, 7], reference="onnx")


@pytest.mark.parametrize("shape", [(5,), (5, 6), (2, 3, 5), (1, 2, 3, 4, 5)])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_ranks(shape, mode):
    scales = [
        1 if axis < len(shape) - 3 or (axis < 2 and len(shape) > 2) else 2 + axis % 2 for axis in range(len(shape))
    ]
    check_resize(image(*shape), {"mode": mode}, scales=scales, reference="onnx")


def test_batch_and_channels_may_be_repeated():
    check_resize(image(2, 3, 2, 2), {"mode": "nearest"}, scales=[2, 3, 1, 2])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32])
def test_nearest_of_integers(dtype):
    x = np.arange(24, dtype=dtype).reshape(1, 2, 3, 4)
    check_resize(x, {"mode": "nearest"}, scales=[1, 1, 2, 2])
    check_resize(x, {"mode": "nearest"}, sizes=[1, 2, 5, 3])


def test_linear_of_bytes():
    x = RNG.integers(0, 256, (1, 1, 4, 5), np.uint8)
    check_resize(x, {"mode": "linear"}, scales=[1, 1, 2, 4], through=["static"])


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("scales", [[1, 1, 2, 3], [1, 1, 0.5, 0.6]])
def test_earlier_versions(mode, scales):
    x, scales = image(1, 2, 6, 5), np.array(scales, np.float32)
    check_op("Resize", [x, scales], {"mode": mode}, opset=10, constants=(1,))
    if scales.min() >= 1:
        check_op("Upsample", [x, scales], {"mode": mode}, opset=9, constants=(1,))
        check_op("Upsample", [x, scales], {"mode": mode}, opset=9)
        check_op("Upsample", [x], {"mode": mode, "scales": scales.tolist()}, opset=7)


def test_first_version_of_upsample():
    x = image(1, 2, 3, 4)
    attributes = {"height_scale": 2.0, "width_scale": 3.0, "mode": "nearest"}
    check_op("Upsample", [x], attributes, opset=1, reference=[x.repeat(2, 2).repeat(3, 3)])


def test_exported_with_dynamic_sizes():
    attributes = {"mode": "linear"}
    check_op("Resize", [image(2, 3, 4, 5), None, None, np.array([2, 3, 7, 9])], attributes, through=["export"])
