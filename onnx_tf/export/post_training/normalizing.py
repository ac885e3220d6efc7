"""Normalisations in a file of floats: from a variance to what is multiplied with its inverse root.

A variance reaches over orders of magnitude, and its root is divided by: steps of one size are too wide for small ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from onnx_tf.export.file_graph import FileGraph

__all__ = ["normalizing"]

_ABOVE = ("ADD", "MAXIMUM", "MEAN", "MUL", "RESHAPE", "SQUARE", "SQUARED_DIFFERENCE", "SUB", "SUM")
_SQUARES = ("MUL", "SQUARE", "SQUARED_DIFFERENCE")
_BELOW = ("MUL", "RESHAPE")
_SHIFTS = ("ADD", "SUB")


def normalizing(file: FileGraph) -> Iterator[Any]:
    """Yield the operators of normalisations that are written out in a graph, some more than once."""
    for operator in file.of_kind("RSQRT"):
        above = list(_above(file, operator))
        if any(file.kind(other) in _SQUARES for other in above):
            yield operator
            yield from above
            yield from _below(file, operator)


def _above(file: FileGraph, operator: Any) -> Iterator[Any]:
    """Yield what makes a variance: up to the square, and the mean that is taken off before it."""
    for index in map(int, operator.inputs):
        maker = file.producers.get(index)
        if maker is None or file.kind(maker) not in _ABOVE or not file.is_float(index):
            continue
        yield maker
        if file.kind(maker) not in _SQUARES:
            yield from _above(file, maker)
            continue
        operands = {id(m): m for m in (file.producers.get(int(i)) for i in maker.inputs) if m is not None}
        for operand in operands.values():
            if file.kind(operand) in ("MEAN", "SUB"):
                yield operand
                means = (file.producers.get(int(i)) for i in operand.inputs if file.kind(operand) == "SUB")
                yield from (mean for mean in means if mean is not None and file.kind(mean) == "MEAN")


def _below(file: FileGraph, operator: Any) -> Iterator[Any]:
    """Yield what a root multiplies, and the sums and differences that are made of these products."""
    for product in file.readers.get(int(operator.outputs[0]), []):
        if file.kind(product) not in _BELOW:
            continue
        yield product
        yield from _below(file, product)
        for shift in file.readers.get(int(product.outputs[0]), []):
            if file.kind(shift) in _SHIFTS:
                yield shift
                if file.kind(shift) == "SUB":
                    readers = file.readers.get(int(shift.outputs[0]), [])
                    yield from (reader for reader in readers if file.kind(reader) == "ADD")
