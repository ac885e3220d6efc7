"""Inference that tells sequences and optionals from tensors, which onnx_ir's does not, and asks the schemas too."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
import onnx_ir as ir

from onnx_tf.model.loading import bodies
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
            if output.type is None:
                output.type = _schema_type(node, index)
            elif node.domain == "":
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


def _schema_type(node: ir.Node, index: int) -> ir.TypeProtocol | None:
    """Return the type that the operator's schema gives an output: a fixed one, or that of an input."""
    schema = _schema(node)
    formal = _formal(schema.outputs, index) if schema is not None else None
    if schema is None or formal is None:
        return None
    for position, value in enumerate(node.inputs):
        source = _formal(schema.inputs, position)
        if value is not None and value.type is not None and source is not None and source.type_str == formal.type_str:
            return value.type
    names = [kind.removeprefix("tensor(").removesuffix(")").upper() for kind in formal.types]
    return ir.TensorType(ir.DataType[names[0]]) if len(names) == 1 and names[0] in ir.DataType.__members__ else None


def _gives_sequence(node: ir.Node, index: int) -> bool:
    schema = _schema(node)
    formal = _formal(schema.outputs, index) if schema is not None else None
    return formal is not None and all(kind.startswith("seq(") for kind in formal.types)


def _schema(node: ir.Node) -> onnx.defs.OpSchema | None:
    try:
        return onnx.defs.get_schema(node.op_type, node.version or 1, node.domain)
    except onnx.defs.SchemaError:
        return None


def _formal(
    parameters: Sequence[onnx.defs.OpSchema.FormalParameter], index: int
) -> onnx.defs.OpSchema.FormalParameter | None:
    """Return the parameter of a schema at a position, of which the last may stand for many."""
    return parameters[min(index, len(parameters) - 1)] if parameters else None
