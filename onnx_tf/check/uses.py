"""What the inputs of a model are for, as far as the nodes that read them tell."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

__all__ = ["index_limit"]

_HANDED_ON = {"Cast", "Clip", "Expand", "Flatten", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"}
"""Operators whose result has the elements of their first input."""

_INDICES = {"Gather": 1, "GatherElements": 1}
"""Operators that look elements up, and which of their inputs says which."""


def index_limit(value: ir.Value) -> int | None:
    """Return how many rows the smallest table has in which an input's elements are looked up, ``None`` if in none.

    Args:
        value: a graph input of integers, with its uses; tables are initializers or values of known shapes.
    """
    found = list(_table_lengths(value, set()))
    return min(found, default=None)


def _table_lengths(value: ir.Value, seen: set[ir.Value]) -> Iterator[int]:
    seen.add(value)
    for node, place in value.uses():
        if place == _INDICES.get(node.op_type):
            length = _length(node)
            if length is not None:
                yield length
        elif place == 0 and node.op_type in _HANDED_ON and node.outputs[0] not in seen:
            yield from _table_lengths(node.outputs[0], seen)


def _length(node: ir.Node) -> int | None:
    table, axis = node.inputs[0], node.attributes.get_int("axis", 0)
    shape = None if table is None else table.shape
    if shape is None or not -len(shape) <= axis < len(shape):
        return None
    size = shape[axis]
    return size if isinstance(size, int) and size > 0 else None
