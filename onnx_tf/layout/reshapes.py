"""Mechanics of operators that only regroup axes: Reshape, Flatten, Squeeze, Unsqueeze in any memory order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from onnx_tf.layout.editing import Editor
from onnx_tf.layout.facts import Facts
from onnx_tf.layout.shapes import Dim
from onnx_tf.schema import optional_int_attribute

__all__ = ["Axes", "Reshapes"]

Axes = tuple[int, ...]
"""An order: the axes of a value, numbered as in ONNX, from the outermost in memory to the innermost."""


class Reshapes:
    """Emits, before a node of a graph, what computes its result from its source in other orders."""

    def __init__(self, facts: Facts, editor: Editor, in_onnx_order: Callable[[ir.Value], ir.Value]) -> None:
        self._facts = facts
        self._editor = editor
        self._in_onnx_order = in_onnx_order

    def unit_move(
        self, present: ir.Value, dims: Sequence[Dim], given: Axes, wanted: Axes, name: str, node: ir.Node
    ) -> ir.Value:
        """Return a value in another order of its axes, which only moves axes of size 1 or is a Transpose."""
        if given == wanted:
            return present
        perm = [given.index(a) for a in wanted]
        return self._editor.permute(present, [dims[a] for a in given], perm, name, before=node)

    def reshaped(self, node: ir.Node, present: ir.Value, given: Axes, order: Axes, name: str) -> ir.Value:
        """Return the result of a Reshape, Flatten, Squeeze or Unsqueeze in an order, from its source in an order."""
        source, result = node.inputs[0], node.outputs[0]
        assert source is not None
        after = self._facts.dims(result)
        if node.op_type in ("Squeeze", "Unsqueeze"):
            return self._unit_axes(node, present, given, order, name)
        if given == self._facts.identity(source) and order == self._facts.identity(result):
            clone = ir.Node(
                "", node.op_type, [present, *node.inputs[1:]], node.attributes.values(), version=node.version
            )
            clone.name, clone.outputs[0].name = node.name, name
            clone.outputs[0].type, clone.outputs[0].shape = result.type, result.shape
            for index, value in enumerate(node.inputs[1:], 1):
                if value is not None and value.const_value is None:
                    clone.replace_input_with(index, self._in_onnx_order(value))
            node.prepend(clone)
            return clone.outputs[0]
        kept = {g.after[0]: g.before[0] for g in self._facts.groups[node] if len(g.after) == len(g.before) == 1}
        dims = [after[b] for b in order]
        target = [
            d if isinstance(d, int) else 0 if b in kept and given.index(kept[b]) == i else -1
            for i, (b, d) in enumerate(zip(order, dims, strict=True))
        ]
        if target.count(-1) <= 1:
            return self._editor.reshape(present, target, dims, name, before=node)
        shape = self._runtime_shape(node, present, given, order, target)
        return self._editor.emit("Reshape", [present, shape], before=node, dims=dims, name=name)

    def _runtime_shape(
        self, node: ir.Node, present: ir.Value, given: Axes, order: Axes, target: Sequence[int]
    ) -> ir.Value:
        """Return a shape of which more than one dimension is known at run time only."""
        editor, sizes = self._editor, None
        pieces = []
        group_of = {b: g for g in self._facts.groups[node] for b in g.after}
        for place, (axis, size) in enumerate(zip(order, target, strict=True)):
            group = group_of[axis]
            if size > 0:
                pieces.append(editor.constant(np.array([size], np.int64), "dim"))
            elif size == 0 or len(group.after) == 1:
                if sizes is None:
                    sizes = editor.emit("Shape", [present], before=node, dims=[len(given)])
                    sizes.type = ir.TensorType(ir.DataType.INT64)
                where = [place] if size == 0 else [given.index(a) for a in group.before]
                found = editor.emit(
                    "Gather",
                    [sizes, editor.constant(np.array(where, np.int64), "axes")],
                    before=node,
                    dims=[len(where)],
                )
                if len(where) != 1:
                    found = self._product(found, node)
                pieces.append(found)
            else:
                pieces.append(self._stated_size(node, axis, present, given))
        attributes: dict[str, object] = {"axis": 0}
        return editor.emit("Concat", pieces, before=node, attributes=attributes, dims=[len(pieces)])

    def _product(self, vector: ir.Value, node: ir.Node) -> ir.Value:
        attributes: dict[str, object] = {"keepdims": 1}
        return self._editor.emit("ReduceProd", [vector], before=node, attributes=attributes, dims=[1])

    def _stated_size(self, node: ir.Node, axis: int, present: ir.Value, given: Axes) -> ir.Value:
        """Return a dimension as the node's own shape input states it, where 0 keeps the one at that place."""
        editor, stated = self._editor, node.inputs[1]
        assert stated is not None
        stated = stated if stated.const_value is not None else self._in_onnx_order(stated)
        where = editor.constant(np.array([axis], np.int64), "axis")
        size = editor.emit("Gather", [stated, where], before=node, dims=[1])
        if axis >= len(given) or optional_int_attribute(node, "allowzero"):
            return size
        sizes = editor.emit("Shape", [present], before=node, dims=[len(given)])
        sizes.type = ir.TensorType(ir.DataType.INT64)
        place = editor.constant(np.array([given.index(axis)], np.int64), "axis")
        kept = editor.emit("Gather", [sizes, place], before=node, dims=[1])
        zero = editor.emit("Equal", [size, editor.constant(np.array([0], np.int64), "zero")], before=node, dims=[1])
        zero.type = ir.TensorType(ir.DataType.BOOL)
        chosen = editor.emit("Where", [zero, kept, size], before=node, dims=[1])
        chosen.type = size.type
        return chosen

    def _unit_axes(self, node: ir.Node, present: ir.Value, given: Axes, order: Axes, name: str) -> ir.Value:
        groups = self._facts.groups[node]
        kept = {g.before[0]: g.after[0] for g in groups if g.before and g.after}
        follows = tuple(kept[a] for a in given if a in kept)
        after = self._facts.dims(node.outputs[0])
        if node.op_type == "Squeeze":
            dropped = [i for i, a in enumerate(given) if a not in kept]
            interim = name if follows == order else f"{name}_squeezed"
            squeezed = self._editor.with_axes("Squeeze", present, dropped, [after[b] for b in follows], interim, node)
            return self.unit_move(squeezed, after, follows, order, name, node)
        added = [g.after[0] for g in groups if not g.before]
        exact = tuple(b for b in order if b not in added) == follows
        wanted = order if exact else (*added, *follows)
        places = [i for i, b in enumerate(wanted) if b in added]
        interim = name if exact else f"{name}_unsqueezed"
        unsqueezed = self._editor.with_axes("Unsqueeze", present, places, [after[b] for b in wanted], interim, node)
        return self.unit_move(unsqueezed, after, wanted, order, name, node)
