"""What the passes over all graphs leave behind, and the report that it gives with the rewritten model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import onnx_ir as ir

from onnx_tf.layout.report import LayoutReport, NodeLayout, RemainingTranspose, ValueLayout
from onnx_tf.registry import CHANNELS_LAST_DOMAIN
from onnx_tf.schema import ints_attribute

__all__ = ["Movement", "ReportBuilder"]


@dataclass(frozen=True)
class Movement:
    """Why a Transpose is there; see :class:`RemainingTranspose`."""

    value: str
    nbytes: int
    forced_by: str
    reason: str


@dataclass
class ReportBuilder:
    """What the passes over all graphs of a model leave behind for the report.

    Attributes:
        movements: by the result of a Transpose, why it is there.
        channels_last: the values that lie channels-last.
        values: the choices, in terms of the model.
    """

    movements: dict[ir.Value, Movement] = field(default_factory=dict)
    channels_last: set[ir.Value] = field(default_factory=set)
    values: list[ValueLayout] = field(default_factory=list)

    def fill(self, model: ir.Model, report: LayoutReport) -> None:
        """Fill a report in with the nodes of the model as they are now."""
        report.values = self.values
        for where, graph in _graphs(model.graph, ""):
            report.nodes += [self._end("input", value, where) for value in graph.inputs]
            for node in graph:
                report.nodes.append(self._node(node, where))
                if node.domain == CHANNELS_LAST_DOMAIN:
                    report.channels_last_nodes.append(str(node.name))
                if node.op_type == "Transpose" and node.outputs[0] in self.movements and any(_at_run_time(node)):
                    report.transposes.append(self._transpose(node))
            report.nodes += [self._end("output", value, where) for value in dict.fromkeys(graph.outputs)]
        report.bytes_moved = sum(transpose.nbytes for transpose in report.transposes)

    def _transpose(self, node: ir.Node) -> RemainingTranspose:
        movement = self.movements[node.outputs[0]]
        perm = ints_attribute(node, "perm") or ()
        value, nbytes = movement.value, movement.nbytes
        return RemainingTranspose(str(node.name), value, perm, nbytes, movement.forced_by, movement.reason)

    def _node(self, node: ir.Node, where: str) -> NodeLayout:
        read = dict.fromkeys([*_at_run_time(node), *(v for n in _inner_nodes(node) for v in _at_run_time(n))])
        inner = {o for n in _inner_nodes(node) for o in n.outputs}
        inner |= {v for _, graph in _bodies(node) for v in graph.inputs}
        values = [value for value in read if value not in inner]
        touched = {*values, *node.outputs} & self.channels_last
        order = "channels-last" if touched or node.domain == CHANNELS_LAST_DOMAIN else ""
        inputs, outputs = ([str(v.name) for v in vs] for vs in (values, node.outputs))
        return NodeLayout(str(node.name), node.op_type, order, tuple(inputs), tuple(outputs), where)

    def _end(self, kind: str, value: ir.Value, where: str) -> NodeLayout:
        names, order = (str(value.name),), "channels-last" if value in self.channels_last else ""
        inputs, outputs = ((), names) if kind == "input" else (names, ())
        return NodeLayout(names[0], kind, order, inputs, outputs, where)


def _at_run_time(node: ir.Node) -> Iterator[ir.Value]:
    return (value for value in node.inputs if value is not None and value.const_value is None)


def _bodies(node: ir.Node) -> Iterator[tuple[str, ir.Graph]]:
    for attribute in node.attributes.values():
        if attribute.type is ir.AttributeType.GRAPH:
            yield f"{node.name}.{attribute.name}", attribute.as_graph()


def _inner_nodes(node: ir.Node) -> Iterator[ir.Node]:
    return (inner for _, graph in _bodies(node) for inner in graph.all_nodes())


def _graphs(graph: ir.Graph, where: str) -> Iterator[tuple[str, ir.Graph]]:
    yield where, graph
    for node in graph:
        for name, body in _bodies(node):
            yield from _graphs(body, name)
