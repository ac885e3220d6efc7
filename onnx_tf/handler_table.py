"""What the handlers are for, without importing them: they need TensorFlow, and questions about them do not.

:data:`HANDLER_TABLE` holds a line for each handler of this package; ``python -m test.handler_table`` writes it.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from onnx_tf.registry import Handler, Registry, registry

__all__ = ["HANDLER_TABLE", "known_handlers", "rows"]

HANDLER_TABLE = Path(__file__).with_name("handler_table.json")


def known_handlers(forms: Sequence[str] = ()) -> Registry:
    """Return the handlers that a conversion would have, as far as the steps before the binding ask of them.

    They are those of this process where they are imported; else those of the table, and what users registered.

    Args:
        forms: see :class:`onnx_tf.registry.Registry`.
    """
    if "onnx_tf.handlers" in sys.modules:
        return registry.snapshot(forms)
    known = registry.snapshot(forms)
    for row in json.loads(HANDLER_TABLE.read_text(encoding="utf-8")):
        known.add(_handler(**row), replacing=False)
    return known


def rows(handlers: Registry) -> list[dict[str, Any]]:
    """Return what the table holds of handlers, a dict for each; what is empty is left out."""
    found = []
    for handler in handlers.handlers():
        row = {field.name: getattr(handler, field.name) for field in dataclasses.fields(handler)}
        del row["function"], row["keyword_defaults"]
        row["attributes"] = sorted(handler.attributes)
        found.append({name: value for name, value in row.items() if value})
    return found


def _handler(attributes: Sequence[str] = (), **row: Any) -> Handler:
    texts = {"domain": "", "target": "", "limits": ""}
    flags = {"wants_context": False, "takes_any_attribute": False}
    fields: dict[str, Any] = {**texts, **flags, **row}
    return Handler(function=_not_imported, attributes=frozenset(attributes), keyword_defaults={}, **fields)


def _not_imported(*_inputs: Any, **_attributes: Any) -> NoReturn:
    raise AssertionError("the handlers are not imported: only the steps before the binding can be taken")
