"""Python expressions, and lines of them as ``ruff format`` and ``black`` lay them out."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from onnx_tf.errors import ExportError

__all__ = ["WIDTH", "Expression", "Group", "called", "flat", "laid_out", "listed", "literal", "shortest", "subscript"]

WIDTH = 88
"""The formatters' own limit."""


@dataclass(frozen=True)
class Group:
    """Something in brackets: a call, a list or a tuple.

    Attributes:
        head: what stands before the bracket.
        items: what stands in it, each with its keyword or an empty one.
        brackets: the opening and the closing one.
    """

    head: Expression
    items: tuple[tuple[str, Expression], ...]
    brackets: str = "()"

    @property
    def inside(self) -> str:
        """What stands in the brackets, in one line."""
        text = ", ".join(f"{key}={flat(item)}" if key else flat(item) for key, item in self.items)
        return f"{text}," if len(self.items) == 1 and self.brackets == "()" and self.head == "" else text


Expression: TypeAlias = "str | Group"


def called(head: Expression, *items: Expression, **keywords: Expression) -> Group:
    """Return a call."""
    return Group(head, (*(("", item) for item in items), *keywords.items()))


def listed(items: Sequence[Expression], brackets: str = "[]") -> Group:
    """Return a list, or with ``()`` a tuple."""
    return Group("", tuple(("", item) for item in items), brackets)


def flat(expression: Expression) -> str:
    """Return an expression in one line."""
    if isinstance(expression, str):
        return expression
    first, last = expression.brackets[0], expression.brackets[1]
    return f"{flat(expression.head)}{first}{expression.inside}{last}"


def laid_out(before: str, expression: Expression, after: str = "", indent: int = 0) -> list[str]:
    """Return a statement as lines of up to ``WIDTH`` characters: what is before an expression, it, what is after it.

    What does not fit is broken at its last brackets, or at the ones before where a line would be too long even so.
    """
    margin = " " * indent
    whole = f"{margin}{before}{flat(expression)}{after}"
    if len(whole) <= WIDTH or isinstance(expression, str):
        return [whole]
    first, last = expression.brackets[0], expression.brackets[1]
    start = f"{before}{flat(expression.head)}{first}"
    if indent + len(start) > WIDTH and isinstance(expression.head, Group):
        end = f"{first}{expression.inside}{last}{after}"
        if indent + len(end) < WIDTH:
            return laid_out(before, expression.head, end, indent)
        head = laid_out(before, expression.head, first, indent)
    else:
        head = [margin + start]
    return [*head, *_inside(expression, indent + 4), f"{margin}{last}{after}"]


def _inside(group: Group, indent: int) -> Iterator[str]:
    whole = " " * indent + group.inside
    if len(whole) <= WIDTH:
        yield whole
        return
    # One thing alone gets no comma.
    comma = "," if len(group.items) > 1 else ""
    for key, item in group.items:
        yield from laid_out(f"{key}=" if key else "", item, comma, indent)


def literal(value: Any) -> Expression:
    """Return the expression of a number, a text, an array, or a tuple of such.

    Raises:
        ExportError: the value is none of these.
    """
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, np.generic):
        return _array(np.asarray(value))
    if isinstance(value, (tuple, list)):
        return listed([literal(item) for item in value], "[]" if isinstance(value, list) else "()")
    if isinstance(value, float):
        return repr(shortest(value)).replace("e+", "e") if math.isfinite(value) else f'float("{value}")'
    if value is None or isinstance(value, int):
        return repr(value)
    raise ExportError(f"a {type(value).__name__} has no form in source")


def shortest(value: float) -> float:
    """Return a number that is one of float32 with as few digits as tell it from others of float32."""
    narrow = np.float32(value)
    return float(str(narrow)) if float(narrow) == value else value


def _array(array: np.ndarray) -> Expression:
    def nested(part: Any) -> Expression:
        return listed([nested(item) for item in part]) if isinstance(part, list) else literal(part)

    if array.dtype.name == "bfloat16":  # numpy does not know it
        return called("ops.cast", called("np.array", nested(array.tolist())), literal(array.dtype.name))
    return called("np.array", nested(array.tolist()), literal(array.dtype.name))


def subscript(key: Any) -> str:
    """Return what stands in the brackets behind a tensor."""
    parts = list(key) if isinstance(key, tuple) else [key]
    if parts and parts[-1] is Ellipsis:
        parts.pop()
        while len(parts) > 1 and parts[-1] == slice(None):
            parts.pop()
        # Keras does not save a key that is one slice alone.
        parts = [*parts, Ellipsis] if (len(parts) == 1 and isinstance(parts[0], slice)) or not parts else parts
    return ", ".join(map(_key, parts))


def _key(part: Any) -> str:
    if isinstance(part, slice):
        start, stop = ("" if n is None else str(int(n)) for n in (part.start, part.stop))
        return f"{start}:{stop}" + ("" if part.step in (None, 1) else f":{int(part.step)}")
    return "..." if part is Ellipsis else repr(part if part is None else int(part))
