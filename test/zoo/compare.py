"""Compare a zoo model in TensorFlow with ONNX Runtime."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

MODELS = Path(__file__).parent / "models"

SHARED = Path(__file__).parents[3] / "shared"
"""Models that may lie beside the clone."""


@dataclass(frozen=True)
class Difference:
    """The worst difference of an output from ONNX Runtime's, relative to the output's own scale."""

    output: str
    error: float
    tolerance: float

    @property
    def fits(self) -> bool:
        """Whether the difference is within the tolerance (NaN is not)."""
        return self.error <= self.tolerance


def manifest(folder: Path = MODELS, file: str = "manifest.json") -> dict[str, dict[str, Any]]:
    """Return the manifest entries of a zoo folder by model name."""
    return {entry["name"]: entry for entry in json.loads((folder / file).read_text())}


def differences(entry: Mapping[str, Any], expected: Mapping[str, Any], actual: Mapping[str, Any]) -> list[Difference]:
    """Compare outputs by name: floats relative to the output's scale, all others exactly."""
    return [
        Difference(name, _error(expected[name], actual[name]), _tolerance(entry, expected[name])) for name in expected
    ]


def _tolerance(entry: Mapping[str, Any], expected: Any) -> float:
    if isinstance(expected, (list, dict)):
        return 1e-3
    if expected.dtype == np.float16:
        return 2e-2
    base = 2e-2 if entry.get("family") == "fp16" else 1e-3
    return max(base, 5 * float(entry.get("ort_noise") or 0.0))


def _error(expected: Any, actual: Any) -> float:
    if isinstance(expected, list):
        if len(expected) != len(actual):
            return float("inf")
        return max((_error(e, a) for e, a in zip(expected, actual, strict=True)), default=0.0)
    if isinstance(expected, dict):
        if expected.keys() != actual.keys():
            return float("inf")
        return max(_error(np.asarray(expected[k]), np.asarray(actual[k])) for k in expected)
    expected, actual = np.asarray(expected), np.asarray(actual)
    if expected.shape != actual.shape or expected.dtype.kind != actual.dtype.kind:
        return float("inf")
    if expected.dtype.kind != "f":
        return float(np.mean(expected != actual)) if expected.size else 0.0
    if expected.dtype != actual.dtype:
        return float("inf")
    return _relative(expected.astype(np.float64), actual.astype(np.float64))


def _relative(expected: np.ndarray, actual: np.ndarray) -> float:
    same = (expected == actual) | (np.isnan(expected) & np.isnan(actual))
    if same.all():
        return 0.0
    finite = np.isfinite(expected)
    scale = np.abs(expected[finite]).max(initial=0.0)
    return float(np.where(same, 0.0, np.abs(expected - actual)).max() / max(scale, 1e-12))
