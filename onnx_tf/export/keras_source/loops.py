"""Calls of one function that follow one another, as a loop."""

from __future__ import annotations

import re
from collections.abc import Sequence

from onnx_tf.export.keras_source.blocks import Block
from onnx_tf.export.keras_source.families import Families
from onnx_tf.export.keras_source.leaves import text_of

__all__ = ["carried", "chained", "numbered"]


def chained(families: Families, blocks: Sequence[Block], index: int) -> int:
    """Return how many items from one on do the same with the result of the one before, which nothing else takes.

    Args:
        families: the families.
        blocks: blocks whose items correspond to one another.
        index: the first item.
    """
    items, count = blocks[0].items, 1
    first = items[index]
    if not isinstance(first, Block):
        return 1
    slot = None
    while index + count < len(items):
        before, item = items[index + count - 1], items[index + count]
        if not isinstance(item, Block) or families.of[item] is not families.of[first]:
            break
        given = families.outputs_of(before)
        pairs = list(zip(families.inputs_of(before), families.inputs_of(item), strict=True))
        changed = [i for i, (old, new) in enumerate(pairs) if old != new]
        is_chain = len(given) == 1 and len(changed) == 1 and pairs[changed[0]][1] == given[0]
        if not is_chain or slot not in (None, changed[0]) or not _same_leaves(families, blocks, index, index + count):
            break
        slot = changed[0]
        count += 1
    return count


def carried(families: Families, block: Block, index: int) -> int:
    """Return which of an item's inputs the next item gets from it."""
    given = families.outputs_of(block.items[index])[0]
    return families.inputs_of(block.items[index + 1]).index(given)


def _same_leaves(families: Families, blocks: Sequence[Block], one: int, other: int) -> bool:
    def texts(index: int) -> list[str]:
        return [text_of(leaf.value) for block in blocks for leaf in families.leaves(block.items[index])]

    return texts(one) == texts(other)


def numbered(names: Sequence[str | None], before: str) -> tuple[str, str | None] | None:
    """Return the numbers in names, and the expression of a name with ``i`` for them, if they count up.

    Args:
        names: the names; none where there are no layers.
        before: what stands before them in the expression.
    """
    known = [name for name in names if name is not None]
    if len(known) < len(names):
        return f"range({len(names)})", None
    parts = [re.split(r"(\d+)", name) for name in known]
    if len({len(part) for part in parts}) > 1:
        return None
    differing = [i for i, column in enumerate(zip(*parts, strict=True)) if len(set(column)) > 1]
    if len(differing) != 1 or differing[0] % 2 == 0:
        return None
    at = differing[0]
    numbers = [int(part[at]) for part in parts]
    step = numbers[1] - numbers[0]
    if step < 1 or [str(n) for n in range(numbers[0], numbers[-1] + 1, step)] != [part[at] for part in parts]:
        return None
    bounds = [numbers[-1] + 1] if not numbers[0] and step == 1 else [numbers[0], numbers[-1] + 1]
    bounds += [step] if step > 1 else []
    text = f'f"{before}{"".join(parts[0][:at])}{{i}}{"".join(parts[0][at + 1 :])}"'
    return f"range({', '.join(map(str, bounds))})", text
