"""The ONNX schemas of nodes: the source of attribute names, defaults and function bodies."""

from __future__ import annotations

import onnx
import onnx_ir as ir

from onnx_tf.registry import INTERNAL_DOMAINS

__all__ = ["schema_of"]


def schema_of(node: ir.Node) -> onnx.defs.OpSchema | None:
    """Return the schema of a node at its opset version; nodes of internal domains have that of ai.onnx."""
    domain = "" if node.domain in INTERNAL_DOMAINS else node.domain
    try:
        return onnx.defs.get_schema(node.op_type, node.version or 1, domain)
    except onnx.defs.SchemaError:
        return None
