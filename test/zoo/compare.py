"""The models of a zoo folder, and how close to ONNX Runtime each of them has to be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onnx_tf.check.compare import OfScale

MODELS = Path(__file__).parent / "models"

SHARED = Path(__file__).parents[3] / "shared"
"""Models that may lie beside the clone."""


def manifest(folder: Path = MODELS, file: str = "manifest.json") -> dict[str, dict[str, Any]]:
    """Return the manifest entries of a zoo folder by model name."""
    return {entry["name"]: entry for entry in json.loads((folder / file).read_text())}


def tolerance(entry: Mapping[str, Any]) -> OfScale:
    """Return what counts as equal for a model, by its entry: more where ONNX Runtime is far from itself."""
    base = OfScale(single=OfScale().half) if entry.get("family") == "fp16" else OfScale()
    return base.widened(5 * float(entry.get("ort_noise") or 0.0))
