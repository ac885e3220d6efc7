"""Images as inputs: read by Pillow, in the size, the channels and the order of axes that the model states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from onnx_tf.errors import FileError, InputError
from onnx_tf.input_checks import numpy_dtype
from onnx_tf.telling import described

__all__ = ["SUFFIXES", "is_image", "load"]

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""The suffixes of files that are taken for images."""

_MODES = {3: "RGB", 1: "L", 4: "RGBA"}
"""Pillow's names for images of so many channels, what is likely first."""


def is_image(path: Path) -> bool:
    """Return whether a file's name says that it is an image."""
    return path.suffix.lower() in SUFFIXES


def load(path: Path, value: ir.Value, *, is_last: bool = False) -> np.ndarray:
    """Return an image as an input takes it.

    Floats are from 0 to 1, integers from 0 to 255. The image is resized (bilinear) where the model fixes
    another size; axes of size 1 stand before it.

    Args:
        path: the file.
        value: the input: a tensor with height, width and 1, 3 or 4 channels.
        is_last: whether its channels come last although the model's come first.

    Raises:
        InputError: the input takes no images, or Pillow is not installed.
        FileError: the file does not exist, or is no image that Pillow reads.
    """
    dims = None if value.shape is None else list(value.shape)
    if dims is None or len(dims) not in (2, 3, 4) or value.dtype is None or value.dtype is ir.DataType.STRING:
        raise InputError(f"{path}: the input {described(value)} takes no images; give a .npy file")
    rank = len(dims)
    axis = _channel_axis(dims, is_last)
    channels = 1 if axis is None else dims[axis]
    if is_last and axis is not None:
        dims = [*dims[: rank - 3], *dims[rank - 2 :], channels]
        axis = rank - 1
    mode = _MODES.get(channels if isinstance(channels, int) else 3)
    if mode is None:
        raise InputError(f"{path}: the input {described(value)} has {channels} channels, images have 1, 3 or 4")
    height, width = [size for i, size in enumerate(dims) if i >= rank - (2 if axis is None else 3) and i != axis]
    pixels = _pixels(path, mode, (width, height))
    if axis is not None:
        pixels = pixels.reshape(*pixels.shape[:2], -1)
        pixels = np.moveaxis(pixels, -1, 0) if axis == rank - 3 else pixels
    if value.dtype.is_floating_point():
        pixels = pixels / 255
    return pixels.reshape([1] * (rank - pixels.ndim) + list(pixels.shape)).astype(numpy_dtype(value))


def _channel_axis(dims: list[Any], is_last: bool) -> int | None:
    rank = len(dims)
    if rank == 2:
        return None
    first, last = rank - 3, rank - 1
    axes = (axis for channels in _MODES for axis in (first, last) if dims[axis] == channels)
    return first if is_last else next(axes, first)


def _pixels(path: Path, mode: str, size: tuple[Any, Any]) -> np.ndarray:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise InputError(f"{path} is an image, which Pillow reads: pip install 'onnx-tf[images]'") from error
    try:
        with Image.open(path) as image:
            picture = image.convert(mode)
    except FileNotFoundError as error:
        raise FileError(f"the input file {path} does not exist") from error
    except (OSError, UnidentifiedImageError) as error:
        raise FileError(f"the input file {path} is no image that Pillow reads: {error}") from error
    width, height = (asked if isinstance(asked, int) else own for asked, own in zip(size, picture.size, strict=True))
    wanted = (width, height)
    if wanted != picture.size:
        picture = picture.resize(wanted, Image.Resampling.BILINEAR)
    return np.asarray(picture)
