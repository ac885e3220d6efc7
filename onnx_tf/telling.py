"""Values and lists of names as error messages and reports show them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from onnx_tf.value_types import ValueType

if TYPE_CHECKING:
    import onnx_ir as ir

__all__ = ["described", "did_you_mean", "listed", "place_of", "size", "type_of"]

MAX_LISTED = 10


def described(value: ir.Value) -> str:
    """Return name, dtype and shape of a value, as in ``x: float32[N, 3, ?, 224]``."""
    return f"{value.name}: {type_of(value)}"


def type_of(value: ir.Value) -> str:
    """Return dtype and shape of a value, as in ``float32[N, 3, ?, 224]``."""
    return str(ValueType.of(value))


def listed(names: Iterable[str], wanted: str = "") -> str:
    """Return up to ten of the names, those that are like the wanted one first, and how many more there are."""
    known = list(dict.fromkeys(names))
    shown = list(dict.fromkeys([*_near(wanted, known, 5), *known]))[:MAX_LISTED]
    more = len(known) - len(shown)
    return (", ".join(map(repr, shown)) or "none") + (f" and {more} more" if more else "")


def did_you_mean(wanted: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'NAME'?)`` for the known name that is most like the wanted one, ``""`` if none is."""
    near = _near(wanted, list(known), 1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _near(wanted: str, known: list[str], count: int) -> list[str]:
    by_lower: dict[str, list[str]] = {}
    for name in known:
        by_lower.setdefault(name.lower(), []).append(name)
    close = difflib.get_close_matches(wanted.lower(), by_lower, count)
    return [name for lower in close for name in by_lower[lower]][:count]


def size(count: float) -> str:
    """Return a number of bytes as in ``1.5 MB``."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def place_of(node: ir.Node | None) -> dict[str, Any]:
    """Return the fields by which an error names a node, none where there is no node."""
    if node is None:
        return {}
    return {"node": node.name, "op": node.op_type, "domain": node.domain, "version": node.version}
