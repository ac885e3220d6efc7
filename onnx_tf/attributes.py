"""The attributes of a node as its handler takes them: as Python values, schema defaults filled in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx_ir as ir

from onnx_tf.dtypes import carried
from onnx_tf.errors import ModelError
from onnx_tf.registry import LEGACY_ATTRIBUTES, Handler
from onnx_tf.schema import schema_of

__all__ = ["attribute_value", "node_attributes"]


def node_attributes(node: ir.Node, handler: Handler) -> dict[str, Any]:
    """Return what a handler takes as keywords, but for graphs: what the node states, else the schema, else ``None``."""
    attributes: dict[str, Any] = {}
    if not handler.takes_any_attribute:
        attributes = dict.fromkeys(handler.attributes) | _defaults(node, handler)
    for name, attribute in node.attributes.items():
        if attribute.type is ir.AttributeType.GRAPH:
            attributes.pop(name, None)
        elif name not in LEGACY_ATTRIBUTES:
            attributes[name] = attribute_value(attribute)
    return attributes


def _defaults(node: ir.Node, handler: Handler) -> dict[str, Any]:
    schema = schema_of(node)
    if schema is None:
        parameters = handler.keyword_defaults
        return {name: parameters[name] for name in handler.attributes if name in parameters}
    defaults = {}
    for name, attribute in schema.attributes.items():
        if name in handler.attributes and attribute.default_value.name:
            defaults[name] = attribute_value(ir.serde.deserialize_attribute(attribute.default_value))
    return defaults


def attribute_value(attribute: ir.Attr) -> Any:
    """Return an attribute as Python: str, int, float, tuples of them, a constant tensor or a type."""
    kind = ir.AttributeType
    convert: dict[ir.AttributeType, Callable[[ir.Attr], Any]] = {
        kind.INT: lambda a: a.as_int(),
        kind.FLOAT: lambda a: a.as_float(),
        kind.STRING: _text,
        kind.INTS: lambda a: tuple(a.as_ints()),
        kind.FLOATS: lambda a: tuple(a.as_floats()),
        kind.STRINGS: lambda a: tuple(a.as_strings()),
        kind.TENSOR: lambda a: carried(a.as_tensor().numpy()),
        kind.TENSORS: lambda a: tuple(carried(t.numpy()) for t in a.as_tensors()),
        kind.TYPE_PROTO: lambda a: a.value,
    }
    if attribute.type not in convert:
        raise ModelError(f"attribute {attribute.name!r} has type {attribute.type.name}, which no operator uses")
    return convert[attribute.type](attribute)


def _text(attribute: ir.Attr) -> str:
    value = attribute.value
    return value.decode("utf-8", errors="surrogateescape") if isinstance(value, bytes) else str(value)
