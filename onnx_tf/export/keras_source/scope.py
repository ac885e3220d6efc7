"""What the names in a function stand for, and the expressions of arguments in it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from onnx_tf.export.keras_source.calls import INFIX, Argument, Call, Value
from onnx_tf.export.keras_source.expressions import Expression, flat, listed, literal
from onnx_tf.export.keras_source.families import Family
from onnx_tf.export.keras_source.graph import ANCHOR
from onnx_tf.export.keras_source.leaves import text_of

__all__ = ["Scope"]


class Scope:
    """The variables and parameters of one function.

    Arguments are given as rows: one for each block that the function stands for.

    Attributes:
        names: the variable that holds each value.
        inlined: values that are in no variable: their expressions, and whether these have operators.
    """

    def __init__(self, family: Family | None, leaves: Mapping[tuple[str, ...], str], anchor: str) -> None:
        self.names: dict[Value, str] = {}
        self.inlined: dict[Value, tuple[Expression, bool]] = {}
        self._family, self._leaves, self._anchor = family, leaves, anchor

    def tensor(self, value: Value) -> Expression:
        """Return the expression of a value."""
        return self.inlined[value][0] if value in self.inlined else self.names[value]

    def leaf(self, values: Sequence[Any]) -> Expression:
        """Return the expression of what is no tensor: a parameter where it differs between the blocks."""
        texts = tuple(map(text_of, values))
        if len(set(texts)) == 1:
            return literal(values[0])
        if texts in self._leaves:
            return self._leaves[texts]
        assert self._family is not None
        factor, base = self._family.multiples[texts]
        return f"{factor} * {self._leaves[base]}"

    def arguments(self, rows: Sequence[Sequence[Argument]]) -> list[tuple[str, Expression]]:
        """Return the arguments of a call to write: not those that are what they are without being given."""
        found: list[tuple[str, Expression]] = []
        must_name = False
        for arguments in zip(*rows, strict=True):
            first, values = arguments[0], [argument.value for argument in arguments]
            if all(map(_is_default, arguments)):
                must_name = True
            elif first.spreads:
                found += [("", self._value([value[i] for value in values])) for i in range(len(first.value))]
            else:
                key = first.name if must_name or not first.positional else ""
                found.append((key, self._value(values)))
        return found

    def _value(self, values: Sequence[Any]) -> Expression:
        first = values[0]
        if isinstance(first, Value):
            return self.tensor(first)
        if isinstance(first, str) and first == ANCHOR:
            return self._anchor
        if isinstance(first, (tuple, list)) and any(map(_has_value, first)):
            return listed([self._value([value[i] for value in values]) for i in range(len(first))])
        return self.leaf(values)

    def infix(self, calls: Sequence[Call]) -> str | None:
        """Return a sum, difference, product or quotient with Python's operator; ``None`` for other calls."""
        function = calls[0].function
        operator = INFIX.get(function) if isinstance(function, str) else None
        if operator is None:
            return None
        parts = []
        for position, row in enumerate(zip(*(call.operands for call in calls), strict=True)):
            value = row[0].value
            if isinstance(value, Value):
                is_tight = operator in "*/" or position == 1
                has_operator = self.inlined.get(value, ("", False))[1]
                text = flat(self.tensor(value))
                parts.append(f"({text})" if has_operator and is_tight else text)
            elif isinstance(value, (int, float)) and not isinstance(value, bool):
                parts.append(flat(self.leaf([argument.value for argument in row])))
            else:  # numpy's own operators would be called
                return None
        return f" {operator} ".join(parts)


def _has_value(value: Any) -> bool:
    return isinstance(value, Value) or (isinstance(value, (tuple, list)) and any(map(_has_value, value)))


def _is_default(argument: Argument) -> bool:
    if argument.default is inspect.Parameter.empty or _has_value(argument.value):
        return False
    return text_of(argument.value) == text_of(argument.default)
