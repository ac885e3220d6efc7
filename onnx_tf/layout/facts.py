"""Facts: the role of every axis, found by following axes through operators from where it is known.

Convolutions, pools and their like say what axis 0, axis 1 and the others are. Elementwise
operators, concatenations, transposes, transparent reshapes carry that on, in both directions. A
role that reaches an axis second and differs leaves the first one in place: the operator between
becomes a barrier. Roles name two memory orders per value, nothing else, so that any assignment
gives a right result; a bad one costs bytes.
"""

from __future__ import annotations

import enum
import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from onnx_tf.layout.equal_dims import equate_dims
from onnx_tf.layout.frames import Frame
from onnx_tf.layout.rules import OperatorKind, Rule, rule_of
from onnx_tf.layout.shapes import Dim, Group, Shapes, constant, reshape_groups, stated_shape
from onnx_tf.schema import ints_attribute, optional_int_attribute

__all__ = ["Facts", "Order", "Role", "State", "same_up_to_units"]


class Role(enum.Enum):
    """What an axis is."""

    BATCH = "N"
    CHANNEL = "C"
    SPATIAL = "S"


class Order(enum.IntEnum):
    """A memory order: of the axes of a value, those of each role keep their ONNX order."""

    FIRST = 0
    LAST = 1


class State(enum.Enum):
    """Whether a value has memory orders to choose from."""

    LABELLED = "labelled"
    NEUTRAL = "neutral"
    OPAQUE = "opaque"


_RANKING = {
    Order.FIRST: {Role.BATCH: 0, Role.CHANNEL: 1, Role.SPATIAL: 2},
    Order.LAST: {Role.BATCH: 0, Role.SPATIAL: 1, Role.CHANNEL: 2},
}


def same_up_to_units(dims: Sequence[Dim], one: Sequence[int], other: Sequence[int]) -> bool:
    """Tell whether two orders of a value differ by axes of size 1 alone."""
    return [a for a in one if dims[a] != 1] == [a for a in other if dims[a] != 1]


@dataclass(frozen=True)
class Tie:
    """Axes of several values that have the same role."""

    ports: tuple[tuple[ir.Value, int], ...]
    weight: int


