"""What computes with floats in a quantised file, and what is known of LiteRT's integer kernels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from tensorflow.lite.python import schema_py_generated as schema

from onnx_tf.export.file_graph import FileGraph
from onnx_tf.export.post_training.kept import label, range_of
from onnx_tf.export.post_training.normalizing import normalizing

__all__ = ["coarse", "computing_floats", "unsafe"]

_NORMALIZING = "the variance that it is normalised by needs more steps than integers have"
_FEW_STEPS = "its kernel of 8 bits has steps of 1/256, and its largest number is less than 1/2"
SMALL_SHARE = 0.5
"""The largest number of a Softmax whose own steps would be less than half as wide as its kernel's."""
_COARSE_16 = {
    "RSQRT": "its kernel of 16 bits is up to 7 % off",
    "SUM": "its kernel of 16 bits saturates: it has one scale for both sides",
}
_MANY_SMALL = "its kernel of 16 bits takes all that is 10 below the largest for e^-10, which adds up over so many"
SMALLEST_EXPONENT = -10.0
"""What LiteRT's Softmax of 16 bits computes exponentials of, at least."""
LARGEST_EXCESS = 0.01
"""The share of a sum of exponentials by which such small ones may raise it."""
_UNSAFE_16 = "has a kernel of 16 bits for constant filters alone"
_UNSAFE_8 = "has a kernel of 8 bits that fails on divisors whose integer is 0"
_FILTERED = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "TRANSPOSE_CONV": 1}


def computing_floats(content: bytes) -> list[tuple[str, str]]:
    """Return label and kind of each operator that takes or gives floats, but for those at the file's ends.

    A QUANTIZE of an input and a DEQUANTIZE that gives an output compute nothing: they are the interface.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    found = []
    for part in model.subgraphs:
        file = FileGraph(model, part)
        for operator in file.graph.operators:
            kind = file.kind(operator)
            takes, gives = (any(map(file.is_float, map(int, side))) for side in (operator.inputs, operator.outputs))
            is_end = (kind == "QUANTIZE" and file.is_given(int(operator.inputs[0]))) or (
                kind == "DEQUANTIZE" and file.is_result(int(operator.outputs[0]))
            )
            if (takes or gives) and not is_end and kind not in ("IF", "WHILE"):
                found.append((label(file, operator), kind))
    return found


def coarse(content: bytes, *, wide: bool) -> dict[str, str]:
    """Return why operators of a file of floats give far other numbers as integers, by their labels.

    Args:
        content: the file, calibrated.
        wide: whether activations are to have 16 bits.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    return {
        label(file, operator): reason
        for file in (FileGraph(model, part) for part in model.subgraphs)
        for operator, reason in _coarse_in(file, wide)
    }


def _coarse_in(file: FileGraph, wide: bool) -> Iterator[tuple[Any, str]]:
    for operator in normalizing(file):
        yield operator, _NORMALIZING
    for operator in file.graph.operators:
        kind, result = file.kind(operator), int(operator.outputs[0]) if len(operator.outputs) else -1
        if wide and kind in _COARSE_16 and file.is_float(result):
            yield operator, _COARSE_16[kind]
        found = range_of(file, result) if kind == "SOFTMAX" else None
        if found is not None and not wide and found[1] < SMALL_SHARE:
            yield operator, _FEW_STEPS
        if found is not None and wide and _excess(file, result, found[1]) > LARGEST_EXCESS:
            yield operator, _MANY_SMALL


def _excess(file: FileGraph, softmax: int, largest: float) -> float:
    """Return by which share the sum of a Softmax is too large, at most: 1 over its largest number is the least sum."""
    return int(file.tensor(softmax).shape[-1]) * math.exp(SMALLEST_EXPONENT) * largest


def unsafe(content: bytes, *, wide: bool) -> list[tuple[str, str, str]]:
    """Return label, kind and reason of operators of a file of floats whose integer kernels fail, or give nonsense.

    Args:
        content: the file.
        wide: whether activations are to have 16 bits.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    found = []
    for file in (FileGraph(model, part) for part in model.subgraphs):
        for operator in file.graph.operators:
            kind = file.kind(operator)
            place = _FILTERED.get(kind) if wide else 1 if kind == "DIV" else None
            if place is None or file.constant(int(operator.inputs[place])) is not None:
                continue
            found.append((label(file, operator), kind, _UNSAFE_16 if wide else _UNSAFE_8))
    return found
