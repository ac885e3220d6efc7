"""What the model states of values: ranks, dimensions, bytes, and how Reshape groups dimensions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

__all__ = ["Dim", "Group", "Shapes", "constant", "reshape_groups", "same_memory"]

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

    def dims(self, value: ir.Value | None) -> tuple[Dim, ...] | None:
        """Return the dimensions, or ``None`` where the rank is unknown."""
        if value is None:
            return None
        if value not in self._dims:
            self._dims[value] = self._read(value)
        return self._dims[value]

    def rank(self, value: ir.Value | None) -> int | None:
        """Return the rank, or ``None`` where it is unknown."""
        dims = self.dims(value)
        return None if dims is None else len(dims)

    def nbytes(self, value: ir.Value) -> int:
        """Return the size in bytes, with the same guess for every unknown dimension but the batch."""
        dims = self.dims(value) or ()
        sizes = [d if isinstance(d, int) else GUESSED_DIM if i else GUESSED_BATCH for i, d in enumerate(dims)]
        return max(1, int(math.prod(sizes) * (value.dtype.itemsize if value.dtype is not None else 4)))

    def _read(self, value: ir.Value) -> tuple[Dim, ...] | None:
        shape = value.const_value.shape if value.const_value is not None else value.shape
        if shape is None:
            return None
        return tuple(d if isinstance(d, int) else self._name(d.value) for d in shape)

    def _name(self, name: str | None) -> str | None:
        return None if name is None or name in self._anonymous else name


def _ambiguous_names(graph: ir.Graph) -> set[str]:
    # Some exporters call every unknown dimension "?" or "None": such a name says nothing.
    found = {"", "?", "None", "unk"}
    for value in graph.inputs:
        names = Counter(d.value for d in value.shape or () if not isinstance(d, int) and d.value is not None)
        found |= {name for name, count in names.items() if count > 1}
    return found


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
