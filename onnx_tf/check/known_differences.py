"""Where ONNX Runtime departs from ONNX's text or its reference implementation, and onnx_tf does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx_ir as ir

from onnx_tf.check.upstream import upstream

__all__ = ["KNOWN_DIFFERENCES", "KnownDifference", "explanations", "markdown"]


@dataclass(frozen=True)
class KnownDifference:
    """A kind of node on which ONNX Runtime goes its own way.

    Attributes:
        op_type: the operator, of the domain ai.onnx.
        condition: which of its nodes, in words.
        holds: which of its nodes.
        sentence: what ONNX Runtime does, and what the standard says.
    """

    op_type: str
    condition: str
    holds: Callable[[ir.Node], bool]
    sentence: str


def _has_output(node: ir.Node, index: int) -> bool:
    return len(node.outputs) > index and bool(node.outputs[index].name)


def _attribute(node: ir.Node, name: str) -> int:
    return node.attributes.get_int(name, 0)


def _trains_with_fewer_outputs(node: ir.Node) -> bool:
    return _attribute(node, "training_mode") == 1 and not all(_has_output(node, index) for index in range(3))


def _is_inverse_onesided_of_a_length(node: ir.Node) -> bool:
    has_length = len(node.inputs) > 1 and node.inputs[1] is not None
    return has_length and _attribute(node, "inverse") == 1 and _attribute(node, "onesided") == 1


def _shows_masked_scores(node: ir.Node) -> bool:
    return _attribute(node, "qk_matmul_output_mode") == 2 and _has_output(node, 3)


KNOWN_DIFFERENCES = (
    KnownDifference(
        "Attention",
        "`qk_matmul_output_mode = 2` with bool masks or `is_causal`",
        _shows_masked_scores,
        "`qk_matmul_output` shows the lowest number of the dtype for scores that are masked, the reference -inf",
    ),
    KnownDifference(
        "BatchNormalization",
        "`training_mode = 1` without the running mean and variance as outputs",
        _trains_with_fewer_outputs,
        "ONNX Runtime takes it with all three outputs only; the schema makes two of them optional",
    ),
    KnownDifference(
        "DFT",
        "`inverse = 1` and `onesided = 1` with a `dft_length`",
        _is_inverse_onesided_of_a_length,
        "for most lengths but 2 (n - 1) of n given bins, other numbers than the reference's, which are numpy's `irfft`",
    ),
    KnownDifference(
        "Unique",
        "of floats with NaN",
        lambda node: node.inputs[0] is None or node.inputs[0].dtype is None or node.inputs[0].dtype.is_floating_point(),
        "NaN counts as equal to the numbers around it; in the reference it is one value of its own, the last",
    ),
)


def explanations(model: ir.Model, output: str | None = None) -> list[str]:
    """Return what is known of the nodes that an output is computed from, a sentence for each.

    Args:
        model: the model.
        output: the output's name; by default all nodes of the model count.
    """
    found = []
    for node in model.graph.all_nodes() if output is None else upstream(model.graph, output):
        for known in KNOWN_DIFFERENCES:
            if node.domain == "" and node.op_type == known.op_type and known.holds(node):
                condition = known.condition.replace("`", "")
                sentence = known.sentence.replace("`", "")
                found.append(f"node {node.name!r} ({node.op_type}, {condition}): {sentence}")
    return found


def markdown() -> str:
    """Return the table of ``doc/accuracy.md``."""
    rows = [f"| {known.op_type} | {known.condition} | {known.sentence} |\n" for known in KNOWN_DIFFERENCES]
    return "| operator | which nodes | ONNX Runtime |\n|---|---|---|\n" + "".join(rows)
