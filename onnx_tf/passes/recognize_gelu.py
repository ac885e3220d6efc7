"""Recognise GELU where it is written out: half of x times 1 plus an erf, or 1 plus a tanh, of x."""

from __future__ import annotations

import math
from collections.abc import Iterator

import onnx_ir as ir
from onnx_ir.convenience import replace_all_uses_with

from onnx_tf.origins import hand_on, stand_for
from onnx_tf.passes._polynomials import OPERATORS, Polynomial, Polynomials

__all__ = ["recognize_gelu"]

VERSION = 20
"""The opset version from which Gelu exists."""

_MAX_DISTANCE = 6
"""How many nodes lie between x and the erf or tanh, and between that and the result, at most."""

_MAX_ERROR, _MAX_ERROR_BFLOAT16 = 2.5e-4, 4e-3
"""How far off constants may be, relatively: exporters write what was rounded to the dtype of the weights."""

_SLOPE = math.sqrt(2 / math.pi)
_HALF_OF_BOTH: Polynomial = {(1, 0): 0.5, (1, 1): 0.5}

_FORMS: dict[str, tuple[tuple[str, Polynomial, Polynomial], ...]] = {
    "Erf": (("none", {(1, 0): math.sqrt(0.5)}, _HALF_OF_BOTH),),
    "Tanh": (("tanh", {(1, 0): _SLOPE, (3, 0): _SLOPE * 0.044715}, _HALF_OF_BOTH),),
    "Sigmoid": (("tanh", {(1, 0): 2 * _SLOPE, (3, 0): 2 * _SLOPE * 0.044715}, {(1, 1): 1.0}),),
}
"""By operator: ``approximate`` of Gelu, its operand as a polynomial of x, and the result as one of x and itself."""


def recognize_gelu(model: ir.Model) -> bool:
    """Replace GELU written out by the operator Gelu of opset 20; return whether any was found.

    In any order of operands, and with quotients for products. What is read besides stays.
    """
    found = [_recognize(node) for graph in model.graphs() for node in list(graph)]
    return any(found)


def _recognize(node: ir.Node) -> bool:
    if node.domain != "" or node.graph is None:
        return False
    for approximate, inner, outer in _FORMS.get(node.op_type, ()):
        source = _source(node, inner)
        if source is not None:
            return _replace(node, source, approximate, outer)
    return False


def _source(node: ir.Node, wanted: Polynomial) -> ir.Value | None:
    """Return the value of which the operand is the wanted polynomial."""
    operand = node.inputs[0]
    if operand is None:
        return None
    for candidate in _above(operand):
        found = Polynomials(candidate, None, node.graph).of(operand)
        if found is not None and _equal(found, wanted, candidate):
            return candidate
    return None


def _above(value: ir.Value) -> Iterator[ir.Value]:
    """Yield what a value is computed from, the nearest first."""
    level, seen = [value], {value}
    for _ in range(_MAX_DISTANCE):
        producers = (producer for v in level if (producer := v.producer()) is not None)
        inputs = dict.fromkeys(i for p in producers if p.op_type in OPERATORS for i in p.inputs)
        level = [i for i in inputs if i is not None and i not in seen and i.const_value is None]
        seen.update(level)
        yield from level


def _replace(node: ir.Node, source: ir.Value, approximate: str, wanted: Polynomial) -> bool:
    """Replace the result that is the wanted polynomial of x and of what the node gives."""
    (inner,) = node.outputs
    for result in _below(inner):
        polynomials = Polynomials(source, inner, node.graph)
        found = polynomials.of(result)
        if found is None or not _equal(found, wanted, source):
            continue
        parts = polynomials.nodes
        # An erf that something else reads is computed all the same.
        if inner.is_graph_output() or any(use.node not in parts for use in inner.uses()):
            return False
        if result.dtype != source.dtype or (result.shape is not None and result.shape != source.shape):
            return False
        _put(result, source, approximate, [*parts, node, *_operand_nodes(node, source)])
        return True
    return False


def _operand_nodes(node: ir.Node, source: ir.Value) -> list[ir.Node]:
    operand = node.inputs[0]
    assert operand is not None
    polynomials = Polynomials(source, None, node.graph)
    polynomials.of(operand)
    return list(polynomials.nodes)


def _below(value: ir.Value) -> Iterator[ir.Value]:
    """Yield what is computed from a value, the nearest first."""
    level, seen = [value], {value}
    for _ in range(_MAX_DISTANCE):
        readers = dict.fromkeys(use.node for v in level for use in v.uses() if use.node.op_type in OPERATORS)
        level = [output for reader in readers for output in reader.outputs if output not in seen]
        seen.update(level)
        yield from level


def _equal(found: Polynomial, wanted: Polynomial, source: ir.Value) -> bool:
    bound = _MAX_ERROR_BFLOAT16 if source.dtype is ir.DataType.BFLOAT16 else _MAX_ERROR
    return found.keys() == wanted.keys() and all(math.isclose(found[k], wanted[k], rel_tol=bound) for k in wanted)


def _put(old: ir.Value, source: ir.Value, approximate: str, parts: list[ir.Node]) -> None:
    last = old.producer()
    assert last is not None
    graph = last.graph
    assert graph is not None
    gelu = ir.Node("", "Gelu", [source], [ir.AttrString("approximate", approximate)], version=VERSION, name=last.name)
    result = gelu.outputs[0]
    result.type, result.shape, name = old.type, old.shape, old.name
    stand_for(last, gelu)
    hand_on(old, result)
    last.append(gelu)
    replace_all_uses_with(old, result, replace_graph_outputs=True)
    left = set(parts)
    while unread := [n for n in left if not any(o.uses() or o.is_graph_output() for o in n.outputs)]:
        graph.remove(unread, safe=True)
        left.difference_update(unread)
    result.name = name
