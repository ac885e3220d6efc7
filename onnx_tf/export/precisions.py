"""In which precisions .tflite files are written."""

from __future__ import annotations

from typing import Literal

__all__ = ["FLOATS", "INTEGERS", "PRECISIONS", "Precision"]

Precision = Literal["float32", "float16", "integer_quant"]
PRECISIONS: tuple[Precision, ...] = ("float32", "float16", "integer_quant")
FLOATS: tuple[Precision, ...] = ("float32", "float16")
INTEGERS: tuple[Precision, ...] = ("integer_quant",)
"""Those of models that are quantised already."""
