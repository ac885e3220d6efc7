"""Where to cut a model into parts of limited weights, such that little goes from part to part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from onnx_tf.edits.kinds import infer_types
from onnx_tf.errors import EditError, option
from onnx_tf.model.loading import used_by
from onnx_tf.telling import size

__all__ = ["Part", "parts_of"]

OPEN_DIM = 8
"""What counts as the size of an open dimension where cuts are compared."""

_RANDOM = ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")


@dataclass(frozen=True)
class Part:
    """A part of a model between named values.

    Attributes:
        input_names: what it takes: inputs of the model, and what earlier parts give.
        output_names: what it gives: to later parts, and outputs of the model.
    """

    input_names: tuple[str, ...]
    output_names: tuple[str, ...]


def parts_of(model: ir.Model, max_bytes: int) -> list[Part]:
    """Return parts with weights of up to so many bytes each, in the order in which they are computed.

    Each is as large as it may be, or up to half as large where fewer bytes go on to later parts.

    Args:
        model: the model, which gets types and shapes.
        max_bytes: how many bytes the initializers that a part reads may have.

    Raises:
        EditError: one node alone has more, or what would have to go from part to part is no tensor of known rank.
    """
    infer_types(model)
    return _Flow(model).parts(max_bytes)


class _Flow:
    """The nodes of the main graph that outputs need, and what flows between them."""

    def __init__(self, model: ir.Model) -> None:
        graph = model.graph
        self.inputs = [value for value in graph.inputs if not value.is_initializer()]
        self.outputs = list(graph.outputs)
        self.nodes = _needed(graph)
        self.reads = [list(dict.fromkeys(used_by(node))) for node in self.nodes]
        computed = set(self.inputs)
        self.place: dict[ir.Value, int] = {}
        for index, node in enumerate(self.nodes):
            if node.op_type in _RANDOM or not computed.isdisjoint(self.reads[index]):
                computed.update(node.outputs)
                self.place |= dict.fromkeys(node.outputs, index)
        self.last = {value: i for i, reads in enumerate(self.reads) for value in reads if value in self.place}

    def parts(self, max_bytes: int) -> list[Part]:
        """Return the parts."""
        parts: list[Part] = []
        begin = 0
        while begin < len(self.nodes) or not parts:
            end = self._end(begin, max_bytes)
            parts.append(self._part(begin, end))
            begin = end
        return [part for part in parts if part.output_names]

    def _end(self, begin: int, max_bytes: int) -> int:
        """Return the node before which a part ends that begins at another one."""
        sizes, own = [], dict[ir.Value, int]()
        for index in range(begin, len(self.nodes)):
            own |= {value: value.const_value.nbytes for value in self.reads[index] if value.const_value is not None}
            if sum(own.values()) > max_bytes:
                break
            sizes.append(sum(own.values()))
        else:
            return len(self.nodes)
        ends = {begin + 1 + i: held for i, held in enumerate(sizes)}
        costs = {end: cost for end in ends if (cost := self._cost(end)) is not None}
        if not costs:
            node = self.nodes[begin]
            raise EditError(
                f"{option('split_size')}: node {node.name!r} ({node.op_type}) and what cannot be cut off it have more "
                f"weights than {size(max_bytes)}: state a larger size"
            )
        large = {end: cost for end, cost in costs.items() if ends[end] >= max_bytes / 2} or costs
        return min(large, key=lambda end: (large[end], -end))

    def _cost(self, end: int) -> int | None:
        """Return how many bytes go on where a part ends, ``None`` where that cannot be cut."""
        total = 0
        for value in self._crossing(end):
            if not isinstance(value.type, ir.TensorType) or value.shape is None:
                return None
            bits = value.type.dtype.bitwidth if value.type.dtype is not ir.DataType.STRING else 64
            for dim in value.shape:
                bits *= dim if isinstance(dim, int) else OPEN_DIM
            total += bits // 8
        return total

    def _crossing(self, end: int) -> list[ir.Value]:
        return [value for value, last in self.last.items() if self.place[value] < end <= last]

    def _part(self, begin: int, end: int) -> Part:
        reads = dict.fromkeys(value for index in range(begin, end) for value in self.reads[index])
        given = [value for value in self.inputs if value in reads]
        given += [value for value in reads if self.place.get(value, begin) < begin]
        is_last = end == len(self.nodes)
        through = [v for v in self.outputs if v not in self.place] if is_last else []
        own = [value for value, place in self.place.items() if begin <= place < end]
        wanted = [value for value in own if self.last.get(value, -1) >= end or value in self.outputs]
        given += [value for value in through if value in self.inputs and value not in given]
        return Part(_names(given), _names([*wanted, *through]))


def _needed(graph: ir.Graph) -> list[ir.Node]:
    """Return the nodes that outputs need, in their order."""
    needed: set[ir.Value] = set(graph.outputs)
    found = []
    for node in reversed(list(graph)):
        if not needed.isdisjoint(node.outputs):
            found.append(node)
            needed.update(used_by(node))
    return found[::-1]


def _names(values: Sequence[ir.Value]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(value.name) for value in values))
