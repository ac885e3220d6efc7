"""What cannot be converted: every such node at once, each with the reason and what to do next."""

from __future__ import annotations

from collections.abc import Iterable

import onnx
import onnx_ir as ir

from onnx_tf.adapters import converts
from onnx_tf.errors import UnsupportedError, UnsupportedNode
from onnx_tf.operator_schema import attribute_problems
from onnx_tf.passes import experimental_bodies
from onnx_tf.registry import Registry
from onnx_tf.schema import schema_of

__all__ = ["refuse_unsupported", "unsupported_nodes"]


def refuse_unsupported(graph: ir.Graph, handlers: Registry) -> None:
    """Refuse a graph that has nodes which cannot be bound to handlers.

    Raises:
        UnsupportedError: some nodes have no handler, or attributes that their operator does not
            know; it lists all of them.
    """
    problems = unsupported_nodes(graph, handlers)
    if problems:
        raise UnsupportedError(problems)


def unsupported_nodes(graph: ir.Graph, handlers: Registry) -> list[UnsupportedNode]:
    """Return every node of the graph and its subgraphs that :func:`refuse_unsupported` would refuse."""
    return [
        UnsupportedNode(str(node.name), node.op_type, node.domain, node.version, reason)
        for node in graph.all_nodes()
        for reason in _refusals(node, handlers)
    ]


def _refusals(node: ir.Node, handlers: Registry) -> Iterable[str]:
    if node.version is None:
        yield f"the model imports no opset for domain {node.domain!r}; add it to the model's opset_import"
        return
    handler = handlers.find(node.domain, node.op_type, node.version)
    schema = schema_of(node)
    if handler is None:
        yield _missing(node, handlers, schema)
        return
    yield from attribute_problems(handler, schema, node.attributes)


def _missing(node: ir.Node, handlers: Registry, schema: onnx.defs.OpSchema | None) -> str:
    if handlers.advice:
        return handlers.advice
    hook = f"add a handler with @onnx_op({node.op_type!r}, domain={node.domain!r})"
    why = experimental_bodies.refusal(node)
    if why is not None:
        return f"{why}; correct the node, or {hook}"
    versions = handlers.versions(node.domain, node.op_type)
    if versions:
        step = "export the model again with that opset"
        if converts(node, versions[0]):
            step = "convert the model with onnx.version_converter"
        return f"supported from opset {versions[0]} on; {step}, or {hook}"
    if schema is not None:
        return f"the operator is not supported yet; {hook}"
    if node.domain in ("", "ai.onnx.ml"):
        return f"no operator of this name exists at this opset; check the model with onnx.checker, or {hook}"
    return f"a custom operator; {hook} (see doc/adding_an_op.md)"
