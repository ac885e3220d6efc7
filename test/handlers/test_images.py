"""ImageDecoder against Pillow, exactly."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx_tf import RunError, TensorflowRep, prepare
from test.handlers.check import compare, make_op_model
from test.handlers.strategies import few, one_of
from test.onnx_suite.runs import through_export

FORMATS = {
    "jpeg": {"quality": 90},
    "jpeg-subsampled": {"quality": 40, "subsampling": 2},
    "png": {},
    "bmp": {},
    "gif": {},
    "webp": {"lossless": True},
    "ppm": {},
    "tiff": {},
}
PIXEL_FORMATS = ["RGB", "BGR", "Grayscale"]


def _encoded(image: PIL.Image.Image, name: str, **options: Any) -> np.ndarray:
    buffer = io.BytesIO()
    image.save(buffer, format=name.partition("-")[0], **options)
    return np.frombuffer(buffer.getvalue(), np.uint8)


def _image(mode: str = "RGB") -> PIL.Image.Image:
    """Return a smooth picture with some noise, of odd size."""
    y, x = np.mgrid[0:37, 0:53]
    channels = [128 + 100 * np.sin(x / (5 + c)) * np.cos(y / (7 - c)) for c in range(3)]
    noise = np.random.default_rng(0).integers(0, 20, (37, 53, 3))
    return PIL.Image.fromarray((np.stack(channels, -1) + noise).astype(np.uint8)).convert(mode)


def _check(data: np.ndarray, pixel_format: str, run: Callable[..., list[Any]] | None = None) -> None:
    image = PIL.Image.open(io.BytesIO(data.tobytes())).convert("RGB")
    expected = {
        "RGB": np.array(image),
        "BGR": np.array(image)[..., ::-1],
        "Grayscale": np.array(image.convert("L"))[..., np.newaxis],
    }[pixel_format]
    actual = run(_model(pixel_format), [data]) if run else list(_decoder(pixel_format).run([data]))
    compare([expected], actual, rtol=0, atol=0)


def _model(pixel_format: str) -> onnx.ModelProto:
    attributes = {"pixel_format": pixel_format}
    return make_op_model("ImageDecoder", [np.zeros(1, np.uint8)], attributes, opset=20, dynamic=True)


@functools.cache
def _decoder(pixel_format: str) -> TensorflowRep:
    """Return one decoder for all files: it takes long to trace."""
    return prepare(_model(pixel_format))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("pixel_format", PIXEL_FORMATS)
def test_formats(name, pixel_format):
    _check(_encoded(_image(), name, **FORMATS[name]), pixel_format)


@few
@given(data=st.data())
def test_images_of_every_size(data):
    shape = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9)), 3
    pixels = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 256, shape, np.uint8)
    image = PIL.Image.fromarray(pixels).convert(one_of(data, "RGB", "L"))
    name = one_of(data, *(name for name in FORMATS if "subsampled" not in name))
    _check(_encoded(image, name, **FORMATS[name]), one_of(data, *PIXEL_FORMATS))


@pytest.mark.parametrize("name", ["jpeg", "png", "bmp", "ppm", "tiff"])
def test_grey_images(name):
    _check(_encoded(_image("L"), name), "RGB")


def test_alpha_is_dropped():
    data = _encoded(_image("RGBA"), "png")
    _check(data, "RGB")


def test_tiff_of_many_strips():
    large = PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8))
    _check(_encoded(large, "tiff"), "RGB")


def test_through_a_saved_model():
    _check(_encoded(_image(), "jpeg"), "RGB", through_export)


@pytest.mark.parametrize(("name", "options"), [("jpeg2000", {}), ("tiff", {"compression": "tiff_lzw"})])
def test_formats_without_decoder_fail(name, options):
    with pytest.raises(RunError, match=r"Unknown image file format|uncompressed"):
        _check(_encoded(_image(), name, **options), "RGB")
