"""Flatten before a product with constant weights: the order of the flattened elements is free.

``Flatten -> Gemm`` and ``Reshape -> MatMul`` merge channels with other axes. Whatever the order
in which they do, the product is the same once the rows of the weights follow it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnx_tf.layout.facts import Facts
from onnx_tf.layout.rules import OperatorKind
from onnx_tf.layout.shapes import Group
from onnx_tf.schema import int_attribute

__all__ = ["Absorption", "find_absorption", "permuted_rows"]


@dataclass(frozen=True)
class Absorption:
    """A reshape whose merged axis only meets constant weights.

    Attributes:
        group: the axes that are merged.
        weights: the nodes that multiply by constant weights, and the axis of the second input
            that meets the merged axis.
        values: the result of the reshape, and what elementwise operators make of it.
    """

    group: Group
    weights: tuple[tuple[ir.Node, int], ...]
    values: tuple[ir.Value, ...]


def find_absorption(node: ir.Node, facts: Facts) -> Absorption | None:
    """Return how the order of a reshape's merged elements is made up for, if it can be."""
    source, result = node.inputs[0], node.outputs[0]
    assert source is not None
    merged = [g for g in facts.groups[node] if len(g.before) > 1]
    if len(merged) != 1 or len(merged[0].after) != 1:
        return None
    if any(not isinstance(facts.dims(source)[a], int) for a in merged[0].before):
        return None
    values: list[ir.Value] = []
    weights = _weights(result, merged[0].after[0], facts, values)
    return Absorption(merged[0], tuple(weights), tuple(values)) if weights else None


def _weights(value: ir.Value, axis: int, facts: Facts, between: list[ir.Value]) -> list[tuple[ir.Node, int]] | None:
    """Return all products that a value ends in, elementwise operators ``between``; ``None`` if it ends elsewhere."""
    found: list[tuple[ir.Node, int]] = []
    waiting = [value]
    while waiting:
        value = waiting.pop()
        between.append(value)
        if value.is_graph_output() or not value.uses():
            return None
        for user, index in value.uses():
            if user.graph is not facts.graph:
                return None
            met = _met_axis(user, index, axis, facts.shapes.rank(value))
            if met is not None:
                found.append((user, met))
            elif _is_pointwise(user, facts):
                waiting += [o for o in user.outputs if o.uses() or o.is_graph_output()]
            else:
                return None
    return found


def _met_axis(node: ir.Node, index: int, axis: int, rank: int | None) -> int | None:
    second = node.inputs[1] if len(node.inputs) > 1 else None
    if index != 0 or node.domain != "" or second is None or second.const_value is None or rank != axis + 1:
        return None
    if node.op_type == "Gemm" and not int_attribute(node, "transA"):
        return int_attribute(node, "transB")
    if node.op_type == "MatMul" and len(second.const_value.shape) == 2:
        return 0
    return None


def _is_pointwise(node: ir.Node, facts: Facts) -> bool:
    """Tell whether a node treats every element of its one operand alike."""
    rule, frame = facts.rules.get(node), facts.frames.get(node)
    if rule is None or frame is None or rule.kind is not OperatorKind.FRAME or not frame.aligned:
        return False
    data = [v for i, v in enumerate(node.inputs) if v is not None and i in frame.inputs]
    return all(v.const_value is None or v.const_value.size == 1 for v in data) and (
        len([v for v in data if v.const_value is None]) == 1
    )


def permuted_rows(array: np.ndarray, axis: int, sizes: Sequence[int], perm: Sequence[int]) -> np.ndarray:
    """Return weights whose rows, ``sizes`` merged, follow the permuted order of these sizes."""
    order = np.arange(int(np.prod(sizes))).reshape(sizes).transpose(perm).reshape(-1)
    return np.take(array, order, axis=axis)
