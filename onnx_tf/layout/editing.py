"""Insert nodes and constants into a graph, with fresh names, at the earliest place."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from onnx_tf.layout.facts import same_up_to_units
from onnx_tf.layout.shapes import Dim, UnknownDim

__all__ = ["Editor"]


class Editor:
    """Adds to one graph."""

    def __init__(self, graph: ir.Graph, names: set[str], opset: int) -> None:
        self.graph = graph
        self._names = names
        self._opset = opset
        self._head = next(iter(graph), None)
        self._small: dict[tuple[str, tuple[int, ...], bytes], ir.Value] = {}

    def fresh_name(self, wanted: str) -> str:
        """Return a name that nothing in the model has, and take it."""
        candidates = itertools.chain([wanted], (f"{wanted}_{i}" for i in itertools.count(1)))
        name = next(n for n in candidates if n not in self._names)
        self._names.add(name)
        return name

    def release_name(self, name: str) -> None:
        """Give a name back: what had it is renamed or will be removed."""
        self._names.discard(name)

    def constant(self, array: np.ndarray, hint: str) -> ir.Value:
        """Return an initializer of the graph that holds a small array; equal ones are shared."""
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._small:
            name = self.fresh_name(hint)
            self._small[key] = self.lazy_constant(ir.tensor(array, name=name), name)
        return self._small[key]

    def lazy_constant(self, tensor: ir.TensorProtocol, name: str) -> ir.Value:
        """Return an initializer of the graph that holds a tensor."""
        value = ir.Value(
            name=name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(tensor.shape.numpy()), const_value=tensor
        )
        self.graph.register_initializer(value)
        return value

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
        result = ir.Value(name=self.fresh_name(name or f"{inputs[0].name}_{op_type.lower()}"))  # type: ignore[union-attr]
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
            name=self.fresh_name(f"{result.name}/{op_type}"),
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
