"""Values as polynomials of others, whatever the order in which their terms are written."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import onnx_ir as ir

__all__ = ["OPERATORS", "Polynomial", "Polynomials"]

Polynomial: TypeAlias = dict[tuple[int, int], float]
"""The factor of each product of powers of two values, by the two exponents; those of 0 are left out."""

OPERATORS = frozenset({"Add", "Cast", "Div", "Mul", "Pow", "Sub"})
"""Those that are looked through."""

_MAX_NODES = 16
_MAX_POWER = 4
_FLOATS = (ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.DOUBLE)


@dataclass
class Polynomials:
    """What is computed from one or two values by sums, products and powers in one graph.

    Attributes:
        x: the first value.
        t: the second one, if there are two.
        graph: the graph of the nodes that are looked at.
        nodes: the nodes that were, from the results back.
    """

    x: ir.Value
    t: ir.Value | None
    graph: ir.Graph | ir.Function | None
    nodes: dict[ir.Node, None] = field(default_factory=dict)

    def of(self, value: ir.Value | None) -> Polynomial | None:
        """Return a value as a polynomial, ``None`` if it is none."""
        if value is None:
            return None
        if value is self.x:
            return {(1, 0): 1.0}
        if value is self.t:
            return {(0, 1): 1.0}
        if value.const_value is not None:
            return self._constant(value)
        node = value.producer()
        if node is None or node.domain != "" or node.graph is not self.graph or len(self.nodes) >= _MAX_NODES:
            return None
        self.nodes[node] = None
        return self._computed(node)

    def _computed(self, node: ir.Node) -> Polynomial | None:
        if node.op_type == "Cast":
            whole = node.outputs[0].dtype in _FLOATS and node.inputs[0] is not None and node.inputs[0].dtype in _FLOATS
            return self.of(node.inputs[0]) if whole else None
        if node.op_type not in OPERATORS or len(node.inputs) != 2:
            return None
        first = self.of(node.inputs[0])
        second = None if first is None else self.of(node.inputs[1])
        if first is None or second is None:
            return None
        if node.op_type == "Add":
            return _sum(first, second)
        if node.op_type == "Sub":
            return _sum(first, _scaled(second, -1))
        if node.op_type == "Mul":
            return _product(first, second)
        number = _number(second)
        if number is None:
            return None
        if node.op_type == "Div":
            return _scaled(first, 1 / number) if number else None
        return _power(first, number)

    def _constant(self, value: ir.Value) -> Polynomial | None:
        """Return a constant of one element that does not add axes to x."""
        tensor, shape = value.const_value, self.x.shape
        if tensor is None or tensor.size != 1 or (tensor.dtype not in _FLOATS and not tensor.dtype.is_integer()):
            return None
        if len(tensor.shape) and (shape is None or len(tensor.shape) > shape.rank()):
            return None
        return _sum({(0, 0): float(tensor.numpy().reshape(-1)[0])}, {})


def _number(polynomial: Polynomial) -> float | None:
    return polynomial.get((0, 0), 0.0) if polynomial.keys() <= {(0, 0)} else None


def _sum(first: Polynomial, second: Polynomial) -> Polynomial:
    total: dict[tuple[int, int], float] = defaultdict(float, first)
    for exponents, factor in second.items():
        total[exponents] += factor
    return {exponents: factor for exponents, factor in total.items() if factor and np.isfinite(factor)}


def _scaled(polynomial: Polynomial, by: float) -> Polynomial:
    return {exponents: factor * by for exponents, factor in polynomial.items()}


def _product(first: Polynomial, second: Polynomial) -> Polynomial:
    total: Polynomial = {}
    for (i, j), factor in first.items():
        total = _sum(total, {(i + k, j + m): factor * other for (k, m), other in second.items()})
    return total


def _power(polynomial: Polynomial, exponent: float) -> Polynomial | None:
    if exponent not in range(1, _MAX_POWER + 1):
        return None
    result = polynomial
    for _ in range(int(exponent) - 1):
        result = _product(result, polynomial)
    return result
