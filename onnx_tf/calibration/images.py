"""Images as inputs take them: resized, in the channels and the order of the model."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import onnx_ir as ir

from onnx_tf.errors import InputError
from onnx_tf.telling import described

__all__ = ["IMAGES", "image"]

IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""The suffixes of files that are taken for images."""

_MODES = {3: "RGB", 1: "L", 4: "RGBA"}
"""Pillow's names for images of so many channels, what is likely first."""


def image(path: Path, value: ir.Value, *, scaled: bool) -> np.ndarray:
    """Return an image as one sample of an input, without the batch.

    Args:
        path: the file.
        value: the input: N, C, H, W or N, H, W, C with 1, 3 or 4 channels and known sizes, to which the image is
            resized bilinearly.
        scaled: whether pixels become float32 between 0 and 1; else they are uint8.

    Raises:
        InputError: the input takes no images, Pillow is not installed, or the file is none.
    """
    channels, height, width, is_first = _form(value)
    try:
        from PIL import Image
    except ImportError as error:
        raise InputError(f"{path} is an image, which Pillow reads: pip install 'onnx-tf[images]'") from error
    try:
        with Image.open(path) as opened:
            pixels = np.asarray(opened.convert(_MODES[channels]).resize((width, height), Image.Resampling.BILINEAR))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} cannot be read as an image: {error}") from error
    pixels = pixels.reshape(height, width, channels)
    if scaled:
        pixels = pixels.astype(np.float32) / np.float32(255)
    return np.moveaxis(pixels, -1, 0) if is_first else pixels


def _form(value: ir.Value) -> tuple[int, int, int, bool]:
    """Return channels, height and width, and whether the channels come first."""
    dims = [] if value.shape is None else [dim if isinstance(dim, int) else None for dim in value.shape]
    name = value.name
    if len(dims) != 4:
        raise InputError(f"input {described(value)} takes no images: these are N, C, H, W or N, H, W, C")
    for wanted, is_first in itertools.product(_MODES, (True, False)):
        channels, height, width = dims[1:] if is_first else (dims[3], dims[1], dims[2])
        if channels == wanted:
            if height is None or width is None:
                sizes = ",".join("?" if dim is None else str(dim) for dim in dims)
                raise InputError(
                    f"input {described(value)} leaves the size of images open: fix it, as with "
                    f"--input-shape {name}:{sizes} where ? is a number"
                )
            return wanted, height, width, is_first
    raise InputError(f"input {described(value)} takes no images: of its axes none has 1, 3 or 4 channels")
