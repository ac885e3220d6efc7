"""Mechanics: carry a choice of memory orders out on the graph."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnx_tf.layout.absorb import permuted_rows
from onnx_tf.layout.constraints import Constraints, Placement
from onnx_tf.layout.editing import Editor
from onnx_tf.layout.facts import Order, State, permutation, same_up_to_units, sort_by_role
from onnx_tf.layout.frames import Frame, einsum_terms
from onnx_tf.layout.reshapes import Axes, Reshapes
from onnx_tf.origins import Reordered, Transposed, change, hand_on
from onnx_tf.passes._constants import add_initializer
from onnx_tf.registry import CHANNELS_LAST_DOMAIN
from onnx_tf.schema import optional_int_attribute

__all__ = ["Copy", "Rewriter"]

SUFFIX = {Order.FIRST: "channels_first", Order.LAST: "channels_last"}


@dataclass(frozen=True)
class Copy:
    """A value that lies in memory a second time, in the other order."""

    value: ir.Value
    name: str
    result: ir.Value
    order: Order


class Rewriter:
    """Rewrites one graph in place.

    The values of the old graph go on to serve for the order in which they are now produced;
    ``_have`` knows, by value and order, what holds it.
    """

    def __init__(self, constraints: Constraints, labels: Sequence[int], editor: Editor) -> None:
        self._constraints = constraints
        self._facts = constraints.facts
        self._labels = labels
        self._editor = editor
        self._graph = constraints.facts.graph
        self._reshapes = Reshapes(constraints.facts, editor, self._in_onnx_order)
        self._have: dict[tuple[ir.Value, Axes], ir.Value] = {}
        self._written: dict[ir.Value, Axes] = {}
        self._held: dict[ir.Value, ir.Value] = {}
        self._renamed: dict[ir.Value, ir.Value] = {}
        self._replaced: list[ir.Node] = []
        self._constants: dict[tuple[ir.Value, Axes, Axes], ir.Value] = {}
        self._aligned: dict[tuple[ir.Value, Axes], ir.Value] = {}
        self._names = {v: str(v.name) for v in constraints.own_values()}
        self.copies: list[Copy] = []

    def apply(self) -> None:
        """Rewrite all nodes, then the outputs, and remove what has been replaced."""
        nodes = list(self._graph)
        rewrite = {
            Placement.COMPUTE: self._compute,
            Placement.MOVE: self._move,
            Placement.PEEK: self._peek,
            Placement.PRODUCT: self._multiply,
            Placement.ABSORB: self._absorb,
            Placement.FIXED: self._fix,
        }
        for node in nodes:
            placement = self._constraints.placements[node]
            if placement is Placement.VIEW:
                self._replaced.append(node)
            else:
                rewrite[placement](node)
        self._rewrite_outputs()
        self._graph.remove(self._replaced, safe=True)

    def values_in(self, label: Order) -> set[ir.Value]:
        """Return the values of the rewritten graph that lie in a memory order, of those that had a choice."""
        held = {(v, self._written.get(v, self._facts.identity(v))): self._held.get(v, v) for v in self._names}
        lying = {
            found
            for (value, order), found in (held | self._have).items()
            if self._has_choice(value) and order == self._facts.order(value, label)
        }
        return lying | {renamed for renamed, value in self._renamed.items() if value in lying}

    def _rewrite_outputs(self) -> None:
        taken: set[ir.Value] = set(self._graph.inputs)
        for index, value in enumerate(list(self._graph.outputs)):
            if value in self._names:
                found = self._in_onnx_order(value)
                name = self._names[value]
                if found.name != name:
                    if found in taken or found.producer() is None or found in self._names:
                        found = self._identity_of(found)
                    found.name = name
                self._graph.outputs[index] = found
                taken.add(found)

    def _identity_of(self, value: ir.Value) -> ir.Value:
        renamed = self._editor.emit("Identity", [value], dims=list(self._facts.shapes.dims(value) or ()) or None)
        hand_on(value, renamed)
        self._renamed[renamed] = value
        return renamed

    # What each kind of node becomes

    def _fix(self, node: ir.Node) -> None:
        for index, value in enumerate(node.inputs):
            if value is not None and value.const_value is None:
                _replace(node, index, self._in_onnx_order(value))
        for inner, index, value in list(self._constraints.captured(node)):
            _replace(inner, index, self._in_onnx_order(value))
        for graph, index, value in list(self._constraints.passed_through(node)):
            graph.outputs[index] = self._in_onnx_order(value)

    def _compute(self, node: ir.Node) -> None:
        rule, frame = self._facts.rules[node], self._facts.frames[node]
        roles = self._facts.frame_roles(node)
        assert roles is not None
        label = Order(self._labels[self._constraints.variables[node]])
        order = sort_by_role(roles, label)
        for index, value in enumerate(node.inputs):
            if value is None:
                continue
            if index in frame.inputs:
                _replace(node, index, self._operand(value, frame, index, order, label))
            elif value.const_value is None:
                _replace(node, index, self._in_onnx_order(value))
        if order != tuple(range(frame.rank)):
            rule.remap(_NodeMove(node, order, self._editor))
        if rule.moves and label is Order.LAST:
            node.domain = CHANNELS_LAST_DOMAIN
        for index in frame.outputs:
            self._produce(node.outputs[index], self._order(node.outputs[index], label))

    def _operand(self, value: ir.Value, frame: Frame, index: int, order: Axes, label: Order) -> ir.Value:
        axes = frame.inputs[index]
        if value.const_value is not None:
            alone = all(len(a) < frame.rank for i, a in frame.inputs.items() if i != index)
            return self._constant_operand(value, axes, order, frame.aligned, keep_rank=alone)
        operand = self._get(value, self._order(value, label))
        if not frame.aligned or not axes:
            return operand
        # Put unit axes into an operand of lower rank where the new order needs them.
        present = [axis in axes for axis in order]
        gaps = tuple(i for i, there in enumerate(present[present.index(True) :]) if not there)
        if not gaps:
            return operand
        if (operand, gaps) not in self._aligned:
            name = f"{operand.name}_aligned"
            self._aligned[operand, gaps] = self._editor.with_axes("Unsqueeze", operand, gaps, None, name)
        return self._aligned[operand, gaps]

    def _constant_operand(self, value: ir.Value, axes: Axes, order: Axes, aligned: bool, keep_rank: bool) -> ir.Value:
        tensor = value.const_value
        assert tensor is not None
        held = [a for a in order if a in axes]
        dims = [tensor.shape.numpy()[axes.index(a)] for a in held]
        perm = [axes.index(a) for a in held]
        if aligned:
            sizes = dict(zip(held, dims, strict=True))
            shape = [sizes.get(a, 1) for a in order]
            # Leading unit axes say nothing to a broadcasting operator, unless they give the result its rank.
            while not keep_rank and shape and shape[0] == 1:
                shape.pop(0)
        else:
            shape = dims
        if (tensor.size == 1 and aligned) or (perm == sorted(perm) and shape == list(tensor.shape)):
            return value
        key = (value, tuple(perm), tuple(shape))
        if key not in self._constants:
            self._constants[key] = self._lazily(value, lambda a: a.transpose(perm).reshape(shape), shape)
        return self._constants[key]

    def _move(self, node: ir.Node) -> None:
        source, result = node.inputs[0], node.outputs[0]
        assert source is not None
        perm = permutation(node, len(self._facts.dims(result)))
        variable = self._constraints.variables.get(node)
        label = Order(self._labels[variable]) if variable is not None else Order.FIRST
        both = self._has_choice(source) and self._has_choice(result)
        given = self._order(source, self._own_label(source) if both else label)
        wanted = self._order(result, label)
        dims = self._facts.dims(source)
        if same_up_to_units(dims, given, [perm[a] for a in wanted]):
            # Two orders that were to meet here are the same memory by chance.
            present = self._get(source, given)
            self._write(result, wanted)
            self._held[result] = self._reshapes.unit_move(
                present, dims, given, tuple(perm[a] for a in wanted), "moved", node
            )
            hand_on(result, self._held[result])
            self._replaced.append(node)
            return
        node.replace_input_with(0, self._get(source, given))
        node.attributes["perm"] = ir.AttrInt64s("perm", [given.index(perm[a]) for a in wanted])
        self._produce(result, wanted)

    def _peek(self, node: ir.Node) -> None:
        source = node.inputs[0]
        if source is None or not self._has_choice(source):
            self._fix(node)
            return
        order = self._order(source, self._own_label(source))
        operand = self._get(source, order)
        if node.op_type == "Size" or order == self._facts.identity(source):
            node.replace_input_with(0, operand)
            return
        start, end = optional_int_attribute(node, "start"), optional_int_attribute(node, "end")
        picked = np.argsort(order).astype(np.int64)[start:end]
        shape = self._editor.emit("Shape", [operand], before=node, dims=[len(order)])
        shape.type = ir.TensorType(ir.DataType.INT64)
        node.op_type = "Gather"
        for name in ("start", "end"):
            node.attributes.pop(name, None)
        node.attributes["axis"] = ir.AttrInt64("axis", 0)
        node.resize_inputs(2)
        node.replace_input_with(0, shape)
        node.replace_input_with(1, self._editor.constant(picked, "onnx_order"))

    def _multiply(self, node: ir.Node) -> None:
        terms = einsum_terms(node)
        assert terms is not None
        operands, letters = terms
        for index, value in enumerate(node.inputs):
            if value is not None and value.const_value is None:
                order = self._order(value, self._own_label(value)) if self._has_choice(value) else None
                node.replace_input_with(index, self._get(value, order or self._facts.identity(value)))
                operands[index] = "".join(operands[index][a] for a in order or self._facts.identity(value))
        result = node.outputs[0]
        if node in self._constraints.variables:
            order = self._order(result, Order(self._labels[self._constraints.variables[node]]))
            letters = "".join(letters[a] for a in order)
            self._produce(result, order)
        node.attributes["equation"] = ir.AttrString("equation", f"{','.join(operands)}->{letters}")

    def _absorb(self, node: ir.Node) -> None:
        source, result = node.inputs[0], node.outputs[0]
        assert source is not None
        given = self._order(source, self._own_label(source))
        present = self._get(source, given)
        dims = self._facts.dims(source)
        absorption = self._constraints.absorptions[node]
        self._held[result] = self._reshapes.reshaped(
            node, present, given, self._facts.identity(result), str(result.name)
        )
        self._replaced.append(node)
        merged = absorption.group.before
        perm = [merged.index(a) for a in given if a in merged]
        sizes = [size for a in merged if isinstance(size := dims[a], int)]
        for flat in absorption.values if perm != sorted(perm) else ():
            change(flat, Reordered(tuple(sizes), tuple(perm)))
        hand_on(result, self._held[result])
        if perm == sorted(perm):
            return
        for user, axis in absorption.weights:
            weights = user.inputs[1]
            assert weights is not None
            assert weights.const_value is not None
            key = (weights, (axis, *sizes), tuple(perm))
            if key not in self._constants:
                permute = functools.partial(permuted_rows, axis=axis, sizes=sizes, perm=perm)
                self._constants[key] = self._lazily(weights, permute, weights.const_value.shape.numpy())
            user.replace_input_with(1, self._constants[key])

    def _lazily(
        self, value: ir.Value, change: Callable[[np.ndarray], np.ndarray], shape: Sequence[int] | ir.Shape
    ) -> ir.Value:
        """Return a constant that is computed from another when it is needed."""
        tensor = value.const_value
        assert tensor is not None
        name = f"{value.name}_channels_last"
        moved = ir.LazyTensor(
            lambda: ir.tensor(np.ascontiguousarray(change(tensor.numpy())), dtype=tensor.dtype),
            dtype=tensor.dtype,
            shape=ir.Shape(list(shape)),
            name=name,
        )
        return add_initializer(self._graph, name, moved)

    # Values in the order asked for

    def _has_choice(self, value: ir.Value) -> bool:
        return self._facts.state(value) is State.LABELLED

    def _is_view(self, value: ir.Value) -> bool:
        return self._constraints.placements.get(value.producer()) is Placement.VIEW  # type: ignore[arg-type]

    def _order(self, value: ir.Value, label: Order) -> Axes:
        return self._facts.order(value, label) if self._has_choice(value) else self._facts.identity(value)

    def _own_label(self, value: ir.Value) -> Order:
        """Return the order in which the memory of a value is written."""
        producer = self._constraints.memories[value].producer
        return self._facts.onnx_order(value) if producer is None else Order(self._labels[producer])

    def _produce(self, value: ir.Value, order: Axes) -> None:
        """State that a value is now produced in an order."""
        self._write(value, order)
        if order != self._facts.identity(value):
            label = Order.FIRST if order == self._facts.order(value, Order.FIRST) else Order.LAST
            value.name = f"{value.name}_{SUFFIX[label]}"
            if value.shape is not None:
                value.shape = ir.Shape([value.shape[a] for a in order])

    def _write(self, value: ir.Value, order: Axes) -> None:
        self._written[value] = order
        if order != self._facts.identity(value):
            change(value, Transposed(tuple(order)))

    def _in_onnx_order(self, value: ir.Value) -> ir.Value:
        return self._get(value, self._facts.identity(value))

    def _get(self, value: ir.Value, order: Axes) -> ir.Value:
        """Return a value in one of its orders, or in the ONNX order."""
        written = self._written.get(value, self._facts.identity(value))
        if order == written and not self._is_view(value):
            return self._held.get(value, value)
        if (value, order) not in self._have:
            name = self._names.get(value, str(value.name))
            if order != self._facts.identity(value):
                label = Order.FIRST if order == self._facts.order(value, Order.FIRST) else Order.LAST
                name = f"{name}_{SUFFIX[label]}"
            made = self._view(value, order, name) if self._is_view(value) else self._copy(value, order, name)
            axes = [written.index(a) for a in order]
            hand_on(value, made, *([Transposed(tuple(axes))] if axes != sorted(axes) else []))
            self._have[value, order] = made
        return self._have[value, order]

    def _copy(self, value: ir.Value, order: Axes, name: str) -> ir.Value:
        dims = self._facts.dims(value)
        source, given = self._nearest(value, order)
        result = self._editor.permute(source, [dims[a] for a in given], [given.index(a) for a in order], name)
        label = Order.FIRST if same_up_to_units(dims, order, self._facts.order(value, Order.FIRST)) else Order.LAST
        self.copies.append(Copy(value, self._names.get(value, str(value.name)), result, label))
        return result

    def _nearest(self, value: ir.Value, order: Axes) -> tuple[ir.Value, Axes]:
        """Return what holds a value: in the same memory but for unit axes, if there is such a copy already."""
        dims = self._facts.dims(value)
        orders = (self._facts.identity(value), *(self._facts.order(value, label) for label in Order))
        for given in orders:
            if (value, given) in self._have and same_up_to_units(dims, given, order):
                return self._have[value, given], given
        return self._held.get(value, value), self._written.get(value, self._facts.identity(value))

    def _view(self, value: ir.Value, order: Axes, name: str) -> ir.Value:
        node = value.producer()
        assert node is not None
        source = node.inputs[0]
        assert source is not None
        given = self._source_order(source, value, order)
        present = self._get(source, given)
        if node.op_type == "Transpose":
            perm = permutation(node, len(order))
            wanted = tuple(perm[a] for a in order)
            return self._reshapes.unit_move(present, self._facts.dims(source), given, wanted, name, node)
        return self._reshapes.reshaped(node, present, given, order, name)

    def _source_order(self, source: ir.Value, value: ir.Value, order: Axes) -> Axes:
        """Return the order of a view's source of which the view in the order asked for is the same memory."""
        if not self._has_choice(source):
            return self._facts.identity(source)
        own = self._own_label(source)
        if not self._has_choice(value):
            return self._order(source, own)
        dims = self._facts.dims(value)
        fitting = (la for la in (own, *Order) if same_up_to_units(dims, self._order(value, la), order))
        return self._order(source, next(fitting))


@dataclass(frozen=True)
class _NodeMove:
    """A node whose computation moves to another order; see :class:`onnx_tf.layout.remaps.Move`."""

    node: ir.Node
    order: Sequence[int]
    editor: Editor

    def constant(self, array: np.ndarray, hint: str) -> ir.Value:
        return self.editor.constant(array, hint)

    def emit(self, op_type: str, inputs: Sequence[ir.Value], **attributes: object) -> ir.Value:
        return self.editor.emit(op_type, inputs, before=self.node, attributes=attributes)


def _replace(node: ir.Node, index: int, value: ir.Value) -> None:
    # Replacing an input writes down all of them: with thousands it counts where most stay.
    if node.inputs[index] is not value:
        node.replace_input_with(index, value)
