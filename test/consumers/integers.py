"""The integers of a quantised .tflite file's inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from onnx_tf.check.compare import OfSteps

STEPS = OfSteps(1.0, steps=8.0)
"""How far integers may be from ONNX Runtime's floats."""


def quantized(file: Path, arrays: Mapping[str, np.ndarray], side: Literal["inputs", "outputs"]) -> dict[str, Any]:
    """Return arrays by the names of a file's signature, as the integers that stand for them there."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_path=str(file)).get_signature_runner()
    details = runner.get_input_details() if side == "inputs" else runner.get_output_details()
    return {name: _stored(array, details[name]) for name, array in arrays.items()}


def _stored(array: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    scale, zero = detail["quantization"]
    if not scale:
        return array.astype(detail["dtype"])
    info = np.iinfo(detail["dtype"])
    return np.clip(np.round(array / scale) + zero, info.min, info.max).astype(detail["dtype"])
