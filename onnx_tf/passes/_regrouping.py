"""Put Reshapes and what lies between them in the place of a node that has too many axes for a runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from onnx_ir.convenience import replace_all_uses_with

from onnx_tf.origins import hand_on, stand_for
from onnx_tf.passes._constants import add_constant

__all__ = ["Dim", "Regrouping", "joined", "known_dims"]

_VERSION = 13
Dim = int | None
"""A dimension; ``None`` for the one that is open."""


def known_dims(value: ir.Value | None) -> list[Dim] | None:
    """Return the dimensions of a value of which one at most is open, where a Reshape can tell it by -1."""
    if value is None or value.shape is None:
        return None
    dims = [dim if isinstance(dim, int) else None for dim in value.shape]
    return dims if dims.count(None) <= 1 and 0 not in dims else None


class Regrouping:
    """Nodes that compute what one node does, one after the other; they go before it, and take its place at the end."""

    def __init__(self, node: ir.Node) -> None:
        self.node = node
        source = node.inputs[0]
        assert source is not None
        self.value: ir.Value = source

    def reshape(self, dims: Sequence[Dim]) -> None:
        """Give the value another shape."""
        shape = np.array([-1 if dim is None else dim for dim in dims], np.int64)
        self.apply("Reshape", [self.constant("shape", shape)], {}, dims)

    def constant(self, hint: str, array: np.ndarray) -> ir.Value:
        """Return a small constant."""
        assert self.node.graph is not None
        name, dtype = f"{self.node.name}_{hint}", ir.DataType.from_numpy(array.dtype)
        return add_constant(self.node.graph, name, dtype, array.shape, array.copy)

    def apply(
        self, op_type: str, others: Sequence[ir.Value | None], attributes: dict[str, Any], dims: Sequence[Dim]
    ) -> None:
        """Give the value to an operator, whose result is the value from then on."""
        inputs = [self.value, *others]
        made = ir.node(op_type, inputs, attributes, version=_VERSION, name=f"{self.node.name}_{op_type}")
        result = made.outputs[0]
        result.type, result.shape, result.name = self.value.type, ir.Shape(dims), f"{self.node.name}_{op_type}"
        stand_for(self.node, made)
        self.node.prepend(made)
        self.value = result

    def finish(self) -> None:
        """Put the value in the place of the node's result, and remove the node."""
        old, graph = self.node.outputs[0], self.node.graph
        assert graph is not None
        self.value.shape, name = old.shape, old.name
        hand_on(old, self.value)
        replace_all_uses_with(old, self.value, replace_graph_outputs=True)
        graph.remove(self.node, safe=True)
        self.value.name = name


def joined(dims: Sequence[Dim]) -> Dim:
    """Return the size of axes that become one."""
    return None if None in dims else int(np.prod([dim for dim in dims if dim is not None], dtype=np.int64))