class Facts:
    """What is known of a graph's values and nodes before anything is chosen."""

    def __init__(self, graph: ir.Graph, moves: Callable[[ir.Node], bool]) -> None:
        """Find the facts.

        Args:
            graph: the graph; its subgraphs have facts of their own.
            moves: whether a node's operator exists channels-last.
        """
        self.graph = graph
        self.shapes = Shapes(graph)
        self.rules: dict[ir.Node, Rule] = {}
        self.frames: dict[ir.Node, Frame] = {}
        self.groups: dict[ir.Node, list[Group]] = {}
        self._roles: dict[ir.Value, list[Role | None]] = {}
        self._orders: dict[ir.Value, tuple[State, tuple[int, ...], tuple[int, ...]]] = {}
        for node in graph:
            self._read(node, moves)
        self._spread()

    def dims(self, value: ir.Value) -> tuple[Dim, ...]:
        """Return the dimensions of a value of known rank."""
        dims = self.shapes.dims(value)
        assert dims is not None
        return dims

    def roles(self, value: ir.Value) -> tuple[Role | None, ...]:
        """Return the role of each axis, in ONNX order."""
        return tuple(self._roles.get(value) or [None] * (self.shapes.rank(value) or 0))

    def state(self, value: ir.Value) -> State:
        """Tell whether the value has memory orders to choose from."""
        return self._found(value)[0]

    def identity(self, value: ir.Value) -> tuple[int, ...]:
        """Return the axes of a value as ONNX numbers them."""
        return tuple(range(self.shapes.rank(value) or 0))

    def order(self, value: ir.Value, order: Order) -> tuple[int, ...]:
        """Return the axes of a value as they follow in memory; the ONNX order where it has no choice."""
        _, first, last = self._found(value)
        return last if order is Order.LAST else first

    def onnx_order(self, value: ir.Value) -> Order:
        """Return which memory order of a labelled value is its ONNX order, up to axes of size 1."""
        dims = self.dims(value)
        identity = tuple(range(len(dims)))
        for order in Order:
            if self.order(value, order) == identity:
                return order
        return Order.FIRST if same_up_to_units(dims, self.order(value, Order.FIRST), identity) else Order.LAST

    def frame_roles(self, node: ir.Node) -> tuple[Role | None, ...] | None:
        """Return the role of each axis of a node's frame, or ``None`` if its ports disagree."""
        frame = self.frames[node]
        found: list[Role | None] = [None] * frame.rank
        for value, axes in frame.ports(node):
            for axis, role in zip(axes, self.roles(value), strict=True):
                if found[axis] is None:
                    found[axis] = role
                elif found[axis] is not role:
                    return None
        return tuple(found)

    def _found(self, value: ir.Value) -> tuple[State, tuple[int, ...], tuple[int, ...]]:
        if value not in self._orders:
            self._orders[value] = self._classify(value)
        return self._orders[value]

    def _classify(self, value: ir.Value) -> tuple[State, tuple[int, ...], tuple[int, ...]]:
        roles = self.roles(value)
        identity = tuple(range(len(roles)))
        # Without elements there is nothing to move, and a Reshape cannot state a dimension of 0.
        if not roles or any(role is None for role in roles) or 0 in self.dims(value):
            return State.OPAQUE, identity, identity
        first, last = (sort_by_role(roles, order) for order in Order)
        if first == last:
            return State.NEUTRAL if first == identity else State.OPAQUE, identity, identity
        dims = self.dims(value)
        if any(same_up_to_units(dims, order, identity) for order in (first, last)):
            return State.LABELLED, first, last
        return State.OPAQUE, identity, identity

    def _read(self, node: ir.Node, moves: Callable[[ir.Node], bool]) -> None:
        rule = rule_of(node)
        if rule is None or (rule.moves and not moves(node)):
            return
        if rule.frame is not None:
            try:
                frame = rule.frame(node, self.shapes)
            except IndexError:  # it has fewer inputs than its operator takes, for which it is refused later
                return
            if frame is None or any(_is_text(node.inputs[i]) for i in frame.inputs):
                return
            self.frames[node] = frame
            equate_dims(node, frame, self.shapes)
        elif rule.kind is OperatorKind.RESHAPE:
            groups = self._reshape_groups(node)
            if groups is None:
                return
            self.groups[node] = groups
        elif rule.kind is OperatorKind.TRANSPOSE:
            rank = self.shapes.rank(node.inputs[0])
            if rank is None or self.shapes.rank(node.outputs[0]) != rank:
                return
        self.rules[node] = rule

    def _reshape_groups(self, node: ir.Node) -> list[Group] | None:
        source, result = node.inputs[0], node.outputs[0]
        before = self.shapes.dims(source)
        rank = self.shapes.rank(result)
        if before is None or rank is None or source is None or source.const_value is not None:
            return None
        if node.op_type in ("Squeeze", "Unsqueeze"):
            return self._unit_groups(node, before, rank)
        after = reshaped_dims(node, self.shapes)
        return None if after is None or len(after) != rank else reshape_groups(before, after)

    def _unit_groups(self, node: ir.Node, before: Sequence[Dim], rank: int) -> list[Group] | None:
        longer = max(len(before), rank)
        axes = listed_axes(node)
        if axes is None:
            if node.op_type == "Unsqueeze" or len(node.inputs) > 1 or None in before:
                return None
            if any(not isinstance(d, int) for d in before):
                return None
            axes = [i for i, d in enumerate(before) if d == 1]
        units = {a % longer for a in axes}
        if longer - len(units) != min(len(before), rank):
            return None
        groups, shorter = [], 0
        one: tuple[int, ...]
        other: tuple[int, ...]
        for axis in range(longer):
            if axis in units:
                one, other = (axis,), ()
            else:
                one, other = (axis,), (shorter,)
                shorter += 1
            groups.append(Group(one, other) if node.op_type == "Squeeze" else Group(other, one))
        return groups

    def _spread(self) -> None:
        ties = [tie for node in self.graph for tie in self._ties(node)]
        ties_of: dict[tuple[ir.Value, int], list[Tie]] = {}
        for tie in ties:
            for port in tie.ports:
                ties_of.setdefault(port, []).append(tie)
        for weak in (False, True):
            self._flood([s for node in self.graph for s in self._seeds(node, weak)], ties_of)
        for node in self.graph:
            for value in (*node.inputs, *node.outputs):
                if value is not None and value in self._roles:
                    self._flood(list(self._unnamed_axes(value)), ties_of)

    def _flood(
        self, seeds: Iterable[tuple[ir.Value, int, Role]], ties_of: dict[tuple[ir.Value, int], list[Tie]]
    ) -> None:
        heap: list[tuple[int, int, ir.Value, int, Role]] = []
        serial = 0
        for value, axis, role in seeds:
            heapq.heappush(heap, (0, serial, value, axis, role))
            serial += 1
        while heap:
            distance, _, value, axis, role = heapq.heappop(heap)
            roles = self._roles.get(value)
            if roles is None:
                roles = self._roles[value] = [None] * len(self.dims(value))
            if roles[axis] is not None:
                continue
            roles[axis] = role
            for tie in ties_of.get((value, axis), ()):
                for other, other_axis in tie.ports:
                    known = self._roles.get(other)
                    if known is None or known[other_axis] is None:
                        heapq.heappush(heap, (distance + tie.weight, serial, other, other_axis, role))
                        serial += 1

    def _seeds(self, node: ir.Node, weak: bool) -> Iterable[tuple[ir.Value, int, Role]]:
        rule = self.rules.get(node)
        if rule is None or not rule.channel_axis or rule.weak is not weak:
            return
        frame = self.frames[node]
        if weak and any(role is not None for value, _ in frame.ports(node) for role in self.roles(value)):
            return
        roles = channels_first_roles(frame.rank)
        for value, axes in frame.ports(node):
            for axis, role in enumerate(roles[a] for a in axes):
                yield value, axis, role

    def _unnamed_axes(self, value: ir.Value) -> Iterable[tuple[ir.Value, int, Role]]:
        # An axis that no operator names (frames stacked, a unit axis put in) goes with the axis before it.
        roles = self._roles[value]
        if Role.CHANNEL not in roles or Role.SPATIAL not in roles:
            return
        previous = Role.BATCH
        for axis, role in enumerate(roles):
            if role is None:
                yield value, axis, previous
            else:
                previous = role

    def _ties(self, node: ir.Node) -> Iterable[Tie]:
        rule = self.rules.get(node)
        if rule is None:
            return
        if node in self.frames:
            frame = self.frames[node]
            ports: list[list[tuple[ir.Value, int]]] = [[] for _ in range(frame.rank)]
            for value, axes in frame.ports(node):
                for position, axis in enumerate(axes):
                    ports[axis].append((value, position))
            weight = 2 * _FAR if rule.kind is OperatorKind.PRODUCT else 1
            yield from (Tie(tuple(p), weight) for p in ports if len(p) > 1)
            if frame.alike:
                yield Tie(tuple(port for axis in frame.alike for port in ports[axis]), 1)
        elif rule.kind is OperatorKind.TRANSPOSE:
            source, result = node.inputs[0], node.outputs[0]
            if source is not None and source.const_value is None:
                for axis, origin in enumerate(permutation(node, len(self.dims(result)))):
                    yield Tie(((source, origin), (result, axis)), _FAR)
        elif node in self.groups:
            yield from self._reshape_ties(node)

    def _reshape_ties(self, node: ir.Node) -> Iterable[Tie]:
        source, result = node.inputs[0], node.outputs[0]
        assert source is not None
        before, after = self.dims(source), self.dims(result)
        for group in self.groups[node]:
            pairs = [(source, a) for a in group.before] + [(result, a) for a in group.after]
            if len(group.before) == len(group.after) == 1:
                yield Tie(tuple(pairs), 1)
            elif group.before and group.after and not _mixes_more(group):
                pairs = [(v, a) for v, a in pairs if (before if v is source else after)[a] != 1]
                if len(pairs) > 1:
                    yield Tie(tuple(pairs), 1)


