"""The report of the layout pass: what lies where, what is still moved, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from onnx_tf.telling import size

__all__ = ["LayoutReport", "NodeLayout", "RemainingTranspose", "ValueLayout"]


@dataclass(frozen=True)
class RemainingTranspose:
    """A Transpose of run-time data that the rewritten graph still has.

    Attributes:
        node: its name.
        value: the ONNX name of the value that it moves.
        perm: its permutation.
        nbytes: the bytes that it moves (unknown dimensions are guessed, the batch as 1).
        forced_by: the node, graph input or graph output that needs the order that it gives.
        reason: why.
    """

    node: str
    value: str
    perm: tuple[int, ...]
    nbytes: int
    forced_by: str
    reason: str


@dataclass(frozen=True)
class ValueLayout:
    """How a value with a channel axis lies in memory.

    Attributes:
        name: its ONNX name.
        roles: the role of each axis in ONNX order, as in ``NCSS``.
        order: ``"channels-first"`` or ``"channels-last"``.
        axes: the ONNX axes as they follow in memory.
        copied_bytes: the size of its copy in the other order, 0 if there is none.
    """

    name: str
    roles: str
    order: str
    axes: tuple[int, ...]
    copied_bytes: int


@dataclass(frozen=True)
class NodeLayout:
    """A node of the rewritten graph.

    Attributes:
        name: its name; a graph input or output is a node of the type ``input`` or ``output``.
        op_type: its operator.
        order: ``"channels-last"`` if what it computes lies so, else ``""``.
        inputs: the run-time values that it reads, those its bodies read included.
        outputs: the values that it computes.
        graph: the node whose body it is in, with the attribute's name, or ``""``.
    """

    name: str
    op_type: str
    order: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    graph: str = ""


@dataclass
class LayoutReport:
    """What the layout pass did.

    Attributes:
        values: the order of every value that has a choice, in graph order.
        transposes: the Transposes that are left.
        transposes_before: the Transposes of the model, and two for each operator that is computed
            channels-last but was written channels-first.
        channels_last_nodes: the names of the nodes that now compute channels-last.
        nodes: the rewritten graph, with its inputs and outputs.
        bytes_moved: what the Transposes that are left move.
        cut_bytes: the value of the minimum cut in bytes: no choice of orders moves less.
        channels_last_inputs: graph inputs whose signature is N, spatial..., C now.
        channels_last_outputs: graph outputs whose signature is N, spatial..., C now.
    """

    values: list[ValueLayout] = field(default_factory=list)
    transposes: list[RemainingTranspose] = field(default_factory=list)
    transposes_before: int = 0
    channels_last_nodes: list[str] = field(default_factory=list)
    nodes: list[NodeLayout] = field(default_factory=list)
    bytes_moved: int = 0
    cut_bytes: int = 0
    channels_last_inputs: tuple[str, ...] = ()
    channels_last_outputs: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def totals(self) -> str:
        """Return what is left to move in one line."""
        count, last = len(self.transposes), len(self.channels_last_nodes)
        left = "1 Transpose is" if count == 1 else f"{count or 'no'} Transposes are"
        moving = f", which {'moves' if count == 1 else 'move'} {size(self.bytes_moved)} in each run" if count else ""
        nodes = "1 node computes" if last == 1 else f"{last or 'no'} nodes compute"
        return f"{left} left of {self.transposes_before}{moving}; {nodes} channels-last"

    def _lines(self) -> Iterator[str]:
        yield self.totals()
        for kind, names in (("inputs", self.channels_last_inputs), ("outputs", self.channels_last_outputs)):
            if names:
                yield f"channels-last {kind}: {', '.join(names)}"
        if self.transposes:
            rows = [("value", "perm", "bytes", "needed by", "because")]
            rows += [
                (t.value, " ".join(map(str, t.perm)), size(t.nbytes), t.forced_by, t.reason) for t in self.transposes
            ]
            widths = [max(len(row[i]) for row in rows) for i in range(4)]
            for row in rows:
                yield "  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[4]]).rstrip()
