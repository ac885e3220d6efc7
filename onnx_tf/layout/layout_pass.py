"""``optimize_layout``: the pass from end to end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from onnx_tf.layout.channels_last_io import move_inputs, move_outputs
from onnx_tf.layout.compose import compose_transposes
from onnx_tf.layout.constraints import BYTE, Constraints
from onnx_tf.layout.editing import Editor
from onnx_tf.layout.explain import Explanation
from onnx_tf.layout.facts import Facts, Order, State
from onnx_tf.layout.network import Problem, solve
from onnx_tf.layout.report import LayoutReport
from onnx_tf.layout.report_builder import ReportBuilder
from onnx_tf.layout.rewrite import Rewriter
from onnx_tf.origins import unique_names
from onnx_tf.registry import CHANNELS_LAST_DOMAIN

__all__ = ["Choice", "optimize_layout"]

NamesOrAll = Sequence[str] | Literal["all"]
Choice = Callable[[Problem], tuple[list[int], int]]


def optimize_layout(
    model: ir.Model,
    *,
    channels_last_inputs: NamesOrAll = (),
    channels_last_outputs: NamesOrAll = (),
    exists_channels_last: Callable[[str, int], bool] | None = lambda *_: True,
    choose: Choice = solve,
) -> LayoutReport:
    """Rewrite a model so that the fewest bytes are transposed, and say what was done.

    Args:
        model: a model from :func:`onnx_tf.passes.simplify`; it is changed in place.
        channels_last_inputs: names of graph inputs that are to be N, spatial..., C, or ``"all"``.
        channels_last_outputs: likewise of graph outputs.
        exists_channels_last: whether (operator, opset version) can be computed channels-last; others
            stay in the ONNX order. ``None`` leaves everything as it is but the signature.
        choose: returns the labels of a problem and what they cost; any labels give the same numbers.

    Raises:
        EditError: some names are no inputs or outputs, or have no channel axis.
    """
    report, builder = LayoutReport(), ReportBuilder()
    version = model.opset_imports.setdefault("", 1)
    exists = exists_channels_last

    def moves(node: ir.Node) -> bool:
        return exists is not None and exists(node.op_type, node.version or version)

    if channels_last_inputs or channels_last_outputs:
        are_last = _already_channels_last(model.graph)
        report.channels_last_inputs = move_inputs(model.graph, channels_last_inputs, are_last)
        report.channels_last_outputs = move_outputs(model.graph, channels_last_outputs, are_last)
    if exists is not None:
        model.opset_imports[CHANNELS_LAST_DOMAIN] = version
        for graph in _outer_graphs_first(model.graph):
            _optimize_graph(Constraints(Facts(graph, moves)), choose, Editor(graph, version), report, builder)
        RemoveUnusedNodesPass()(model)
        for graph in model.graphs():
            compose_transposes(graph, Editor(graph, version), builder)
    unique_names(model)
    builder.fill(model, report)
    return report


def _optimize_graph(
    constraints: Constraints, choose: Choice, editor: Editor, report: LayoutReport, builder: ReportBuilder
) -> None:
    labels, value = choose(constraints.problem)
    facts = constraints.facts
    report.transposes_before += sum(_transposes(node, facts) for node in facts.graph)
    rewriter = Rewriter(constraints, labels, editor)
    explanation = Explanation(constraints, labels)
    rewriter.apply()
    report.cut_bytes += value // BYTE
    explanation.add_to(builder, rewriter)


def _transposes(node: ir.Node, facts: Facts) -> int:
    """Return how many Transposes a node is if every operator is computed on its own."""
    if node in facts.rules and facts.rules[node].moves:
        return 2
    return int(node.op_type == "Transpose" and (node.inputs[0] is None or node.inputs[0].const_value is None))


def _already_channels_last(graph: ir.Graph) -> set[ir.Value]:
    facts = Facts(graph, lambda _: True)
    ends = (v for v in (*graph.inputs, *graph.outputs) if facts.state(v) is State.LABELLED)
    return {v for v in ends if facts.order(v, Order.LAST) == tuple(range(len(facts.dims(v))))}


def _outer_graphs_first(graph: ir.Graph) -> Iterable[ir.Graph]:
    yield graph
    for node in list(graph):
        for attribute in node.attributes.values():
            if attribute.type is ir.AttributeType.GRAPH:
                yield from _outer_graphs_first(attribute.as_graph())