_FAR = 1 << 20
"""Transposes carry roles last: where two roles meet, they had better meet there, where data moves anyway.

Best of all they meet at a product, which does not mind.
"""


def _mixes_more(group: Group) -> bool:
    return len(group.before) > 1 and len(group.after) > 1


def _is_text(value: ir.Value | None) -> bool:
    return value is not None and value.const_value is not None and value.const_value.dtype is ir.DataType.STRING


def sort_by_role(roles: Sequence[Role | None], order: Order) -> tuple[int, ...]:
    """Return the axes of a memory order."""
    ranking = _RANKING[order]
    return tuple(sorted(range(len(roles)), key=lambda axis: ranking[roles[axis] or Role.SPATIAL]))


def channels_first_roles(rank: int) -> tuple[Role, ...]:
    """Return the roles of N, C, spatial...."""
    return (Role.BATCH, Role.CHANNEL, *[Role.SPATIAL] * (rank - 2))


def permutation(node: ir.Node, rank: int) -> tuple[int, ...]:
    """Return the perm of a Transpose."""
    given = ints_attribute(node, "perm")
    return tuple(range(rank))[::-1] if given is None else tuple(given)


def listed_axes(node: ir.Node) -> list[int] | None:
    """Return the constant axes of Squeeze or Unsqueeze, if they are given."""
    given = ints_attribute(node, "axes")
    if given is None and len(node.inputs) > 1:
        array = constant(node.inputs[1])
        given = None if array is None else tuple(int(a) for a in array.reshape(-1))
    return None if given is None else list(given)


def reshaped_dims(node: ir.Node, shapes: Shapes) -> list[Dim] | None:
    """Return the dimensions of the result of Reshape or Flatten, from the operator itself where possible."""
    before = shapes.dims(node.inputs[0])
    assert before is not None
    stated = shapes.dims(node.outputs[0])
    trusted = not node.outputs[0].is_graph_output()
    target: Sequence[Dim] | None = None
    if node.op_type == "Reshape":
        array = constant(node.inputs[1]) if len(node.inputs) > 1 else None
        target = ints_attribute(node, "shape") if array is None else [int(d) for d in array.reshape(-1)]
    if target is None and node.op_type == "Reshape":
        target = stated_shape(node.inputs[1], shapes)
    if target is None:
        return list(stated) if stated is not None and trusted else None
    allow_zero = optional_int_attribute(node, "allowzero")
    dims: list[Dim] = []
    for index, size in enumerate(target):
        if size == 0 and not allow_zero:
            dims.append(before[index])
        elif size is None or size == -1:
            dims.append(stated[index] if stated is not None and trusted and index < len(stated) else None)
        else:
            dims.append(size)
    return dims
