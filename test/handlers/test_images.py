"""ImageDecoder against Pillow, exactly."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from test.handlers.check import check_op

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


def _check(data: np.ndarray, pixel_format: str, **settings: Any) -> None:
    image = PIL.Image.open(io.BytesIO(data.tobytes())).convert("RGB")
    expected = {
        "RGB": np.array(image),
        "BGR": np.array(image)[..., ::-1],
        "Grayscale": np.array(image.convert("L"))[..., np.newaxis],
    }[pixel_format]
    check_op("ImageDecoder", [data], {"pixel_format": pixel_format}, opset=20, reference=[expected], **settings)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("pixel_format", ["RGB", "BGR", "Grayscale"])
def test_formats(name, pixel_format):
    _check(_encoded(_image(), name, **FORMATS[name]), pixel_format, through=["dynamic"])


@pytest.mark.parametrize("name", ["jpeg", "png", "bmp", "ppm", "tiff"])
def test_grey_images(name):
    _check(_encoded(_image("L"), name), "RGB", through=["dynamic"])


def test_alpha_is_dropped():
    data = _encoded(_image("RGBA"), "png")
    _check(data, "RGB")


def test_tiff_of_many_strips():
    large = PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8))
    _check(_encoded(large, "tiff"), "RGB", through=["dynamic"])


def test_through_a_saved_model():
    _check(_encoded(_image(), "jpeg"), "RGB", through=["export"])


@pytest.mark.parametrize(("name", "options"), [("jpeg2000", {}), ("tiff", {"compression": "tiff_lzw"})])
def test_formats_without_decoder_fail(name, options):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Unknown image file format|uncompressed"):
        _check(_encoded(_image(), name, **options), "RGB", through=["dynamic"])
