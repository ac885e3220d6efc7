"""What stands in a source besides tensors: numbers, texts and arrays, as parameters where they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onnx_tf.export.keras_source.calls import Call, tensors_of
from onnx_tf.export.keras_source.expressions import flat, literal

__all__ = ["Leaf", "leaves_of", "multiples_of", "text_of"]


@dataclass(frozen=True)
class Leaf:
    """A number, text or array that stands in the source.

    Attributes:
        name: the parameter that it is for.
        value: what it is.
        default: what the parameter is where it is not given.
    """

    name: str
    value: Any
    default: Any


def text_of(value: Any) -> str:
    """Return what tells a number, text or array from others."""
    return flat(literal(value))


def leaves_of(call: Call) -> list[Leaf]:
    """Return what of a call is no tensor, by parameter, in the same order for all calls of a kind."""
    found = []
    for argument in call.arguments:
        if not any(True for _ in tensors_of(argument.value)) and call.function != "[]":
            found.append(Leaf(argument.name, argument.value, argument.default))
    return found


def multiples_of(
    leaves: Mapping[tuple[str, ...], Sequence[Leaf]],
) -> dict[tuple[str, ...], tuple[int, tuple[str, ...]]]:
    """Return which leaves are multiples of which others, see :class:`Family`."""
    numbers = {texts: [leaf.value for leaf in row] for texts, row in leaves.items()}
    whole = {texts: row for texts, row in numbers.items() if all(type(n) is int and n > 1 for n in row)}
    found: dict[tuple[str, ...], tuple[int, tuple[str, ...]]] = {}
    for texts, row in sorted(whole.items(), key=lambda pair: pair[1]):
        for base, other in whole.items():
            factor = row[0] // other[0]
            if factor > 1 and base not in found and row == [factor * n for n in other]:
                found[texts] = (factor, base)
                break
    return found
