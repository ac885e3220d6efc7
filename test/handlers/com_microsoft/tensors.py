"""Operators on tensors and images of com.microsoft, against ONNX Runtime."""

from __future__ import annotations

import numpy as np

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
        way = "static" if mode == "nearest" else "dynamic"
        yield case("GridSample", [x, grid], attributes, through=[way], atol=1e-4)


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
    yield case(
        "ConvTransposeWithDynamicPads", [x, w, pads, b], attributes, constants=[1], through=["dynamic", "export"]
    )
    grouped = attributes | {"group": 2, "output_padding": [1, 0], "strides": [2, 1], "dilations": [1, 2]}
    x, w, b = normal(1, 4, 4, 5), normal(4, 2, 3, 3), normal(4)
    yield case("ConvTransposeWithDynamicPads", [x, w, pads, b], grouped, constants=[1])


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


def unique():
    for x in ([2, 1, 1, 3, 4, 3], [], [5]):
        yield case("Unique", [np.array(x, np.float32)], outputs=3)


def shapes():
    for rank in range(3):
        x = normal(*(2, 3)[:rank])
        yield case("ExpandDims", [x, np.array(-1, np.int32)], constants=[1])
        yield case("ExpandDims", [x, np.array(0, np.int32)], constants=[1], through=["export"])
    for step in (1, 2):
        for dim in (0, 1, -1):
            yield case("UnfoldTensor", [normal(4, 5, 6)], {"dim": dim, "size": 3, "step": step}, through=["dynamic"])
    yield case("UnfoldTensor", [RNG.integers(0, 9, (2, 7))], {"size": 2}, through=["static"])


def gather_nd():
    yield case("GatherND", [normal(3, 4), np.array([[0, 1], [2, 3]])], constants=[1])
    yield case("GatherND", [normal(2, 3, 4), np.array([[[1, 2]], [[0, 1]]], np.int32)], through=["static"])
    yield case("GatherND", [np.array(["a", "b"], object), np.array([[1]])], constants=[1], through=["dynamic"])


def generated():
    yield case("Range", [np.array(1.0, np.float32), np.array(7.0, np.float32)])
    yield case("Range", [np.array(9), np.array(1), np.array(-2)], constants=[2])
    yield case("Range", [np.array(1, np.int32), np.array(9, np.int32), np.array(2, np.int32)], through=["export"])


def trilu():
    yield case("Trilu", [normal(3, 4)])
    yield case("Trilu", [normal(3, 4), np.array(1)], {"upper": 0})
    yield case("Trilu", [RNG.integers(0, 9, (2, 3, 4)), np.array(-1)], through=["export"])


@each("metric", ["sqeuclidean", "euclidean"])
@each("dtype", [np.float32, np.float64])
def distances(metric, dtype):
    yield case("CDist", [normal(3, 4, dtype=dtype), normal(5, 4, dtype=dtype)], {"metric": metric})


@each("size", [1, 2, 3])
def n_gram_repeat_block(size):
    ids = np.array([[1, 2, 3, 1, 2], [4, 4, 4, 4, 4]])
    yield case("NGramRepeatBlock", [ids, normal(2, 6)], {"ngram_size": size})


IMAGE = np.add.outer(np.arange(6.0), 2 * np.arange(7.0)).astype(np.float32)[None, :, :, None]


@each("domain", ["ai.onnx.converters.tensorflow", "com.microsoft"])
def scale_and_translate(domain):
    """Check against what TensorFlow documents: ONNX Runtime has neither a schema nor a kernel."""
    here = {"domain": domain}
    size, one, zero = np.array([9, 5], np.int32), np.ones(2, np.float32), np.zeros(2, np.float32)
    # Enlarged by triangles a plane stays a plane: pixel i of the result is at (i + 0.5 - translation) / scale - 0.5.
    factors, shift = np.array([2, 1.5], np.float32), np.array([0, 0.25], np.float32)
    rows, columns = (np.arange(n) + 0.5 for n in size)
    rows, columns = ((p - t) / f - 0.5 for p, t, f in zip((rows, columns), shift, factors, strict=True))
    expected = np.add.outer(np.clip(rows, 0, 5), 2 * np.clip(columns, 0, 6)).astype(np.float32)[None, :, :, None]
    triangle = {"kernel_type": "triangle", "antialias": 0}
    yield case("ScaleAndTranslate", [IMAGE, size, factors, shift], triangle, reference=[expected], **here)
    # Neither scaled nor moved, every kernel gives the image.
    same = np.array(IMAGE.shape[1:3], np.int32)
    for attributes in ({}, {"kernel_type": "keyscubic", "antialias": 0}):
        yield case("ScaleAndTranslate", [IMAGE, same, one, zero], attributes, reference=[IMAGE], **here)
    # Halved with antialiasing, a constant stays that constant.
    flat = np.full((2, 6, 8, 3), 3.5, np.float32)
    halved = [flat, np.array([3, 4], np.int32), one / 2, zero]
    yield case("ScaleAndTranslate", halved, {"kernel_type": "lanczos3"}, reference=[flat[:, :3, :4]], **here)
