"""A model's calls as a tree of blocks: the scopes of its nodes' names, as far as they can be functions."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from onnx_tf.export.keras_source.calls import Call, Value

__all__ = ["Block", "Item", "tree_of"]

Scope = tuple[str, ...]


@dataclass(eq=False)
class Block:
    """Calls that can be a function: nothing outside takes a result of theirs and gives them something for it.

    Attributes:
        scope: the scope that they lie in, from the outermost on.
        items: calls and blocks, each behind those whose results it takes.
    """

    scope: Scope
    items: list[Item] = field(default_factory=list)

    def calls(self) -> Iterator[Call]:
        """Yield all calls, in order."""
        for item in self.items:
            yield from item.calls() if isinstance(item, Block) else [item]

    @property
    def height(self) -> int:
        """How many blocks lie in one another at most, itself included."""
        return 1 + max((item.height for item in self.items if isinstance(item, Block)), default=0)


Item: TypeAlias = "Call | Block"


def tree_of(calls: Sequence[Call], scopes: Mapping[Call, Scope], scope: Scope = ()) -> Block:
    """Return the block of calls that all lie in one scope.

    Args:
        calls: the calls, each behind those whose results it takes.
        scopes: the scope of each.
        scope: the one that all lie in.
    """
    level = len(scope)
    common = {scopes[call][: level + 1] for call in calls}
    if len(common) == 1 and len(next(iter(common))) > level:
        return tree_of(calls, scopes, next(iter(common)))
    pieces = _pieces(calls, scopes, level)
    ordered = _ordered(pieces) or _runs(calls, scopes, level)
    items: list[Item] = []
    for piece in ordered:
        inner = scopes[piece[0]][: level + 1]
        if len(piece) == 1 or len(inner) <= level:
            items.extend(piece)
        else:
            items.append(tree_of(piece, scopes, inner))
    return Block(scope, items)


def _pieces(calls: Sequence[Call], scopes: Mapping[Call, Scope], level: int) -> list[list[Call]]:
    """Return the calls of each scope, those of scopes that cannot be one block in runs, all others alone."""
    groups: dict[object, list[Call]] = {}
    for call in calls:
        own = scopes[call]
        groups.setdefault(own[level] if len(own) > level else call, []).append(call)
    pieces = []
    for group in groups.values():
        pieces += [group] if len(group) == 1 or _is_convex(calls, group) else _runs_of(calls, group)
    position = {call: index for index, call in enumerate(calls)}
    return sorted(pieces, key=lambda piece: position[piece[0]])


def _is_convex(calls: Sequence[Call], group: Sequence[Call]) -> bool:
    """Tell whether no way leads out of a group and into it again."""
    inside, own, left = set(group), set[Value](), set[Value]()
    for call in calls:
        inputs = call.inputs
        if call in inside:
            if not left.isdisjoint(inputs):
                return False
            own.update(call.outputs)
        elif not left.isdisjoint(inputs) or not own.isdisjoint(inputs):
            left.update(call.outputs)
    return True


def _runs_of(calls: Sequence[Call], group: Sequence[Call]) -> list[list[Call]]:
    inside = set(group)
    return [list(run) for is_own, run in itertools.groupby(calls, lambda call: call in inside) if is_own]


def _runs(calls: Sequence[Call], scopes: Mapping[Call, Scope], level: int) -> list[Sequence[Call]]:
    """Return consecutive calls of one scope together."""
    return [list(run) for _, run in itertools.groupby(calls, lambda call: scopes[call][: level + 1])]


def _ordered(pieces: Sequence[Sequence[Call]]) -> list[Sequence[Call]] | None:
    """Return pieces each behind those whose results it takes, otherwise in their order; none where that cannot be."""
    makers = {value: index for index, piece in enumerate(pieces) for call in piece for value in call.outputs}
    needs = [
        {makers[value] for call in piece for value in call.inputs if value in makers} - {index}
        for index, piece in enumerate(pieces)
    ]
    users: dict[int, list[int]] = {}
    for index, needed in enumerate(needs):
        for other in needed:
            users.setdefault(other, []).append(index)
    waiting = [index for index, needed in enumerate(needs) if not needed]
    heapq.heapify(waiting)
    found = []
    while waiting:
        index = heapq.heappop(waiting)
        found.append(pieces[index])
        for user in users.get(index, ()):
            needs[user].discard(index)
            if not needs[user]:
                heapq.heappush(waiting, user)
    return found if len(found) == len(pieces) else None
