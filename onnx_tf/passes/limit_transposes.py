"""Write Transposes of many axes as some of few, between Reshapes: axes that stay neighbours move as one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import onnx_ir as ir

from onnx_tf.errors import ConversionError
from onnx_tf.passes._regrouping import Dim, Regrouping, joined, known_dims
from onnx_tf.schema import ints_attribute
from onnx_tf.telling import place_of

__all__ = ["limit_transposes"]


def limit_transposes(model: ir.Model, *, rank: int) -> bool:
    """Give Transposes ``rank`` axes at most, 3 or more; return whether any had more.

    Raises:
        ConversionError: several dimensions of one are open.
    """
    changed = [_limit(node, rank) for graph in model.graphs() for node in list(graph)]
    return any(changed)


def _limit(node: ir.Node, rank: int) -> bool:
    source = node.inputs[0] if node.inputs else None
    if node.domain != "" or node.op_type != "Transpose" or source is None or source.shape is None:
        return False
    if source.shape.rank() <= rank:
        return False
    dims = known_dims(source)
    if dims is None:
        raise ConversionError(
            f"it has more than {rank} axes, of which several are open: state them, as with --input-shape",
            **place_of(node),
        )
    perm = ints_attribute(node, "perm") or tuple(reversed(range(len(dims))))
    if sorted(perm) == list(perm):
        return False
    steps = Regrouping(node)
    order = list(range(len(dims)))
    while order != list(perm):
        order = _step(steps, dims, order, perm, rank)
    steps.reshape([dims[axis] for axis in perm])
    steps.finish()
    return True


def _step(steps: Regrouping, dims: Sequence[Dim], order: Sequence[int], perm: Sequence[int], rank: int) -> list[int]:
    """Move axes nearer to where they belong: all at once if their groups are few enough, else one group of them.

    A move of one group takes its neighbours along in cyclic turns: never more than three groups move.
    """
    groups = _neighbours(order, perm)
    if len(groups) <= rank:
        wanted = sorted(groups, key=lambda group: perm.index(group[0]))
        return _transpose(steps, dims, groups, wanted)
    place = next(i for i, axis in enumerate(perm) if order[i] != axis)
    begin = next(i for i, group in enumerate(groups) if perm[place] in group)
    moved = groups[begin]
    before = [axis for group in groups[:begin] for axis in group]
    after = [axis for group in groups[begin + 1 :] for axis in group]
    head, tail = before[:place], before[place:]
    if not head:
        return _transpose(steps, dims, [tail, moved, after], [moved, tail, after])
    if not after:
        return _transpose(steps, dims, [head, tail, moved], [head, moved, tail])
    # head, tail, moved, after: tail behind both, then behind the first of them.
    _transpose(steps, dims, [head, tail, [*moved, *after]], [head, [*moved, *after], tail])
    return _transpose(steps, dims, [[*head, *moved], after, tail], [[*head, *moved], tail, after])


def _neighbours(order: Sequence[int], perm: Sequence[int]) -> list[list[int]]:
    """Return the axes as they lie, those that follow each other in both orders as one group."""
    following = dict(itertools.pairwise(perm))
    groups: list[list[int]] = []
    for axis in order:
        if groups and following.get(groups[-1][-1]) == axis:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    return groups


def _transpose(
    steps: Regrouping, dims: Sequence[Dim], given: Sequence[list[int]], wanted: Sequence[list[int]]
) -> list[int]:
    present = [group for group in given if group]
    result = [group for group in wanted if group]
    steps.reshape([joined([dims[axis] for axis in group]) for group in present])
    perm = [present.index(group) for group in result]
    moved = [joined([dims[axis] for axis in group]) for group in result]
    steps.apply("Transpose", [], {"perm": perm}, moved)
    return [axis for group in result for axis in group]
