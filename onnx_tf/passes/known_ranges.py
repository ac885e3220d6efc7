"""Between which bounds the integers of a model lie, whatever it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import onnx_ir as ir

__all__ = ["INT32", "Range", "known_ranges", "range_of_dtype"]

Range: TypeAlias = "tuple[int, int]"
"""The smallest and the largest number that a value may hold."""

INT32: Range = (-(1 << 31), (1 << 31) - 1)
INT64: Range = (-(1 << 63), (1 << 63) - 1)

_DIMENSION: Range = (0, INT32[1])
"""What dimensions, indices and numbers of elements are: a runtime counts them in 32 bits."""

_COUNTED = {"ArgMax": (0,), "ArgMin": (0,), "NonZero": (0,), "Shape": (0,), "Size": (0,), "TopK": (1,)}
"""Operators, and which of their results are indices or dimensions."""

_MOVING = frozenset(
    """
    CenterCropPad Compress Expand Flatten Gather GatherElements GatherND Identity ReduceMax ReduceMin Reshape
    ReverseSequence Slice Split Squeeze Tile TopK Transpose Unique Unsqueeze
    """.split()  # noqa: SIM905
)
"""What gives elements of its first input."""


def known_ranges(graph: ir.Graph) -> dict[ir.Value, Range]:
    """Return the range of each integer value of a graph and its bodies that has one narrower than its dtype."""
    ranges: dict[ir.Value, Range] = {}
    for value in graph.initializers.values():
        _state(ranges, value, _of_constant(value))
    for node in graph.all_nodes():
        for index, output in enumerate(node.outputs):
            _state(ranges, output, _of_output(node, index, ranges))
    return ranges


def range_of_dtype(dtype: ir.DataType | None) -> Range | None:
    """Return what an integer dtype or bool can hold; ``None`` for all others."""
    if dtype is ir.DataType.BOOL:
        return 0, 1
    if dtype is None or not dtype.is_integer():
        return None
    bits = dtype.bitwidth
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if dtype.is_signed() else (0, (1 << bits) - 1)


def _state(ranges: dict[ir.Value, Range], value: ir.Value, found: Range | None) -> None:
    whole = range_of_dtype(value.dtype)
    if whole is not None and found is not None and whole[0] <= found[0] and found[1] <= whole[1]:
        ranges[value] = found


def _of_constant(value: ir.Value) -> Range | None:
    tensor = value.const_value
    if tensor is None or value.is_graph_input() or not tensor.size or range_of_dtype(tensor.dtype) is None:
        return None
    array = tensor.numpy()
    return int(array.min()), int(array.max())


def _of_output(node: ir.Node, index: int, ranges: dict[ir.Value, Range]) -> Range | None:
    if node.domain != "":
        return None
    if index in _COUNTED.get(node.op_type, ()):
        return _DIMENSION
    inputs = [None if value is None else ranges.get(value, range_of_dtype(value.dtype)) for value in node.inputs]
    if node.op_type in _MOVING:
        return inputs[0]
    rule = _RULES.get(node.op_type)
    return None if rule is None or None in inputs else rule(inputs)  # type: ignore[arg-type]


def _corners(function: Callable[[int, int], int]) -> Callable[[Sequence[Range]], Range]:
    """Return the rule of a function of two numbers that is monotonic in each."""

    def rule(ranges: Sequence[Range]) -> Range:
        a, b = ranges
        found = [function(x, y) for x in a for y in b]
        return min(found), max(found)

    return rule


def _folded(choose_low: Callable[..., int], choose_high: Callable[..., int]) -> Callable[[Sequence[Range]], Range]:
    return lambda ranges: (choose_low(r[0] for r in ranges), choose_high(r[1] for r in ranges))


def _quotient(ranges: Sequence[Range]) -> Range | None:
    (low, high), divisor = ranges
    if divisor[0] <= 0 <= divisor[1]:  # a quotient is no larger than its dividend
        largest = max(abs(low), abs(high))
        return -largest, largest
    return _corners(lambda x, y: int(np.sign(x) * np.sign(y)) * (abs(x) // abs(y)))(ranges)


def _remainder(ranges: Sequence[Range]) -> Range:
    (low, high), (least, most) = ranges
    largest = max(abs(least), abs(most)) - 1
    if low >= 0 and least > 0:
        return 0, min(high, largest)
    return -largest, largest


def _magnitude(ranges: Sequence[Range]) -> Range:
    low, high = ranges[0]
    return 0 if low <= 0 <= high else min(abs(low), abs(high)), max(abs(low), abs(high))


def _between(ranges: Sequence[Range]) -> Range:
    (start, _), (_, limit), *_ = ranges
    return min(start, ranges[1][0]), max(limit, ranges[0][1])


_RULES: dict[str, Callable[[Sequence[Range]], Range | None]] = {
    "Abs": _magnitude,
    "Add": _corners(lambda x, y: x + y),
    "Cast": lambda ranges: ranges[0],
    "Concat": _folded(min, max),
    "Div": _quotient,
    "Max": _folded(max, max),
    "Min": _folded(min, min),
    "Mod": _remainder,
    "Mul": _corners(lambda x, y: x * y),
    "Neg": lambda ranges: (-ranges[0][1], -ranges[0][0]),
    "Range": _between,
    "Sign": lambda _: (-1, 1),
    "Sub": _corners(lambda x, y: x - y),
    "Where": lambda ranges: _folded(min, max)(ranges[1:]),
}
"""From the ranges of all inputs to that of the result."""
