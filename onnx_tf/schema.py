"""What the ONNX schema says of a node: the attributes that its operator has, and their defaults.

Passes read attributes here, so that none of them restates a default. Nodes of the internal domains
have the schema of the ai.onnx operator of the same name.
"""

from __future__ import annotations

import functools
from typing import Any

import onnx_ir as ir

from onnx_tf.errors import ModelError
from onnx_tf.operator_schema import operator_schema

__all__ = [
    "float_attribute",
    "int_attribute",
    "ints_attribute",
    "optional_float_attribute",
    "optional_int_attribute",
    "schema_of",
    "string_attribute",
    "strings_attribute",
]


def schema_of(node: ir.Node) -> Any:  # the type that onnx states for its OpSchema lacks half of it
    """Return the ``onnx.defs.OpSchema`` that holds for a node, ``None`` where onnx knows none."""
    return operator_schema(node.domain, node.op_type, node.version or 1)


def optional_int_attribute(node: ir.Node, name: str) -> int | None:
    """Return an integer that the node states, else its default, ``None`` where the operator has neither."""
    attribute = _attribute(node, name, ir.AttributeType.INT)
    return None if attribute is None else attribute.as_int()


def int_attribute(node: ir.Node, name: str) -> int:
    """Return an integer that the node states, else its default.

    Raises:
        ModelError: there is neither.
    """
    return _present(node, name, ir.AttributeType.INT).as_int()


def float_attribute(node: ir.Node, name: str) -> float:
    """Return a number that the node states, else its default.

    Raises:
        ModelError: there is neither.
    """
    return _present(node, name, ir.AttributeType.FLOAT).as_float()


def optional_float_attribute(node: ir.Node, name: str) -> float | None:
    """Return a number that the node states, else its default, ``None`` where the operator has neither."""
    attribute = _attribute(node, name, ir.AttributeType.FLOAT)
    return None if attribute is None else attribute.as_float()


def string_attribute(node: ir.Node, name: str) -> str:
    """Return a string that the node states, else its default.

    Raises:
        ModelError: there is neither.
    """
    return _present(node, name, ir.AttributeType.STRING).as_string()


def ints_attribute(node: ir.Node, name: str) -> tuple[int, ...] | None:
    """Return integers that the node states, else their default, ``None`` where the operator has neither."""
    attribute = _attribute(node, name, ir.AttributeType.INTS)
    return None if attribute is None else tuple(attribute.as_ints())


def strings_attribute(node: ir.Node, name: str) -> tuple[str, ...] | None:
    """Return strings that the node states, else their default, ``None`` where the operator has neither."""
    attribute = _attribute(node, name, ir.AttributeType.STRINGS)
    return None if attribute is None else tuple(attribute.as_strings())


def _present(node: ir.Node, name: str, kind: ir.AttributeType) -> ir.Attr:
    attribute = _attribute(node, name, kind)
    if attribute is None:
        raise ModelError(f"{_described(node)} needs the attribute {name!r}, which is missing; export the model again")
    return attribute


def _attribute(node: ir.Node, name: str, kind: ir.AttributeType) -> ir.Attr | None:
    attribute = node.attributes.get(name)
    if attribute is None:
        attribute = _default(node.op_type, node.version or 1, node.domain, name)
    if attribute is not None and attribute.type is not kind:
        given = attribute.type.name
        raise ModelError(f"{_described(node)}: attribute {name!r} is of type {given}, expected {kind.name}")
    return attribute


def _described(node: ir.Node) -> str:
    return f"node {node.name!r} ({node.domain or 'ai.onnx'}.{node.op_type}, opset {node.version})"


@functools.cache
def _default(op_type: str, version: int, domain: str, name: str) -> ir.Attr | None:
    schema = operator_schema(domain, op_type, version)
    default = schema.attributes[name].default_value if schema is not None and name in schema.attributes else None
    return ir.serde.deserialize_attribute(default) if default is not None and default.name else None
