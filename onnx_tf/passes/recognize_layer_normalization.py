"""Recognise LayerNormalization and RMSNormalization where they are written out: means, a square root, a quotient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import onnx_ir as ir
from onnx_ir.convenience import replace_all_uses_with

from onnx_tf.origins import hand_on, stand_for
from onnx_tf.schema import int_attribute, ints_attribute

__all__ = ["recognize_layer_normalization"]

VERSIONS = {"LayerNormalization": 17, "RMSNormalization": 23}
"""The opset versions from which the operators exist."""


def recognize_layer_normalization(model: ir.Model) -> bool:
    """Replace normalizations along the last axes that are written out by one operator; return whether any was found.

    That are (x - mean) / sqrt(variance + epsilon), scaled by a constant and shifted by one or not, and
    x / sqrt(mean of squares + epsilon), scaled by a constant. What is read besides stays.
    """
    found = [_recognize(node) for graph in model.graphs() for node in list(graph)]
    return any(found)


def _recognize(root: ir.Node) -> bool:
    """Begin at the square root: before it is the variance, behind it the quotient."""
    if (root.domain, root.op_type) != ("", "Sqrt") or root.graph is None:
        return False
    variance = _shifted(root.inputs[0])
    if variance is None:
        return False
    square, epsilon = variance
    powers = _mean(square)
    base = None if powers is None else _squared(powers[0])
    if powers is None or base is None:
        return False
    _, axes = powers
    last = _quotient(root.outputs[0], base)
    if last is None:
        return False
    source = _centred(base, axes)
    kind, source = ("RMSNormalization", base) if source is None else ("LayerNormalization", source)
    rank = source.shape.rank() if source.shape is not None else None
    if rank is None or sorted(axis % rank for axis in axes) != list(range(rank - len(axes), rank)):
        return False
    return _replace(root, kind, source, last, len(axes), epsilon)


def _producer(value: ir.Value | None, *kinds: str) -> ir.Node | None:
    node = None if value is None else value.producer()
    return node if node is not None and node.domain == "" and node.op_type in kinds else None


def _number(value: ir.Value | None) -> float | None:
    tensor = None if value is None else value.const_value
    return None if tensor is None or tensor.size != 1 else float(tensor.numpy().reshape(-1)[0])


def _shifted(value: ir.Value | None) -> tuple[ir.Value, float] | None:
    """Return what a small number was added to, and the number."""
    node = _producer(value, "Add")
    if node is None:
        return None
    for a, b in ((0, 1), (1, 0)):
        number, other = _number(node.inputs[b]), node.inputs[a]
        if number is not None and 0 < number < 0.1 and other is not None:
            return other, number
    return None


def _mean(value: ir.Value | None) -> tuple[ir.Value, Sequence[int]] | None:
    """Return what a mean is of, and along which axes it is kept."""
    node = _producer(value, "ReduceMean")
    if node is None or node.inputs[0] is None or not int_attribute(node, "keepdims"):
        return None
    axes: Sequence[int] | None
    if (node.version or 1) < 18:
        axes = ints_attribute(node, "axes")
    else:
        tensor = node.inputs[1].const_value if len(node.inputs) > 1 and node.inputs[1] is not None else None
        axes = None if tensor is None else [int(axis) for axis in tensor.numpy()]
    return (node.inputs[0], list(axes)) if axes else None


def _squared(value: ir.Value) -> ir.Value | None:
    node = _producer(value, "Pow", "Mul")
    if node is None:
        return None
    if node.op_type == "Mul":
        return node.inputs[0] if node.inputs[0] is node.inputs[1] else None
    return node.inputs[0] if _number(node.inputs[1]) == 2 else None


def _centred(value: ir.Value, axes: Sequence[int]) -> ir.Value | None:
    """Return what a value is without its mean."""
    node = _producer(value, "Sub")
    found = None if node is None else _mean(node.inputs[1])
    same = found is not None and node is not None and found[0] is node.inputs[0] and list(found[1]) == list(axes)
    return node.inputs[0] if same and node is not None else None


def _quotient(deviation: ir.Value, base: ir.Value) -> ir.Node | None:
    """Return the node that divides by a deviation, or multiplies by its reciprocal."""
    for use in deviation.uses():
        node = use.node
        if (node.domain, node.op_type) == ("", "Div") and node.inputs[1] is deviation:
            if node.inputs[0] is base:
                return node
            if _number(node.inputs[0]) == 1:
                return _product(node.outputs[0], base)
        if (node.domain, node.op_type) == ("", "Reciprocal"):
            return _product(node.outputs[0], base)
    return None


def _product(factor: ir.Value, base: ir.Value) -> ir.Node | None:
    nodes = (use.node for use in factor.uses())
    return next((n for n in nodes if (n.domain, n.op_type) == ("", "Mul") and set(n.inputs) == {factor, base}), None)


def _parameter(node: ir.Node | None, kind: str, value: ir.Value, count: int) -> ir.Value | None:
    """Return the constant of the last axes by which the one reader of a value scales or shifts it."""
    if node is None or (node.domain, node.op_type) != ("", kind):
        return None
    other = node.inputs[1] if node.inputs[0] is value else node.inputs[0]
    tensor = None if other is None else other.const_value
    if tensor is None or value.shape is None:
        return None
    return other if list(tensor.shape) == list(value.shape)[-count:] else None


def _reader(value: ir.Value) -> ir.Node | None:
    uses = list(value.uses())
    alone = len(uses) == 1 and not value.is_graph_output() and uses[0].node.graph is not None
    return uses[0].node if alone else None


def _replace(root: ir.Node, kind: str, source: ir.Value, last: ir.Node, count: int, epsilon: float) -> bool:
    result = last.outputs[0]
    scaling = _reader(result)
    scale = _parameter(scaling, "Mul", result, count)
    if scale is None or scaling is None or scaling.graph is not root.graph:
        return False
    inputs, end = [source, scale], scaling
    shifting = _reader(scaling.outputs[0])
    shift = _parameter(shifting, "Add", scaling.outputs[0], count) if kind == "LayerNormalization" else None
    if shift is not None and shifting is not None and shifting.graph is root.graph:
        inputs, end = [*inputs, shift], shifting
    _put(root, kind, inputs, end, count, epsilon)
    return True


def _put(root: ir.Node, kind: str, inputs: Sequence[ir.Value], end: ir.Node, count: int, epsilon: float) -> None:
    old, graph = end.outputs[0], root.graph
    assert graph is not None
    attributes = [ir.AttrInt64("axis", -count), ir.AttrFloat32("epsilon", float(np.float32(epsilon)))]
    made = ir.Node("", kind, inputs, attributes, version=VERSIONS[kind], name=end.name)
    result, name = made.outputs[0], old.name
    result.type, result.shape = old.type, old.shape
    stand_for(end, made)
    hand_on(old, result)
    end.append(made)
    replace_all_uses_with(old, result, replace_graph_outputs=True)
    left = dict.fromkeys([end, *_above(end)])
    while unread := [n for n in left if not any(o.uses() or o.is_graph_output() for o in n.outputs)]:
        graph.remove(unread, safe=True)
        left = dict.fromkeys(node for node in left if node not in unread)
    result.name = name


def _above(end: ir.Node) -> Iterator[ir.Node]:
    """Yield the nodes that a normalization can be written with, before its last one."""
    kinds = ("Add", "Div", "Mul", "Pow", "Reciprocal", "ReduceMean", "Sqrt", "Sub")
    level = [end]
    for _ in range(9):
        producers = (_producer(value, *kinds) for node in level for value in node.inputs)
        level = list(dict.fromkeys(node for node in producers if node is not None and node.graph is end.graph))
        yield from level
