"""What the ONNX schema asks of an operator's attributes, by names alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import onnx

from onnx_tf.registry import INTERNAL_DOMAINS, LEGACY_ATTRIBUTES, Handler

__all__ = ["attribute_problems", "operator_schema"]


def operator_schema(domain: str, op_type: str, version: int) -> Any:  # the type that onnx states lacks half of it
    """Return the ``onnx.defs.OpSchema`` that holds at an opset version, ``None`` where onnx knows none.

    Operators of the internal domains have the schema of the ai.onnx operator of the same name.
    """
    try:
        return onnx.defs.get_schema(op_type, version, "" if domain in INTERNAL_DOMAINS else domain)
    except onnx.defs.SchemaError:
        return None


def attribute_problems(handler: Handler, schema: Any, names: Collection[str]) -> Iterator[str]:
    """Yield what keeps a handler from taking attributes of these names, each with what to do about it.

    Args:
        handler: the handler.
        schema: the operator's schema, if there is one.
        names: the attributes that a node states.
    """
    if handler.takes_any_attribute:
        return
    for name in names:
        if name not in handler.attributes and name not in LEGACY_ATTRIBUTES:
            known = ", ".join(sorted(handler.attributes)) or "none"
            yield f"it has no attribute {name!r} (known: {known}); check the model's opset version"
    for name, attribute in schema.attributes.items() if schema is not None else ():
        if attribute.required and name not in names and name not in LEGACY_ATTRIBUTES:
            yield f"its required attribute {name!r} is missing; export the model again"
