"""Equal blocks: what becomes one function that is called several times, and what its arguments are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from onnx_tf.export.keras_source.blocks import Block, Item
from onnx_tf.export.keras_source.calls import Call, Value, tensors_of
from onnx_tf.export.keras_source.leaves import Leaf, leaves_of, multiples_of, text_of
from onnx_tf.export.keras_source.repetitions import DEFINITION_LINES, best_repetition

__all__ = ["Families", "Family"]

MAX_PARAMETERS = 7
"""Functions of more parameters, or of more tensors, are harder to read than what they stand for."""

MAX_RESULTS = 4


@dataclass(eq=False)
class Family:
    """Blocks that do the same with other numbers: one function.

    Attributes:
        blocks: the blocks, whose items correspond to one another: the first is one that shows what differs.
        tensors: for each tensor parameter, its value in each block.
        leaves: for each other parameter, its leaf in each block.
        results: where the values that the function returns come from: item and number of its result.
        multiples: of leaves that are in each block so many times as large as another, by their texts in the blocks:
            the factor and the texts of the other.
        is_nested: whether what the function computes is a model of its own; there is one call of it.
    """

    blocks: list[Block]
    tensors: list[tuple[Value, ...]] = field(default_factory=list)
    leaves: list[tuple[Leaf, ...]] = field(default_factory=list)
    results: list[tuple[int, int]] = field(default_factory=list)
    multiples: dict[tuple[str, ...], tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    is_nested: bool = False

    @property
    def has_distinct_tensors(self) -> bool:
        """Whether each tensor parameter is another value in the first block, by which its function is written."""
        return len({values[0] for values in self.tensors}) == len(self.tensors)


class Families:
    """Finds the families of a model, from the innermost blocks on.

    Attributes:
        of: the family of each block that is a function.
        all: the families, each behind those that it calls.
        root_calls: all calls of the model.
    """

    def __init__(self, root: Block, outputs: Sequence[Value]) -> None:
        self.of: dict[Block, Family] = {}
        self.all: list[Family] = []
        self._users: dict[Value, set[Call]] = {}
        self._outputs = set(outputs)
        self.root_calls = list(root.calls())
        for call in self.root_calls:
            for value in call.inputs:
                self._users.setdefault(value, set()).add(call)
        heights: dict[int, list[Block]] = {}
        for block in _blocks(root):
            heights.setdefault(block.height, []).append(block)
        for height in sorted(heights):
            self._settle(heights[height])
            own = [block for block in heights[height] if block is not root]
            self._group(own)
        self._dissolve(root)
        self._prune(root)

    def add_nested(self, block: Block) -> None:
        """Make a function of one block that becomes a model of its own."""
        family = self._family([block])
        family.is_nested = True
        self.of[block] = family
        self.all.append(family)

    def _prune(self, root: Block) -> None:
        """Write out functions that the others call too seldom, from the outermost on."""
        for family in reversed(list(self.all)):
            bodies = [root, *(other.blocks[0] for other in self.all)]
            inner = [item for body in bodies for item in body.items if isinstance(item, Block)]
            sites = sum(self.of.get(item) is family for item in inner)
            if _is_worth(sites, len(family.blocks[0].items)):
                continue
            for block in family.blocks:
                del self.of[block]
            self.all.remove(family)
            for body in [root, *(block for other in self.all for block in other.blocks)]:
                self._dissolve(body)
        for family in self.all:
            found = self._family(family.blocks)
            family.blocks, family.tensors, family.leaves = found.blocks, found.tensors, found.leaves
            family.results = found.results
            family.multiples = found.multiples

    def _settle(self, blocks: Sequence[Block]) -> None:
        """Put what is no function in the place of blocks, and find repetitions in what is there then."""
        for block in blocks:
            self._dissolve(block)
        count = -1
        while count != len(self.all):
            count = len(self.all)
            self._settle_pieces([piece for block in blocks for piece in self._repeated(block)])
            for block in blocks:
                self._dissolve(block)

    def _settle_pieces(self, pieces: Sequence[Block]) -> None:
        if pieces:
            self._settle(pieces)
            self._group(pieces)

    def _dissolve(self, block: Block) -> None:
        items: list[Item] = []
        for item in block.items:
            items.extend(item.items if isinstance(item, Block) and item not in self.of else [item])
        block.items = items

    def _group(self, blocks: Sequence[Block], is_strict: bool = False) -> None:
        groups: dict[Any, list[Block]] = {}
        for block in blocks:
            groups.setdefault(self.signature(block.items, is_strict), []).append(block)
        for group in groups.values():
            if not _is_worth(len(group), len(group[0].items)):
                continue
            family = self._family(group)
            fits = len(family.leaves) <= MAX_PARAMETERS and len(family.results) <= MAX_RESULTS
            if fits and 0 < len(family.tensors) <= MAX_PARAMETERS and family.has_distinct_tensors:
                self.all.append(family)
                self.of.update(dict.fromkeys(group, family))
            elif not is_strict:
                self._group(group, is_strict=True)

    def signature(self, items: Sequence[Item], is_strict: bool = False) -> Any:
        """Return what is equal for items that can be calls of one function."""
        places = {value: (i, j) for i, item in enumerate(items) for j, value in enumerate(self.outputs_of(item))}
        wired = tuple(tuple(places.get(value) for value in self.inputs_of(item)) for item in items)
        own = tuple(self._kind(item) for item in items)
        written = tuple(text_of(leaf.value) for item in items for leaf in self.leaves(item)) if is_strict else ()
        return own, wired, written

    def _kind(self, item: Item) -> Any:
        if isinstance(item, Block):
            return id(self.of[item])
        shapes = tuple((argument.name, _shape(argument.value)) for argument in item.arguments)
        key = repr(item.arguments[1].value) if item.function == "[]" else ""
        function = item.function if isinstance(item.function, str) else "layer"
        return function, bool(item.layer), len(item.outputs), shapes, key

    def inputs_of(self, item: Item) -> list[Value]:
        """Return the tensors that an item takes."""
        if isinstance(item, Call):
            return item.inputs
        family = self.of[item]
        index = family.blocks.index(item)
        return [values[index] for values in family.tensors]

    def outputs_of(self, item: Item) -> list[Value]:
        """Return what an item gives."""
        if isinstance(item, Call):
            return list(item.outputs)
        return [self.outputs_of(item.items[i])[j] for i, j in self.of[item].results]

    def leaves(self, item: Item) -> list[Leaf]:
        """Return what an item takes that is no tensor."""
        if isinstance(item, Call):
            return leaves_of(item)
        family = self.of[item]
        index = family.blocks.index(item)
        return [leaves[index] for leaves in family.leaves]

    def _family(self, blocks: list[Block]) -> Family:
        """Return the family of blocks with one signature, with its parameters."""
        family = Family(blocks)
        produced = [{v for item in block.items for v in self.outputs_of(item)} for block in blocks]
        tensors: dict[tuple[Value, ...], None] = {}
        leaves: dict[tuple[str, ...], tuple[Leaf, ...]] = {}
        for items in zip(*(block.items for block in blocks), strict=True):
            for values in zip(*map(self.inputs_of, items), strict=True):
                if values[0] not in produced[0]:
                    tensors[values] = None
            for row in zip(*map(self.leaves, items), strict=True):
                texts = tuple(text_of(leaf.value) for leaf in row)
                if len(set(texts)) > 1:
                    leaves.setdefault(texts, row)
        family.multiples = multiples_of(leaves)
        family.tensors = list(tensors)
        shown = max(range(len(blocks)), key=lambda i: len({values[i] for values in family.tensors}))
        if shown and not family.has_distinct_tensors:
            return self._family([blocks[shown], *blocks[:shown], *blocks[shown + 1 :]])
        family.leaves = [row for texts, row in leaves.items() if texts not in family.multiples]
        inside = [set(block.calls()) for block in blocks]
        family.results = [
            (i, j)
            for i, item in enumerate(blocks[0].items)
            for j in range(len(self.outputs_of(item)))
            if any(self._is_used(self.outputs_of(b.items[i])[j], own) for b, own in zip(blocks, inside, strict=True))
        ]
        return family

    def _is_used(self, value: Value, inside: set[Call]) -> bool:
        return value in self._outputs or not self._users.get(value, set()) <= inside

    def _repeated(self, block: Block) -> list[Block]:
        """Make blocks of items that repeat what is right before them, where that saves most, and return them."""
        found = best_repetition([self._kind(item) for item in block.items])
        if found is None:
            return []
        first, period, count = found
        first += self._cut(block.items, first, period, count)
        pieces = [
            Block(block.scope, block.items[start : start + period])
            for start in range(first, first + period * count, period)
        ]
        pieces = [piece for piece in pieces if len(piece.items) == period]
        if len(pieces) < 2:
            return []
        block.items[first : first + period * len(pieces)] = pieces
        return pieces

    def _cut(self, items: Sequence[Item], first: int, period: int, count: int) -> int:
        """Return by how much to move the cuts between repetitions so that least goes across them."""
        spare = 0
        while first + period * count + spare < len(items) and spare < period - 1:
            index = first + period * count + spare
            if self._kind(items[index]) != self._kind(items[index - period]):
                break
            spare += 1

        def crossing(shift: int) -> int:
            start, end = first + shift, first + shift + period
            taken = {v for item in items[start:end] for v in self.inputs_of(item)}
            given = {v for item in items[start:end] for v in self.outputs_of(item)}
            later = {v for item in items[end:] for v in self.inputs_of(item)}
            return len(taken - given) + 2 * len(given & (later | self._outputs))

        return min(range(spare + 1), key=crossing)


def _is_worth(count: int, lines: int) -> bool:
    """Tell whether a function that is called so often, of so many lines, makes the source shorter."""
    return count * lines > count + lines + DEFINITION_LINES


def _blocks(block: Block) -> Iterator[Block]:
    yield block
    for item in block.items:
        if isinstance(item, Block):
            yield from _blocks(item)


def _shape(value: Any) -> Any:
    if isinstance(value, Value):
        return "tensor"
    if isinstance(value, (tuple, list)) and any(True for _ in tensors_of(value)):
        return tuple(map(_shape, value))
    return "leaf"
