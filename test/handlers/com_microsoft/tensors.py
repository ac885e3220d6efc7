"""Operators on tensors and images of com.microsoft, against ONNX Runtime."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from test.handlers.com_microsoft.case import case, each

RNG = np.random.default_rng(17)


def normal(*shape, dtype=np.float32):
    return np.asarray(RNG.normal(size=shape), dtype)


def inverse():
    for dtype in (np.float32, np.float64):
        yield case("Inverse", [normal(2, 4, 4, dtype=dtype)], rtol=1e-3, atol=1e-4)
    yield case("Inverse", [np.eye(3, dtype=np.float16) * 4], through=["export"])


@each("mode", ["bilinear", "nearest", "bicubic"])
@each("padding_mode", ["zeros", "border", "reflection"])
def grid_sample(mode, padding_mode):
    x, grid = normal(2, 3, 5, 6), RNG.uniform(-1.3, 1.3, (2, 4, 3, 2)).astype(np.float32)
    for align_corners in (0, 1):
        attributes = {"mode": mode, "padding_mode": padding_mode, "align_corners": align_corners}
        yield case("GridSample", [x, grid], attributes, through=["dynamic"], atol=1e-4)


def nhwc_max_pool():
    for dtype in (np.uint8, np.int8):
        x = RNG.integers(0, 100, (1, 7, 8, 3)).astype(dtype)
        yield case("NhwcMaxPool", [x], {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 0]})
        yield case("NhwcMaxPool", [x], {"kernel_shape": [2, 2], "ceil_mode": 1, "strides": [2, 2]}, through=["dynamic"])


def conv_transpose_with_dynamic_pads():
    x, w, b = normal(1, 3, 4, 5), normal(3, 2, 3, 3), normal(2)
    pads = np.array([1, 0, 1, 1])
    attributes = {"strides": [2, 2], "kernel_shape": [3, 3]}
    yield case("ConvTransposeWithDynamicPads", [x, w, pads, b], attributes, constants=[1, 2])
    yield case("ConvTransposeWithDynamicPads", [x, w, pads], attributes, constants=[1, 2], through=["static"])


@each("mode", ["bilinear", "nearest"])
def crop_and_resize(mode):
    x = normal(2, 3, 8, 9)
    rois = np.array([[0.1, 0.2, 0.9, 0.8], [0, 0, 1, 1], [-0.2, 0.3, 0.5, 1.2]], np.float32)
    inputs = [x, rois, np.array([0, 1, 1], np.int32), np.array([4, 5], np.int32)]
    yield case("CropAndResize", inputs, {"mode": mode, "extrapolation_value": 0.5})
    yield case("CropAndResize", inputs, {"mode": mode}, constants=[3], through=["export"])


@each("mode", ["constant", "reflect", "edge"])
def pad(mode):
    pads = np.array([1, 0, 2, 1])
    yield case("Pad", [normal(3, 4), pads], {"mode": mode})
    yield case("Pad", [normal(3, 4), pads, np.array([2.5], np.float32)], {"mode": mode}, constants=[1])


def small_ones():
    yield case("Unique", [np.array([2, 1, 1, 3, 4, 3], np.float32)], outputs=3)
    yield case("ExpandDims", [normal(2, 3), np.array(-1, np.int32)], constants=[1])
    yield case("ExpandDims", [normal(2, 3), np.array(1, np.int32)], constants=[1], through=["export"])
    yield case("GatherND", [normal(3, 4), np.array([[0, 1], [2, 3]])], through=["static"])
    yield case("Range", [np.array(1.0, np.float32), np.array(7.0, np.float32)])
    yield case("Range", [np.array(9), np.array(1), np.array(-2)], constants=[2])
    yield case("Trilu", [normal(3, 4)])
    yield case("Trilu", [normal(3, 4), np.array(1)], {"upper": 0})
    for metric in ("sqeuclidean", "euclidean"):
        yield case("CDist", [normal(3, 4), normal(5, 4)], {"metric": metric})


@each("domain", ["ai.onnx.converters.tensorflow", "com.microsoft"])
@each("attributes", [{}, {"kernel_type": "triangle", "antialias": 0}])
def scale_and_translate(domain, attributes):
    images, size = normal(2, 6, 7, 3), np.array([9, 5], np.int32)
    scale, translation = np.array([1.5, 0.8], np.float32), np.array([0.1, -0.3], np.float32)
    settings = {"kernel_type": "lanczos3", "antialias": True} | attributes
    expected = tf.raw_ops.ScaleAndTranslate(
        images=images, size=size, scale=scale, translation=translation,
        kernel_type=settings["kernel_type"], antialias=bool(settings["antialias"]),
    )  # fmt: skip
    inputs = [images, size, scale, translation]
    yield case("ScaleAndTranslate", inputs, attributes, domain=domain, reference=[expected.numpy()])
