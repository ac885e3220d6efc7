"""Explain a choice: for each movement of data, the nearest node that cannot do without it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import onnx_ir as ir

from onnx_tf.layout.constraints import Constraints, Memory, Placement
from onnx_tf.layout.facts import Order, Role, State, permutation
from onnx_tf.layout.network import FIRST, LAST
from onnx_tf.layout.report import ValueLayout
from onnx_tf.layout.report_builder import Movement, ReportBuilder
from onnx_tf.layout.rewrite import Rewriter

__all__ = ["Explanation"]

NAMES = {Order.FIRST: "channels-first", Order.LAST: "channels-last"}


class Explanation:
    """What the report says of a graph; made before the rewrite, while nodes still are what they were."""

    def __init__(self, constraints: Constraints, labels: Sequence[int]) -> None:
        self._constraints = constraints
        self._labels = labels
        self._names = {v: str(v.name) for v in constraints.own_values()}
        self._own: dict[ir.Node, Movement] = {}
        for node in constraints.facts.graph:
            source = node.inputs[0] if node.op_type == "Transpose" else None
            if source is not None:
                nbytes = constraints.facts.shapes.nbytes(source)
                self._own[node] = Movement(str(source.name), nbytes, str(node.name), self._purpose(node, source))
        self._memories_of: dict[int, list[Memory]] = {}
        for memory in _distinct(constraints):
            for variable in {memory.producer, *memory.consumers} - {None}:
                self._memories_of.setdefault(variable, []).append(memory)  # type: ignore[arg-type]

    def add_to(self, builder: ReportBuilder, rewriter: Rewriter) -> None:
        """Add what is known after the rewrite to the report of the model."""
        facts = self._constraints.facts
        copied: dict[int, int] = {}
        for copy in rewriter.copies:
            memory = self._constraints.memories[copy.value]
            nbytes = copied[id(memory)] = facts.shapes.nbytes(copy.value)
            builder.movements[copy.result] = Movement(copy.name, nbytes, *self._cause(memory, copy.order))
        for node, own in self._own.items():
            builder.movements.setdefault(node.outputs[0], own)
        builder.channels_last |= rewriter.values_in(Order.LAST)
        builder.values.extend(self._layouts(copied))

    def _purpose(self, node: ir.Node, source: ir.Value) -> str:
        """Say what a Transpose of the model is for."""
        facts, result = self._constraints.facts, node.outputs[0]
        rank = facts.shapes.rank(source)
        perm = () if rank is None else permutation(node, rank)
        moved = {a for i, a in enumerate(perm) if i != a}
        if moved and all(facts.roles(source)[a] is Role.CHANNEL for a in moved):
            return "the model's own Transpose shuffles channels"
        if _leads_to_product(result) or _comes_from_product(source):
            return "the model's own Transpose lays out a matrix product (attention)"
        return "the model's own Transpose moves data"

    def _layouts(self, copied: dict[int, int]) -> list[ValueLayout]:
        facts, found = self._constraints.facts, []
        for value, name in self._names.items():
            if facts.state(value) is State.LABELLED:
                memory = self._constraints.memories[value]
                own = facts.onnx_order(value) if memory.producer is None else Order(self._labels[memory.producer])
                roles = "".join(role.value for role in facts.roles(value) if role is not None)
                copied_bytes = copied.get(id(memory), 0) if memory.root is value else 0
                found.append(ValueLayout(name, roles, NAMES[own], facts.order(value, own), copied_bytes))
        return found

    def _cause(self, memory: Memory, order: Order) -> tuple[str, str]:
        wanting = [v for v in memory.consumers if self._labels[v] == order]
        pinned = {Order.FIRST: FIRST, Order.LAST: LAST}[order]
        if pinned in wanting:
            return self._describe(memory.consumers[pinned][0])
        seen, queue = set(wanting), deque(wanting)
        while queue:
            variable = queue.popleft()
            for near in self._memories_of.get(variable, ()):
                if near is memory:
                    continue
                if pinned in near.consumers:
                    return self._describe(near.consumers[pinned][0])
                if near.producer == pinned:
                    return self._describe(near.root.producer(), near.root)
                around = {v for v in (near.producer, *near.consumers) if v is not None}
                for other in around - seen:
                    if self._labels[other] == order:
                        seen.add(other)
                        queue.append(other)
        return "", "the computations behind it move fewer bytes so"

    def _describe(self, node: ir.Node | None, value: ir.Value | None = None) -> tuple[str, str]:
        if node is None:
            what = "a graph output" if value is None else f"graph input {self._names.get(value, value.name)}"
            return what, "the signature keeps the ONNX order"
        if self._constraints.placements[node] is Placement.FIXED:
            return str(node.name), self._constraints.reasons[node] or f"{node.op_type} computes in the ONNX order"
        return str(node.name), f"{node.op_type} is computed channels-last"


_BETWEEN = frozenset({"Add", "Cast", "Div", "Identity", "Mul", "Reshape", "Softmax", "Squeeze", "Sub", "Unsqueeze"})
_PRODUCTS = frozenset({"Attention", "Einsum", "MatMul"})


def _leads_to_product(value: ir.Value) -> bool:
    """Tell whether a value is an operand of a product of two run-time values, but for its shape and scale."""
    while len(value.uses()) == 1:
        (use,) = value.uses()
        if use.node.op_type in _BETWEEN:
            value = use.node.outputs[0]
        else:
            return use.node.op_type in _PRODUCTS and _is_of_two(use.node)
    return any(use.node.op_type in _PRODUCTS and _is_of_two(use.node) for use in value.uses())


def _comes_from_product(value: ir.Value) -> bool:
    node = value.producer()
    while node is not None and node.op_type in _BETWEEN and node.inputs[0] is not None:
        node = node.inputs[0].producer()
    return node is not None and node.op_type in _PRODUCTS and _is_of_two(node)


def _is_of_two(node: ir.Node) -> bool:
    return sum(value is not None and value.const_value is None for value in node.inputs) > 1


def _distinct(constraints: Constraints) -> list[Memory]:
    return list({id(memory): memory for memory in constraints.memories.values()}.values())
