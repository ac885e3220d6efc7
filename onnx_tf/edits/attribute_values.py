"""Attributes of nodes from plain values, of the type that the operator's schema states."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir

from onnx_tf.edits.misfit import Misfit

__all__ = ["attribute_of"]


def attribute_of(name: str, value: Any, stated: str | None, present: ir.Attr | None) -> ir.Attr:
    """Return an attribute.

    Args:
        name: its name.
        value: a number, a text, a list of one of them, or an array for a tensor.
        stated: the type that the schema states, as in ``INTS``; ``None`` where there is no schema.
        present: the attribute that the node has, if it has it.

    Raises:
        Misfit: the value is not of the type.
    """
    kind = stated or (_guessed(name, value) if present is None else present.type.name)
    try:
        if kind == "TENSOR":
            dtype = present.as_tensor().dtype if present is not None and present.type.name == "TENSOR" else None
            return ir.AttrTensor(name, ir.tensor(np.asarray(value), dtype=dtype, name=name))
        if kind in _SINGLE:
            return ir.Attr(name, ir.AttributeType[kind], _SINGLE[kind](value))
        if kind.removesuffix("S") in _SINGLE:
            items = np.asarray(value).tolist() if isinstance(value, np.ndarray) else value
            items = items if isinstance(items, (list, tuple)) else [items]
            convert = _SINGLE[kind.removesuffix("S")]
            return ir.Attr(name, ir.AttributeType[kind], tuple(convert(item) for item in items))
    except (TypeError, ValueError) as error:
        raise Misfit(f"{name!r} is of the type {kind}, which {value!r} is not") from error
    raise Misfit(f"{name!r} is of the type {kind}, which cannot be stated")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _number(value: Any) -> float:
    if isinstance(value, (str, bytes)):
        raise TypeError(value)
    return float(value)


_SINGLE: dict[str, Callable[[Any], Any]] = {"INT": operator.index, "FLOAT": _number, "STRING": _text}


def _guessed(name: str, value: Any) -> str:
    """Return the type of an attribute of which nothing is known but its value."""
    if isinstance(value, np.ndarray):
        return "TENSOR"
    items = list(value) if isinstance(value, (list, tuple)) else [value]
    several = "S" * isinstance(value, (list, tuple))
    for kind, types in (("INT", (int, np.integer)), ("FLOAT", (int, float, np.number)), ("STRING", (str,))):
        if items and all(isinstance(item, types) for item in items):
            return f"{kind}{several}"
    raise Misfit(f"the type of {name!r} is not known from {value!r}: pass a number, a text, a list of them or an array")
