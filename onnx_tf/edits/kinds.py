"""Inference that tells sequences and optionals from tensors: onnx_ir's takes all of them for tensors."""

from __future__ import annotations

import onnx
import onnx_ir as ir

from onnx_tf.loading import bodies
from onnx_tf.passes.infer_shapes import infer_shapes

__all__ = ["infer_types"]


def infer_types(model: ir.Model) -> None:
    """Infer types and shapes of all values; see :func:`onnx_tf.passes.infer_shapes.infer_shapes`."""
    infer_shapes(model)
    _tell_kinds(model.graph)


def _tell_kinds(graph: ir.Graph) -> None:
    for node in graph:
        for body in bodies(node):
            _tell_kinds(body)
        for index, output in enumerate(node.outputs):
            if node.domain == "" and output.type is not None:
                output.type = _type(node, index, output.type)


def _type(node: ir.Node, index: int, inferred: ir.TypeProtocol) -> ir.TypeProtocol:
    if not isinstance(inferred, ir.TensorType):
        return inferred
    source = _same_type(node, index)
    if source is not None:
        return source.type or inferred
    first = node.inputs[0].type if node.inputs and node.inputs[0] is not None else None
    if node.op_type == "Optional":
        return ir.OptionalType(first or inferred)
    if node.op_type == "OptionalGetElement":
        return first.elem_type if isinstance(first, ir.OptionalType) else first or inferred
    return ir.SequenceType(inferred) if _gives_sequence(node, index) else inferred


def _same_type(node: ir.Node, index: int) -> ir.Value | None:
    """Return the value whose type the output of a node has, where it is that of another value."""
    if node.op_type == "Identity":
        return node.inputs[0]
    if node.op_type == "If" and (branch := node.attributes.get("then_branch")) is not None:
        return branch.as_graph().outputs[index]
    if node.op_type == "Loop" and index < len(node.inputs) - 2:
        return node.inputs[index + 2]
    return None


def _gives_sequence(node: ir.Node, index: int) -> bool:
    try:
        formal = onnx.defs.get_schema(node.op_type, node.version or 1, "").outputs
    except onnx.defs.SchemaError:
        return False
    return bool(formal) and all(kind.startswith("seq(") for kind in formal[min(index, len(formal) - 1)].types)
