"""Values and lists of names as error messages and reports show them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import onnx_ir as ir

__all__ = ["described", "listed", "type_of"]

MAX_LISTED = 10


def described(value: ir.Value) -> str:
    """Return name, dtype and shape of a value, as in ``x: float[N, 3, ?, 224]``."""
    return f"{value.name}: {type_of(value)}"


def type_of(value: ir.Value) -> str:
    """Return dtype and shape of a value, as in ``float[N, 3, ?, 224]``."""
    return _type(value.type, value.shape)


def listed(names: Iterable[str], wanted: str = "") -> str:
    """Return up to ten of the names, those that are like the wanted one first, and how many more there are."""
    known = list(dict.fromkeys(names))
    shown = list(dict.fromkeys([*difflib.get_close_matches(wanted, known, 5), *known]))[:MAX_LISTED]
    more = len(known) - len(shown)
    return (", ".join(map(repr, shown)) or "none") + (f" and {more} more" if more else "")


def _type(kind: Any, shape: ir.Shape | None) -> str:
    if isinstance(kind, ir.SequenceType):
        return f"sequence of {_type(kind.elem_type, shape)}"
    if isinstance(kind, ir.OptionalType):
        return f"optional {_type(kind.elem_type, shape)}"
    dtype = "any" if kind is None else kind.dtype.name.lower()
    if shape is None:
        return f"{dtype}[...]"
    return f"{dtype}[{', '.join(str(d if isinstance(d, int) else d.value or '?') for d in shape)}]"
