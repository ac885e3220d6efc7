"""Refuse values that no memory holds, before anything is computed of their shapes."""

from __future__ import annotations

import math
from collections.abc import Iterator

import onnx_ir as ir

from onnx_tf.errors import ModelError
from onnx_tf.telling import place_of

__all__ = ["MAX_VALUE_BYTES", "least_bytes", "refuse_sizes"]

MAX_VALUE_BYTES = 1 << 43
"""No machine has room for such a value. TensorFlow does not look whether dimensions fit 64 bits."""


def refuse_sizes(model: ir.Model) -> bool:
    """Check that every value whose shape is known could lie in memory; change nothing.

    Raises:
        ModelError: one could not; the message names its node, its name and its shape.
    """
    for graph in model.graphs():
        for node, value in _values(graph):
            shape = value.shape
            if shape is None:
                continue
            size = least_bytes(value)
            if size > MAX_VALUE_BYTES:
                raise ModelError(
                    f"{value.name!r} has the shape {[d if isinstance(d, int) else str(d) for d in shape]}, which takes "
                    f"{size} bytes, more than memory can hold: correct the model, or the shapes of its inputs",
                    **place_of(node),
                )
    return False


_UNSIZED = (ir.DataType.STRING, ir.DataType.UNDEFINED)


def least_bytes(value: ir.Value) -> int:
    """Return how many bytes a value takes where its open dimensions, and those of 0, are 1; 0 for an unknown rank."""
    dims = [] if value.shape is None else [dim for dim in value.shape if isinstance(dim, int) and dim]
    each = 1 if value.dtype in _UNSIZED or value.dtype is None else value.dtype.itemsize
    return 0 if value.shape is None else math.ceil(math.prod(dims) * each)


def _values(graph: ir.Graph) -> Iterator[tuple[ir.Node | None, ir.Value]]:
    yield from ((None, value) for value in graph.inputs)
    for node in graph:
        yield from ((node, value) for value in node.outputs)
