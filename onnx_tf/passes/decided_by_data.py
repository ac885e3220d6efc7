"""Which values have a first dimension that only data decide: it may be 0."""

from __future__ import annotations

import re

import onnx_ir as ir

__all__ = ["batches_of_data"]

_DECIDING = frozenset({"Compress", "NonMaxSuppression", "NonZero", "Unique"})
"""What gives as many rows as the data say."""


def batches_of_data(graph: ir.Graph) -> set[ir.Value]:
    """Return the values behind such operators whose first dimension is none that the graph's inputs name."""
    given = {name for value in graph.inputs for dim in value.shape or () for name in _names(dim)}
    behind: set[ir.Value] = set()
    for node in graph.all_nodes():
        if node.op_type in _DECIDING or any(value in behind for value in node.inputs):
            behind.update(node.outputs)
    return {value for value in behind if not _is_given(value, given)}


def _is_given(value: ir.Value, given: set[str]) -> bool:
    if value.shape is None or value.shape.rank() == 0:
        return False
    dim = value.shape[0]
    return isinstance(dim, int) or (dim.value is not None and set(_names(dim)) <= given)


def _names(dim: int | ir.SymbolicDim) -> list[str]:
    """Return the names that a dimension is written with, those of functions left out."""
    return re.findall(r"\b[^\W\d]\w*\b(?!\()", str(getattr(dim, "value", "") or ""))
