"""Whether values are tensors, sequences or optionals: onnx_ir's inference calls them all tensors."""

from __future__ import annotations

import onnx
import onnx_ir as ir

__all__ = ["inferred_type"]


def inferred_type(value: ir.Value) -> ir.TypeProtocol | None:
    """Return the type of a value after inference; None where nothing is inferred."""
    node = value.producer()
    if node is None or node.domain != "" or isinstance(value.type, (ir.SequenceType, ir.OptionalType)):
        return value.type
    source = _same_type(node, value.index() or 0)
    if source is not None:
        return inferred_type(source)
    if node.op_type == "Optional":
        element = inferred_type(node.inputs[0]) if node.inputs and node.inputs[0] is not None else None
        return None if element is None else ir.OptionalType(element)
    if node.op_type == "OptionalGetElement" and node.inputs[0] is not None:
        kind = inferred_type(node.inputs[0])
        return kind.elem_type if isinstance(kind, ir.OptionalType) else kind
    if value.type is not None and _gives_sequence(node, value.index() or 0):
        return ir.SequenceType(value.type)
    return value.type


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
