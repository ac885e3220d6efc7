"""Attributes of nodes as the schemas have them."""

from __future__ import annotations

import onnx
import onnx_ir as ir


def float_attribute(node: ir.Node, name: str) -> float:
    """Return a float attribute of an operator of ai.onnx, its schema's default where the node states none."""
    schema = onnx.defs.get_schema(node.op_type, node.version or 1, node.domain)
    return node.attributes.get_float(name, schema.attributes[name].default_value.f)
