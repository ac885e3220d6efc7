"""In which precisions .tflite files are written."""

from __future__ import annotations

from typing import Literal

from onnx_tf.export.post_training.kinds import KINDS, Kind

__all__ = ["FLOATS", "INTEGERS", "PRECISIONS", "FileKind", "Precision"]

Precision = Literal["float32", "float16"] | Kind
FileKind = Precision | Literal["recipe"]
"""Which of a conversion's .tflite files one is: that of a precision, or the one that a recipe makes."""
PRECISIONS: tuple[Precision, ...] = ("float32", "float16", *KINDS)
FLOATS: tuple[Precision, ...] = ("float32", "float16")
INTEGERS: tuple[Precision, ...] = ("integer_quant",)
"""Those of models that are quantised already."""
