"""What the ONNX schemas ask of nodes: how many inputs and outputs, which inputs at least, attributes of which type.

Inference, folding and handlers rely on it, and some libraries behind them do not look before they read.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx
import onnx_ir as ir

from onnx_tf.errors import ModelError
from onnx_tf.model.attribute_ranges import WINDOWS, choice_problem, range_problem
from onnx_tf.operator_schema import operator_schema
from onnx_tf.telling import place_of

__all__ = ["check_nodes", "node_problem", "value_problem"]

_TYPES = {int(kind): name for name, kind in onnx.AttributeProto.AttributeType.items()}


@dataclass(frozen=True)
class _Asked:
    """What a schema asks of a node.

    Attributes:
        required: for each input that is not variadic, its name where it must be there, else ``None``.
        least: how many inputs there must be.
        most: how many inputs there may be.
        outputs: how many outputs there may be.
        types: the types of the attributes by name.
    """

    required: tuple[str | None, ...]
    least: int
    most: int
    outputs: int
    types: Mapping[str, int]


@functools.cache
def _asked(domain: str, op_type: str, version: int) -> _Asked | None:
    schema = operator_schema(domain, op_type, version)
    if schema is None:
        return None
    option = onnx.defs.OpSchema.FormalParameterOption
    single = [entry for entry in schema.inputs if entry.option != option.Variadic]
    return _Asked(
        tuple(entry.name if entry.option == option.Single else None for entry in single),
        schema.min_input,
        schema.max_input,
        schema.max_output,
        {name: int(attribute.type.value) for name, attribute in schema.attributes.items()},
    )


def node_problem(
    domain: str, op_type: str, version: int, given: Sequence[bool], outputs: int, types: Mapping[str, int]
) -> str | None:
    """Return what is wrong with a node by its schema, ``None`` where nothing is or there is none.

    Args:
        domain: the operator's domain.
        op_type: the operator.
        version: the opset version that holds for it.
        given: for each input, whether it is there.
        outputs: the number of its outputs.
        types: the types of its attributes by name, as ``onnx.AttributeProto.AttributeType`` numbers them.
    """
    asked = _asked(domain, op_type, version)
    if asked is None:
        return None
    if not asked.least <= len(given) <= asked.most:
        return f"it has {len(given)} inputs, the operator takes {_between(asked.least, asked.most)}"
    for index, name in enumerate(asked.required[: len(given)]):
        if name is not None and not given[index]:
            return f"its input {name!r} is missing"
    if outputs > asked.outputs:
        return f"it has {outputs} outputs, the operator gives {asked.outputs} at most"
    for name, kind in types.items():
        expected = asked.types.get(name, kind)
        if kind != expected:
            return f"attribute {name!r} is of type {_TYPES.get(kind, kind)}, expected {_TYPES[expected]}"
    return None


def value_problem(
    domain: str, op_type: str, integers: Mapping[str, Sequence[int]], texts: Mapping[str, str], outputs: int
) -> str | None:
    """Return what is wrong with what the attributes of a known operator hold, ``None`` where nothing is.

    Args:
        domain: the operator's domain.
        op_type: the operator.
        integers: its integers by the attribute's name.
        texts: its strings by the attribute's name.
        outputs: the number of its outputs.
    """
    if domain == "com.microsoft":
        return range_problem({name: numbers for name, numbers in integers.items() if name in WINDOWS})
    if domain not in ("", "ai.onnx.ml"):
        return None
    if op_type == "Split" and integers.get("num_outputs", (outputs,)) != (outputs,):
        return f"attribute 'num_outputs' is {integers['num_outputs'][0]}, it has {outputs} outputs"
    return range_problem(integers) or choice_problem(op_type, texts)


def _between(least: int, most: int) -> str:
    if least == most:
        return str(least)
    return f"{least} to {most}" if most < 1 << 30 else f"{least} or more"


def check_nodes(graph: ir.Graph | ir.Function) -> None:
    """Check the nodes of a graph and of its bodies.

    Raises:
        ModelError: one of them is not as its schema asks.
    """
    for node in graph.all_nodes():
        given = [value is not None for value in node.inputs]
        types = {name: int(a.type.value) for name, a in node.attributes.items() if not a.is_ref()}
        problem = node_problem(node.domain, node.op_type, node.version or 1, given, len(node.outputs), types)
        stated = {name: a for name, a in node.attributes.items() if not a.is_ref()}
        integers = {name: _integers(attribute) for name, attribute in stated.items()}
        texts = {name: a.as_string() for name, a in stated.items() if a.type is ir.AttributeType.STRING}
        problem = problem or value_problem(node.domain, node.op_type, integers, texts, len(node.outputs))
        if problem is not None:
            raise ModelError(
                f"node {node.name!r} ({node.domain or 'ai.onnx'}.{node.op_type}, opset {node.version}): {problem}; "
                "check the model's opset version, or export it again",
                **place_of(node),
            )


def _integers(attribute: ir.Attr) -> Sequence[int]:
    if attribute.type is ir.AttributeType.INT:
        return (attribute.as_int(),)
    return tuple(attribute.as_ints()) if attribute.type is ir.AttributeType.INTS else ()
