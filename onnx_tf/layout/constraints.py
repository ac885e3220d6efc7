"""Constraints: what each node asks of the memory orders around it, as one problem to be solved."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import onnx_ir as ir

from onnx_tf.layout.absorb import Absorption, find_absorption
from onnx_tf.layout.facts import (
    Facts,
    Order,
    State,
    channels_first_roles,
    permutation,
    same_up_to_units,
    sort_by_role,
)
from onnx_tf.layout.network import FIRST, LAST, Problem, Store
from onnx_tf.layout.rules import OperatorKind, Rule, rule_of
from onnx_tf.layout.shapes import same_memory
from onnx_tf.schema import optional_int_attribute

__all__ = ["BYTE", "Constraints", "Placement"]

BYTE = 1 << 24
"""What moving a byte costs; a movement itself costs 1, so that of equal bytes fewer movements win."""

PINS = {Order.FIRST: FIRST, Order.LAST: LAST}


class Placement(enum.Enum):
    """How a node is rewritten."""

    COMPUTE = "in the order of its variable"
    VIEW = "the same memory in every order asked for"
    MOVE = "a Transpose that takes its operand in any order"
    PEEK = "reads a shape"
    PRODUCT = "takes its operands as they lie and gives its result in the order of its variable"
    ABSORB = "flattens its operand in any order; constant weights make up for it"
    FIXED = "in the ONNX order"


@dataclass
class Memory:
    """A store while it is being built: who writes it and who reads it in which order."""

    root: ir.Value
    producer: int | None
    nbytes: int
    consumers: dict[int, list[ir.Node | None]] = field(default_factory=dict)

    @property
    def weight(self) -> int:
        """What a copy in the other order costs."""
        return self.nbytes * BYTE + 1


class Constraints:
    """The problem of a graph, and which variable each node has in it."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.problem = Problem()
        self.placements: dict[ir.Node, Placement] = {}
        self.variables: dict[ir.Node, int] = {}
        self.reasons: dict[ir.Node, str] = {}
        self.memories: dict[ir.Value, Memory] = {}
        self.absorptions: dict[ir.Node, Absorption] = {}
        self._own = _own_values(facts.graph)
        for value in facts.graph.inputs:
            self._produce(value, None)
        for node in facts.graph:
            for value in self._read_by(node):
                if value not in self._own and value not in self.memories:
                    self._produce(value, None)
            self._place(node)
        for value in facts.graph.outputs:
            self._pin_input(value, None)
        for memory in {id(m): m for m in self.memories.values()}.values():
            if memory.producer is not None:
                store = Store(memory.producer, frozenset(memory.consumers), memory.weight)
                self.problem.stores.append(store)

    def captured(self, node: ir.Node) -> Iterable[tuple[ir.Node, int, ir.Value]]:
        """Return the values of the graph that a node's subgraphs read: the reader, the input, the value."""
        for attribute in node.attributes.values():
            if attribute.type is ir.AttributeType.GRAPH:
                for inner in attribute.as_graph().all_nodes():
                    for index, value in enumerate(inner.inputs):
                        if value is not None and value in self._own:
                            yield inner, index, value

    def passed_through(self, node: ir.Node) -> Iterable[tuple[ir.Graph, int, ir.Value]]:
        """Return the values of the graph that a node's subgraphs give as their results."""
        for attribute in node.attributes.values():
            if attribute.type is ir.AttributeType.GRAPH:
                body = attribute.as_graph()
                for graph in (body, *body.subgraphs()):
                    for index, value in enumerate(graph.outputs):
                        if value in self._own:
                            yield graph, index, value

    def own_values(self) -> set[ir.Value]:
        """Return the inputs of the graph and what its nodes compute."""
        return self._own

    def _read_by(self, node: ir.Node) -> Iterable[ir.Value]:
        for value in node.inputs:
            if value is not None and value.const_value is None:
                yield value

    def _place(self, node: ir.Node) -> None:
        rule = self.facts.rules.get(node)
        if rule is None:
            self._fix(node, _barrier_reason(node))
        elif rule.kind is OperatorKind.PEEK:
            self.placements[node] = Placement.PEEK
            self._produce_all(node)
        elif rule.kind is OperatorKind.PRODUCT:
            self._place_product(node)
        elif rule.kind is OperatorKind.TRANSPOSE:
            self._place_transpose(node)
        elif rule.kind is OperatorKind.RESHAPE:
            self._place_reshape(node)
        else:
            self._place_frame(node, rule)

    def _place_frame(self, node: ir.Node, rule: Rule) -> None:
        frame = self.facts.frames[node]
        labelled = [v for v, _ in frame.ports(node) if self.facts.state(v) is State.LABELLED]
        problem = self._frame_problem(node, rule)
        if not labelled or problem:
            self._fix(node, problem or "")
            return
        self.placements[node] = Placement.COMPUTE
        variable = self.variables[node] = LAST if rule.wants_last else self.problem.variable()
        for index, value in enumerate(node.inputs):
            if value is None or value.const_value is not None:
                continue
            if index in frame.inputs:
                self._consume(value, variable, node)
            else:
                self._pin_input(value, node)
        for index, value in enumerate(node.outputs):
            self._produce(value, variable if index in frame.outputs else None)

    def _frame_problem(self, node: ir.Node, rule: Rule) -> str | None:
        facts, frame = self.facts, self.facts.frames[node]
        if rule.fixed:
            return _barrier_reason(node)
        if any(facts.state(v) is State.OPAQUE for v, _ in frame.ports(node)):
            return "an operand's axes have no known roles, or lie in a third order"
        roles = facts.frame_roles(node)
        if roles is None or None in roles:
            return "its operands call the same axis channel and spatial"
        if rule.channel_axis and roles != channels_first_roles(frame.rank):
            return "its axis 1 is not the channel of its neighbours"
        for order in Order:
            axes = sort_by_role(roles, order)
            if not rule.allows(node, frame, axes):
                return f"its axes cannot be reordered (axis={optional_int_attribute(node, 'axis')})"
            for value, held in frame.ports(node):
                if [held[a] for a in facts.order(value, order)] != [a for a in axes if a in held]:
                    return "an operand's axes follow in another order"
        return None

    def _place_product(self, node: ir.Node) -> None:
        result = node.outputs[0]
        self.placements[node] = Placement.PRODUCT
        if self._has_choice(result):
            variable = self.variables[node] = self.problem.variable()
            # As good as nothing, for what is written in the model.
            self.problem.unary[variable] = (0, 1) if self.facts.onnx_order(result) is Order.FIRST else (1, 0)
            self._produce(result, variable)

    def _place_transpose(self, node: ir.Node) -> None:
        facts, source, result = self.facts, node.inputs[0], node.outputs[0]
        if source is None or source.const_value is not None:
            self._fix(node, "it transposes a constant")
            return
        perm = permutation(node, len(facts.dims(result)))
        dims = facts.dims(source)
        choice, target = self._has_choice(source), self._has_choice(result)

        def stays(order: Order) -> bool:
            wanted = facts.order(result, order) if target else range(len(dims))
            given = facts.order(source, order) if choice else range(len(dims))
            return same_up_to_units(dims, [perm[a] for a in wanted], list(given))

        moved = facts.shapes.nbytes(source) * BYTE + 1
        costs = tuple(0 if stays(order) else moved for order in Order)
        self._place_view(node, costs, Placement.MOVE)

    def _place_reshape(self, node: ir.Node) -> None:
        facts, source, result = self.facts, node.inputs[0], node.outputs[0]
        assert source is not None
        groups, before, after = facts.groups[node], facts.dims(source), facts.dims(result)

        def stays(order: Order) -> bool:
            given = facts.order(source, order) if self._has_choice(source) else range(len(before))
            wanted = facts.order(result, order) if self._has_choice(result) else range(len(after))
            return same_memory(groups, before, list(given), after, list(wanted))

        if all(stays(order) for order in Order):
            self._place_view(node, (0, 0), Placement.VIEW)
            for value in node.inputs[1:]:
                self._pin_input(value, node)
        elif self._has_choice(source) and (absorption := self._absorption(node)) is not None:
            self.placements[node] = Placement.ABSORB
            self.absorptions[node] = absorption
            for value in node.inputs[1:]:
                self._pin_input(value, node)
        else:
            self._fix(node, "it merges or splits channels together with other axes")

    def _absorption(self, node: ir.Node) -> Absorption | None:
        facts, source = self.facts, node.inputs[0]
        assert source is not None
        found = find_absorption(node, facts)
        if found is None or self._has_choice(node.outputs[0]):
            return None
        # In either order, the merged axes must lie together where the merged axis is.
        places = {a: g.after for g in facts.groups[node] for a in g.before}
        dims = facts.dims(source)
        for order in Order:
            follow = [places[a] for a in facts.order(source, order) if dims[a] != 1]
            if follow != sorted(follow):
                return None
        return found

    def _place_view(self, node: ir.Node, costs: Sequence[int], otherwise: Placement) -> None:
        """Place a node that is a view where both costs are 0, else a movement of data."""
        source, result = node.inputs[0], node.outputs[0]
        assert source is not None
        choice, target = self._has_choice(source), self._has_choice(result)
        if not any(costs):
            self.placements[node] = Placement.VIEW
            if choice and target:
                self.memories[result] = self.memories[source]
            elif target:
                self.memories[result] = Memory(result, None, self._copied_bytes(result))
            return
        self.placements[node] = otherwise
        if choice and target:
            # It takes its operand in any order and gives its result in any order, at one price.
            self.problem.constant += max(costs)
            self.variables[node] = self.problem.variable()
            self._produce(result, self.variables[node])
        elif choice or target:
            variable = self.variables[node] = self.problem.variable()
            self.problem.unary[variable] = (costs[0], costs[1])
            if choice:
                self._consume(source, variable, node)
            else:
                self._produce(result, variable)
        else:
            self.problem.constant += max(costs)

    def _fix(self, node: ir.Node, reason: str) -> None:
        self.placements[node] = Placement.FIXED
        self.reasons[node] = reason
        source = node.inputs[0] if node.op_type == "Transpose" and node.domain == "" else None
        if source is not None and source.const_value is None:
            self.problem.constant += self.facts.shapes.nbytes(source) * BYTE + 1
        for value in node.inputs:
            self._pin_input(value, node)
        for *_, value in (*self.captured(node), *self.passed_through(node)):
            self._pin_input(value, node)
        self._produce_all(node)

    def _produce_all(self, node: ir.Node) -> None:
        for value in node.outputs:
            self._produce(value, None)

    def _produce(self, value: ir.Value, variable: int | None) -> None:
        if self._has_choice(value):
            pin = PINS[self.facts.onnx_order(value)] if variable is None else variable
            self.memories[value] = Memory(value, pin, self._copied_bytes(value))

    def _consume(self, value: ir.Value, variable: int, node: ir.Node | None) -> None:
        if value in self.memories:
            self.memories[value].consumers.setdefault(variable, []).append(node)

    def _pin_input(self, value: ir.Value | None, node: ir.Node | None) -> None:
        if value is not None and value.const_value is None and self._has_choice(value):
            self._consume(value, PINS[self.facts.onnx_order(value)], node)

    def _has_choice(self, value: ir.Value) -> bool:
        return self.facts.state(value) is State.LABELLED

    def _copied_bytes(self, value: ir.Value) -> int:
        orders = [self.facts.order(value, order) for order in Order]
        free = same_up_to_units(self.facts.dims(value), *orders)
        return 0 if free else self.facts.shapes.nbytes(value)


def _own_values(graph: ir.Graph) -> set[ir.Value]:
    return {*graph.inputs, *(output for node in graph for output in node.outputs)}


def _barrier_reason(node: ir.Node) -> str:
    if rule_of(node) is not None and rule_of(node).kind is OperatorKind.RESHAPE:  # type: ignore[union-attr]
        return "its shape is known at run time only"
    return f"{node.op_type} computes in the ONNX order"
