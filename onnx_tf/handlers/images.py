"""Decoding of image files.

TensorFlow decodes JPEG, PNG, BMP, GIF and WebP; PNM and uncompressed TIFF are read here. JPEG 2000
and compressed TIFF have no decoder: they fail at run time, because only the data tell the format.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from onnx_tf.handlers._tensors import shaped
from onnx_tf.registry import onnx_op

MAX_PNM_HEADER = 512
TIFF_WIDTH, TIFF_HEIGHT, TIFF_COMPRESSION, TIFF_COLOURS, TIFF_OFFSETS, TIFF_SAMPLES, TIFF_PLANES = (
    256,
    257,
    259,
    262,
    273,
    277,
    284,
)


@onnx_op("ImageDecoder", since=20)
def image_decoder(encoded_stream: tf.Tensor, *, pixel_format: str) -> tf.Tensor:
    """Limits: JPEG 2000 and compressed TIFF have no decoder and fail at run time."""
    if pixel_format not in ("RGB", "BGR", "Grayscale"):
        raise ValueError(f"pixel_format is RGB, BGR or Grayscale, got {pixel_format!r}")
    rgb = _decoded(encoded_stream)
    rgb.set_shape([None, None, 3])
    if pixel_format == "RGB":
        return rgb
    if pixel_format == "BGR":
        return tf.reverse(rgb, [-1])
    # ITU-R 601 luma in 16-bit fixed point, the same for every format.
    luma = tf.tensordot(tf.cast(rgb, tf.int32), tf.constant([19595, 38470, 7471]), 1)
    return tf.cast(tf.bitwise.right_shift(luma + 0x8000, 16), tf.uint8)[..., tf.newaxis]


def _decoded(data: tf.Tensor) -> tf.Tensor:
    """Return the image in a file's bytes (uint8, 1-D) as [H, W, 3]."""
    contents = _as_string(data)

    def starts(*magics: bytes) -> tf.Tensor:
        return tf.reduce_any([tf.strings.substr(contents, 0, len(magic)) == magic for magic in magics])

    def jpeg() -> tf.Tensor:
        return tf.io.decode_jpeg(contents, channels=3, dct_method="INTEGER_ACCURATE")

    def webp() -> tf.Tensor:
        if not hasattr(tf.io, "decode_webp"):
            raise ValueError(f"TensorFlow {tf.__version__} has no WebP decoder")
        return tf.io.decode_webp(contents, channels=3)[0]

    def other() -> tf.Tensor:
        return tf.io.decode_image(contents, channels=3, expand_animations=False)

    readers: list[tuple[tf.Tensor, Callable[[], tf.Tensor]]] = [
        (starts(b"\xff\xd8\xff"), jpeg),
        (starts(b"BM"), lambda: _as_rgb(tf.io.decode_bmp(contents))),
        (starts(b"P5", b"P6"), lambda: _pnm(contents, data)),
        (starts(b"II*\x00", b"MM\x00*"), lambda: _tiff(data)),
        (starts(b"RIFF"), webp),
    ]
    return tf.case(readers, default=other)


def _as_string(data: tf.Tensor) -> tf.Tensor:
    """Return bytes, uint8 [size], as a string scalar."""
    # A serialized tensor ends with its raw contents; joining single characters takes far longer.
    serialized = tf.io.serialize_tensor(data)
    size = tf.size(data)
    return tf.strings.substr(serialized, tf.strings.length(serialized) - size, size)


def _as_rgb(image: tf.Tensor) -> tf.Tensor:
    """Repeat the channel of a grey image, drop an alpha channel."""
    return tf.gather(image, tf.minimum(tf.range(3), tf.shape(image)[-1] - 1), axis=-1)


def _pnm(contents: tf.Tensor, data: tf.Tensor) -> tf.Tensor:
    """Return a PNM image of 8 bits, PGM or PPM, as [H, W, 3]."""
    header = tf.strings.substr(contents, 0, tf.minimum(tf.size(data), MAX_PNM_HEADER))
    fields = tf.strings.split(tf.strings.regex_replace(header, "#[^\n]*", " "))[:4]
    width, height, largest = tf.unstack(tf.strings.to_number(fields[1:], tf.int32), num=3)
    tf.debugging.Assert(largest == 255, ["ImageDecoder reads PNM images of 8 bits per sample"])
    channels = tf.where(fields[0] == "P6", 3, 1)
    # The raster stands at the end, whatever the header's length.
    raster = data[tf.size(data) - width * height * channels :]
    return _as_rgb(tf.reshape(raster, [height, width, channels]))


def _tiff(data: tf.Tensor) -> tf.Tensor:
    """Return an uncompressed TIFF image, grey or RGB, as [H, W, 3]."""
    little = data[0] == ord("I")

    def number(octets: tf.Tensor) -> tf.Tensor:
        ordered = tf.where(little, octets, tf.reverse(octets, [-1]))
        weights = tf.constant(256 ** np.arange(octets.shape[-1]), tf.int64)
        return tf.reduce_sum(tf.cast(ordered, tf.int64) * weights, axis=-1)

    def at(position: tf.Tensor, size: int) -> tf.Tensor:
        return number(shaped(data[position : position + size], [size]))

    start = at(4, 4)
    entries = tf.reshape(data[start + 2 : start + 2 + 12 * at(start, 2)], [-1, 12])
    tags, is_short, counts = number(entries[:, :2]), number(entries[:, 2:4]) == 3, number(entries[:, 4:8])
    values = tf.where(is_short & (counts == 1), number(entries[:, 8:10]), number(entries[:, 8:12]))

    def field(tag: int, default: int) -> tf.Tensor:
        found = tags == tag
        return tf.where(tf.reduce_any(found), tf.reduce_sum(tf.where(found, values, 0)), default)

    width, height, samples = field(TIFF_WIDTH, 0), field(TIFF_HEIGHT, 0), field(TIFF_SAMPLES, 1)
    is_plain = (field(TIFF_COMPRESSION, 1) == 1) & (field(TIFF_PLANES, 1) == 1) & (field(TIFF_COLOURS, 1) <= 2)
    tf.debugging.Assert(is_plain, ["ImageDecoder reads uncompressed grey or RGB TIFF images only"])
    is_offset = tags == TIFF_OFFSETS
    several = tf.reduce_any(is_offset & (counts > 1))
    short = tf.reduce_any(is_offset & is_short)
    offset = field(TIFF_OFFSETS, 0)
    # Strips follow one another, so that the first one's offset is the image's.
    offset = tf.where(several, tf.where(short, at(offset, 2), at(offset, 4)), offset)
    size = width * height * samples
    tf.debugging.Assert(offset + size <= tf.size(data, tf.int64), ["ImageDecoder reads TIFF images of 8 bits only"])
    return _as_rgb(tf.reshape(data[offset : offset + size], tf.stack([height, width, samples])))
