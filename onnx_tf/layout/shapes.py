"""What the model states of values: ranks, dimensions, bytes, and how Reshape groups dimensions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnx_tf.schema import optional_int_attribute

__all__ = ["Dim", "Group", "Shapes", "UnknownDim", "constant", "reshape_groups", "same_memory", "stated_shape"]


class UnknownDim(str):
    """The name of a dimension that the model does not name: one axis of one value."""


Dim = int | str | None
"""A dimension: a number, a name (equal names are equal dimensions), or unknown."""

GUESSED_DIM = 64
GUESSED_BATCH = 1


def constant(value: ir.Value | None) -> np.ndarray | None:
    """Return the value of an initializer or constant, else ``None``."""
    if value is None or value.const_value is None or value.dtype is ir.DataType.STRING:
        return None
    return value.const_value.numpy()


class Shapes:
    """The dimensions of every value of a graph, as they were before the pass."""

    def __init__(self, graph: ir.Graph) -> None:
        self._anonymous = _ambiguous_names(graph)
        self._dims: dict[ir.Value, tuple[Dim, ...] | None] = {}
        self._same: dict[str, int | str] = {}

    def dims(self, value: ir.Value | None) -> tuple[Dim, ...] | None:
        """Return the dimensions, or ``None`` where the rank is unknown."""
        if value is None:
            return None
        if value not in self._dims:
            self._dims[value] = self._read(value)
        dims = self._dims[value]
        if dims is None or not self._same:
            return dims
        return tuple(self._known_as(d) if isinstance(d, str) else d for d in dims)

    def equate(self, one: Dim, other: Dim) -> None:
        """Take note that two dimensions are equal."""
        one, other = (self._known_as(d) if isinstance(d, str) else d for d in (one, other))
        if isinstance(one, str) and one != other and other is not None:
            self._same[one] = other
        elif isinstance(other, str) and one != other and one is not None:
            self._same[other] = one

    def _known_as(self, name: str) -> int | str:
        found: int | str = name
        while isinstance(found, str) and found in self._same:
            found = self._same[found]
        if found != name:
            self._same[name] = found
        return found

    def rank(self, value: ir.Value | None) -> int | None:
        """Return the rank, or ``None`` where it is unknown."""
        dims = self.dims(value)
        return None if dims is None else len(dims)

    def nbytes(self, value: ir.Value) -> int:
        """Return the size in bytes, with the same guess for every unknown dimension but the batch."""
        dims = self.dims(value) or ()
        sizes = [d if isinstance(d, int) else GUESSED_DIM if i else GUESSED_BATCH for i, d in enumerate(dims)]
        width = 4 if value.dtype is None or value.dtype is ir.DataType.STRING else value.dtype.itemsize
        return max(1, int(math.prod(sizes) * width))

    def _read(self, value: ir.Value) -> tuple[Dim, ...] | None:
        shape = value.const_value.shape if value.const_value is not None else value.shape
        if shape is None:
            return None
        return tuple(d if isinstance(d, int) else self._name(d.value, value, i) for i, d in enumerate(shape))

    def _name(self, name: str | None, value: ir.Value, axis: int) -> str:
        return UnknownDim(f"{value.name}[{axis}]") if name is None or name in self._anonymous else name


def _ambiguous_names(graph: ir.Graph) -> set[str]:
    # Some exporters call every unknown dimension "?" or "None": such a name says nothing.
    found = {"", "?", "None", "unk"}
    for value in graph.inputs:
        names = Counter(d.value for d in value.shape or () if not isinstance(d, int) and d.value is not None)
        found |= {name for name, count in names.items() if count > 1}
    return found


def stated_shape(value: ir.Value | None, shapes: Shapes) -> list[Dim] | None:
    """Return the dimensions that a vector computed from shapes holds; ``None`` where that is not seen."""
    array = constant(value)
    if array is not None:
        return [int(d) for d in array.reshape(-1)]
    node = value.producer() if value is not None else None
    if node is None or node.domain != "":
        return None
    if node.op_type in ("Cast", "Identity", "Unsqueeze", "Squeeze", "Reshape"):
        inner = stated_shape(node.inputs[0], shapes)
        # A vector or a number stays what it is: none of these changes the order of its elements.
        return inner if (shapes.rank(value) or 0) <= 1 else None
    if node.op_type == "Shape":
        dims = shapes.dims(node.inputs[0])
        start, end = optional_int_attribute(node, "start"), optional_int_attribute(node, "end")
        return None if dims is None else list(dims)[start:end]
    if node.op_type == "Concat":
        pieces = [stated_shape(piece, shapes) for piece in node.inputs]
        return None if any(p is None for p in pieces) else [d for p in pieces for d in p or ()]
    if node.op_type == "Gather":
        inner, picked = stated_shape(node.inputs[0], shapes), constant(node.inputs[1])
        return None if inner is None or picked is None else [inner[int(i)] for i in picked.reshape(-1)]
    if node.op_type == "Slice" and len(node.inputs) >= 3:
        inner = stated_shape(node.inputs[0], shapes)
        bounds = [constant(v) for v in node.inputs[1:]]
        if inner is None or any(b is None or b.size != 1 for b in bounds):
            return None
        start, end, *rest = (int(b.reshape(-1)[0]) for b in bounds if b is not None)
        return inner[slice(start, end, rest[1] if len(rest) > 1 else 1)]
    known = shapes.dims(value)
    count = known[0] if known else 1
    return [None] * count if isinstance(count, int) and len(known or ()) <= 1 else None


@dataclass(frozen=True)
class Group:
    """Adjacent axes before a Reshape and the adjacent axes after it that hold the same elements."""

    before: tuple[int, ...]
    after: tuple[int, ...]


def reshape_groups(before: Sequence[Dim], after: Sequence[Dim]) -> list[Group]:
    """Factor a row-major reshape into the smallest groups of axes whose products must be equal.

    Dimensions that cannot be told apart end up in one group.
    """
    if 0 in before or 0 in after:
        return [Group(tuple(range(len(before))), tuple(range(len(after))))]
    head, i, j = _leading_groups(before, after)
    rest_before, rest_after = before[i:][::-1], after[j:][::-1]
    tail, k, m = _leading_groups(rest_before, rest_after)
    groups = list(head)
    middle = Group(tuple(range(i, len(before) - k)), tuple(range(j, len(after) - m)))
    if middle.before or middle.after:
        groups.append(middle)
    for group in reversed(tail):
        groups.append(
            Group(
                tuple(sorted(len(before) - 1 - a for a in group.before)),
                tuple(sorted(len(after) - 1 - a for a in group.after)),
            )
        )
    return groups


def _leading_groups(before: Sequence[Dim], after: Sequence[Dim]) -> tuple[list[Group], int, int]:
    groups: list[Group] = []
    i = j = 0
    while i < len(before) or j < len(after):
        if i < len(before) and j < len(after) and before[i] is not None and before[i] == after[j]:
            step = (1, 1)
        elif i < len(before) and before[i] == 1:
            step = (1, 0)
        elif j < len(after) and after[j] == 1:
            step = (0, 1)
        else:
            found = _equal_prefixes(before[i:], after[j:])
            if found is None:
                break
            step = found
        groups.append(Group(tuple(range(i, i + step[0])), tuple(range(j, j + step[1]))))
        i, j = i + step[0], j + step[1]
    return groups, i, j


def _equal_prefixes(before: Sequence[Dim], after: Sequence[Dim]) -> tuple[int, int] | None:
    lengths = {product: length for length, product in reversed(list(_prefix_products(before)))}
    for length, product in _prefix_products(after):
        if product in lengths:
            return lengths[product], length
    return None


def _prefix_products(dims: Sequence[Dim]) -> Iterator[tuple[int, tuple[int, tuple[str, ...]]]]:
    number = 1
    names: tuple[str, ...] = ()
    for length, dim in enumerate(dims, 1):
        if dim is None:
            return
        if isinstance(dim, int):
            number *= dim
        else:
            names = tuple(sorted((*names, dim)))
        yield length, (number, names)


def same_memory(
    groups: Sequence[Group],
    before: Sequence[Dim],
    order_before: Sequence[int],
    after: Sequence[Dim],
    order_after: Sequence[int],
) -> bool:
    """Tell whether a reshape is still one when its input and its result lie in the given orders.

    An order lists the axes of a value from the outermost in memory to the innermost.
    """
    if list(order_before) == sorted(order_before) and list(order_after) == sorted(order_after):
        return True
    sequence = _group_sequence([g.before for g in groups], before, order_before)
    return sequence is not None and sequence == _group_sequence([g.after for g in groups], after, order_after)


def _group_sequence(groups: Sequence[tuple[int, ...]], dims: Sequence[Dim], order: Sequence[int]) -> list[int] | None:
    """Return the groups as they follow in memory, or ``None`` if one is torn apart or turned."""
    group_of = {axis: index for index, axes in enumerate(groups) for axis in axes}
    sequence: list[int] = []
    last = -1
    for axis in order:
        if dims[axis] == 1:
            continue
        if not sequence or sequence[-1] != group_of[axis] or axis < last:
            sequence.append(group_of[axis])
        last = axis
    return sequence if len(set(sequence)) == len(sequence) else None
