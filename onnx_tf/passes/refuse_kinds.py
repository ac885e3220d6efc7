"""Refuse nodes that take a tensor for a sequence, a sequence for a tensor, or sequences of another dtype."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import onnx
import onnx_ir as ir

from onnx_tf.errors import ModelError
from onnx_tf.operator_schema import operator_schema
from onnx_tf.telling import place_of

__all__ = ["refuse_kinds"]


def refuse_kinds(model: ir.Model) -> bool:
    """Check that nodes take what their schemas state: tensors, sequences or optionals; change nothing.

    Raises:
        ModelError: one does not; the message names its node, its input and what it is given.
    """
    for node in model.graph.all_nodes():
        for problem in _problems(node, model.graph):
            raise ModelError(
                f"node {node.name!r} ({node.domain or 'ai.onnx'}.{node.op_type}, opset {node.version}): {problem}; "
                "correct the model, or export it again",
                **place_of(node),
            )
    return False


@dataclass(frozen=True)
class _Entry:
    """What a schema states of an input or output: its name, the kinds of its types, and the letter of its type."""

    name: str
    kinds: frozenset[str]
    letter: str


@functools.cache
def _entries(domain: str, op_type: str, version: int) -> tuple[tuple[_Entry, ...], tuple[_Entry, ...]]:
    """Return those of an operator's inputs and of its outputs; the last holds for all that follow."""
    schema = operator_schema(domain, op_type, version)
    given, results = ([], []) if schema is None else (schema.inputs, schema.outputs)
    return tuple(map(_entry, given)), tuple(map(_entry, results))


def _entry(parameter: Any) -> _Entry:
    kinds = frozenset(text.split("(")[0] for text in parameter.types)
    varies = parameter.option == onnx.defs.OpSchema.FormalParameterOption.Variadic and not parameter.is_homogeneous
    return _Entry(parameter.name, kinds, "" if varies else parameter.type_str)


def _problems(node: ir.Node, main: ir.Graph) -> Iterator[str]:
    stated, results = _entries(node.domain, node.op_type, node.version or 1)
    dtypes: dict[str, ir.DataType] = {}
    makes_sequence = any(entry.kinds == {"seq"} for entry in results)
    for index, value in enumerate(node.inputs if stated else ()):
        entry = stated[min(index, len(stated) - 1)]
        kind = None if value is None else _kind(value, main)
        if value is None or kind is None:
            continue
        if kind not in entry.kinds:
            yield f"its input {entry.name!r} takes {_said(entry.kinds)}, but {value.name!r} is {_said([kind])}"
        if makes_sequence and kind == "tensor" and value.dtype is not None and entry.letter:
            first = dtypes.setdefault(entry.letter, value.dtype)
            if first != value.dtype:
                yield f"its inputs hold {first} and {value.dtype}, but a sequence has one dtype"


def _kind(value: ir.Value, main: ir.Graph) -> str | None:
    """Return what a value is as far as the file or its operator leave no choice."""
    node = value.producer()
    if node is None:
        if not value.is_graph_input() or value.graph is not main:
            return "tensor" if value.is_initializer() else None
        kinds = {ir.SequenceType: "seq", ir.OptionalType: "optional", ir.TensorType: "tensor"}
        return kinds.get(type(value.type))  # type: ignore[arg-type]
    results = _entries(node.domain, node.op_type, node.version or 1)[1]
    stated = results[min(value.index() or 0, len(results) - 1)].kinds if results else frozenset()
    return next(iter(stated)) if len(stated) == 1 else None


_NAMES = {"seq": "a sequence", "tensor": "a tensor", "optional": "an optional", "map": "a map"}


def _said(kinds: frozenset[str] | list[str]) -> str:
    return " or ".join(_NAMES.get(kind, kind) for kind in sorted(kinds))
