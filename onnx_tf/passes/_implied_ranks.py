"""Ranks that inference does not find, told by what operators take and give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import onnx_ir as ir

from onnx_tf.passes._inference_of_nodes import Dims, NodeForm
from onnx_tf.schema import ints_attribute

__all__ = ["inferred_outputs", "state_implied_ranks"]

MAX_RANK = 8
"""The highest rank that is tried."""


def state_implied_ranks(graph: ir.Graph) -> bool:
    """State ranks of computed values that a node of the graph leaves no choice of; return whether there were any.

    A Transpose takes one rank, a convolution that of its weights, a Concat that of its other
    operands: the schema's inference fails for all others. A Flatten gives two axes whatever it takes.
    """
    stated = False
    waiting = [(node, NodeForm(node)) for node in graph if _is_waiting(node)]
    while any([_state(*each) for each in (*waiting, *reversed(waiting))]):  # noqa: C419  (all nodes each time)
        stated = True
        waiting = [(node, form) for node, form in waiting if _is_waiting(node)]
    return stated


def _is_waiting(node: ir.Node) -> bool:
    """Tell whether ranks of a standard operator on tensors are missing, of its inputs one at most."""
    has_body = any(attribute.type is ir.AttributeType.GRAPH for attribute in node.attributes.values())
    is_typed = all(value is None or isinstance(value.type, ir.TensorType) for value in node.inputs)
    if node.domain != "" or has_body or not is_typed or len(_unknown(node.inputs)) > 1 or _misleads(node):
        return False
    return bool(_unknown(node.inputs) or _unknown(node.outputs))


def _misleads(node: ir.Node) -> bool:
    # Inference of a Resize takes sizes of unknown length for none: it fails for all ranks but 0.
    sizes = node.inputs[3] if node.op_type == "Resize" and len(node.inputs) > 3 else None
    dims = _dims(sizes) if sizes is not None else [0]
    return dims is None or len(dims) != 1 or not isinstance(dims[0], int)


def _unknown(values: Iterable[ir.Value | None]) -> set[ir.Value]:
    return {value for value in values if value is not None and _is_unknown(value)}


def _is_unknown(value: ir.Value) -> bool:
    return value.shape is None and value.const_value is None and isinstance(value.type, ir.TensorType)


def _state(node: ir.Node, form: NodeForm) -> bool:
    unknown = _unknown(node.inputs)
    if len(unknown) > 1:
        return False
    operand = unknown.pop() if unknown else None
    given = {i: output.shape.rank() for i, output in enumerate(node.outputs) if output.shape is not None}
    found = {
        rank: results
        for rank, results in _results_by_rank(node, form, operand)
        if all(results.get(i, known) == known for i, known in given.items())
    }
    stated = False
    if operand is not None and len(found) == 1 and operand.producer() is not None and operand.graph is node.graph:
        operand.shape = ir.Shape([None] * next(iter(found)))
        stated = True
    for index, output in enumerate(node.outputs):
        ranks = {results.get(index) for results in found.values()}
        rank = ranks.pop() if len(ranks) == 1 else None
        if rank is not None and _is_unknown(output):
            output.shape = ir.Shape([None] * rank)
            stated = True
    return stated


def inferred_outputs(node: ir.Node) -> list[tuple[ir.Value, Dims]]:
    """Return what inference tells of the shapes of a standard operator's outputs, from those that its inputs state."""
    found = NodeForm(node).outputs([None if value is None else _dims(value) for value in node.inputs]) or {}
    return [(output, found[index]) for index, output in enumerate(node.outputs) if index in found]


def _results_by_rank(
    node: ir.Node, form: NodeForm, operand: ir.Value | None
) -> Iterator[tuple[int, Mapping[int, int]]]:
    """Return, for every rank that the operand of a node can have, the ranks of its results as far as they are known."""
    dims = [None if value is None else _dims(value) for value in node.inputs]
    for rank in _ranks_of(node) if operand is not None else (0,):
        tried = [(None,) * rank if value is operand else d for value, d in zip(node.inputs, dims, strict=True)]
        found = form.outputs(dims if operand is None else tried)
        if found is not None:
            yield rank, {index: len(shape) for index, shape in found.items()}


def _ranks_of(node: ir.Node) -> Iterable[int]:
    # Inference of Transpose takes a perm that is too short.
    perm = ints_attribute(node, "perm") if node.op_type == "Transpose" else None
    return range(MAX_RANK + 1) if perm is None else (len(perm),)


def _dims(value: ir.Value) -> Dims | None:
    shape = value.const_value.shape if value.const_value is not None else value.shape
    return None if shape is None else tuple(d if isinstance(d, int) else d.value for d in shape)
