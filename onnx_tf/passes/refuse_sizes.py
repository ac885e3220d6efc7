"""Refuse values that no memory holds, before anything is computed of their shapes."""

from __future__ import annotations

import math
from collections.abc import Iterator

import onnx_ir as ir

from onnx_tf.errors import ModelError

__all__ = ["MAX_VALUE_BYTES", "refuse_sizes"]

MAX_VALUE_BYTES = 1 << 47
"""What a process can address. TensorFlow counts elements in 64 bits and does not look whether they fit."""


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
            dims = [dim for dim in shape if isinstance(dim, int) and dim]
            size = math.prod(dims) * (1 if value.dtype is None else value.dtype.itemsize)
            if size > MAX_VALUE_BYTES:
                raise ModelError(
                    f"{value.name!r} has the shape {[d if isinstance(d, int) else str(d) for d in shape]}, which takes "
                    f"{int(size)} bytes, more than memory can hold: correct the model, or the shapes of its inputs",
                    node=None if node is None else node.name,
                    op=None if node is None else node.op_type,
                    domain=None if node is None else node.domain,
                    version=None if node is None else node.version,
                )
    return False


def _values(graph: ir.Graph) -> Iterator[tuple[ir.Node | None, ir.Value]]:
    yield from ((None, value) for value in graph.inputs)
    for node in graph:
        yield from ((node, value) for value in node.outputs)
