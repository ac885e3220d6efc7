"""Insert nodes and constants into a graph, at the earliest place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from onnx_tf.layout.facts import same_up_to_units
from onnx_tf.layout.shapes import Dim, UnknownDim
from onnx_tf.passes._constants import add_initializer

__all__ = ["Editor"]


class Editor:
    """Adds to one graph."""

    def __init__(self, graph: ir.Graph, opset: int) -> None:
        self.graph = graph
        self._opset = opset
        self._head = next(iter(graph), None)
        self._small: dict[tuple[str, tuple[int, ...], bytes], ir.Value] = {}

    def constant(self, array: np.ndarray, hint: str) -> ir.Value:
        """Return an initializer of the graph that holds a small array; equal ones are shared."""
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._small:
            self._small[key] = add_initializer(self.graph, hint, ir.tensor(array))
        return self._small[key]

    def emit(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        *,
        before: ir.Node | None = None,
        attributes: dict[str, Any] | None = None,
        dims: Sequence[Dim] | None = None,
        name: str | None = None,
    ) -> ir.Value:
        """Insert a node of ai.onnx, before another or right after what produces its first input."""
        result = ir.Value(name=name or f"{inputs[0].name}_{op_type.lower()}")  # type: ignore[union-attr]
        source = inputs[0]
        if source is not None and source.type is not None and op_type not in ("Shape", "Cast"):
            result.type = source.type
        if dims is not None:
            result.shape = ir.Shape([None if isinstance(d, UnknownDim) else d for d in dims])
        node = ir.Node(
            "",
            op_type,
            inputs,
            ir.convenience.convert_attributes(attributes or {}),
            outputs=[result],
            version=self._opset,
            name=f"{result.name}/{op_type}",
        )
        producer = source.producer() if source is not None else None
        if before is not None:
            before.prepend(node)
        elif producer is not None and producer.graph is self.graph:
            producer.append(node)
        elif self._head is not None:
            self._head.prepend(node)
        else:
            self.graph.append(node)
        return result

    def permute(
        self, value: ir.Value, dims: Sequence[Dim], perm: Sequence[int], name: str, before: ir.Node | None = None
    ) -> ir.Value:
        """Return a value with its axes permuted: by a Reshape where only axes of size 1 move."""
        moved = [dims[a] for a in perm]
        if 0 in moved or not same_up_to_units(dims, perm, range(len(dims))):
            attributes: dict[str, object] = {"perm": list(perm)}
            return self.emit("Transpose", [value], before=before, attributes=attributes, dims=moved, name=name)
        target = [
            d if isinstance(d, int) else 0 if moved[i] == dims[i] and perm[i] == i else -1 for i, d in enumerate(moved)
        ]
        # Of an empty value -1 can be told only where every other dimension is stated.
        if target.count(-1) + (0 in target) <= 1 or -1 not in target:
            return self.reshape(value, target, moved, name, before)
        units = [a for a in range(len(dims)) if dims[a] == 1]
        squeezed = self.with_axes("Squeeze", value, units, [d for d in dims if d != 1], f"{name}_squeezed", before)
        places = [i for i, a in enumerate(perm) if dims[a] == 1]
        return self.with_axes("Unsqueeze", squeezed, places, moved, name, before)

    def reshape(
        self, value: ir.Value, target: Sequence[int], dims: Sequence[Dim], name: str, before: ir.Node | None = None
    ) -> ir.Value:
        """Return a value in a shape that is known up to one dimension (0 keeps the one at that place)."""
        if self._opset < 5:
            attributes: dict[str, object] = {"shape": list(target)}
            return self.emit("Reshape", [value], before=before, attributes=attributes, dims=dims, name=name)
        shape = self.constant(np.array(target, np.int64), f"{name}_shape")
        return self.emit("Reshape", [value, shape], before=before, dims=dims, name=name)

    def with_axes(
        self,
        op_type: str,
        value: ir.Value,
        axes: Sequence[int],
        dims: Sequence[Dim] | None,
        name: str,
        before: ir.Node | None = None,
    ) -> ir.Value:
        """Return the result of Squeeze or Unsqueeze, whose axes became an input with opset 13."""
        if self._opset < 13:
            attributes: dict[str, object] = {"axes": list(axes)}
            return self.emit(op_type, [value], before=before, attributes=attributes, dims=dims, name=name)
        given = self.constant(np.array(axes, np.int64), "axes")
        return self.emit(op_type, [value, given], before=before, dims=dims, name=name)
