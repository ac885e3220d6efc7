"""How a Reshape is factored into groups of axes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from onnx_tf.layout.shapes import Group, reshape_groups, same_memory


def groups(before: list, after: list) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    return [(g.before, g.after) for g in reshape_groups(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([2, 8, 4, 4], [2, 8, 16], [((0,), (0,)), ((1,), (1,)), ((2, 3), (2,))]),
        ([2, 8, 4, 4], [2, 2, 4, 4, 4], [((0,), (0,)), ((1,), (1, 2)), ((2,), (3,)), ((3,), (4,))]),
        ([8, 8, 8], [8, 64], [((0,), (0,)), ((1, 2), (1,))]),
        ([2, 6], [3, 4], [((0, 1), (0, 1))]),
        ([2, 8, 1, 1], [2, 8], [((0,), (0,)), ((1,), (1,)), ((2,), ()), ((3,), ())]),
        ([2, 8], [2, 1, 8], [((0,), (0,)), ((), (1,)), ((1,), (2,))]),
        (["n", 8, "h", "w"], ["n", 8, None], [((0,), (0,)), ((1,), (1,)), ((2, 3), (2,))]),
        ([None, 8, 4, 4], [None, 2, 4, 4, 4], [((0,), (0,)), ((1,), (1, 2)), ((2,), (3,)), ((3,), (4,))]),
        (["n", 8, "h", "w"], [None, "h", "w"], [((0, 1), (0,)), ((2,), (1,)), ((3,), (2,))]),
        ([0, 8], [8, 0], [((0, 1), (0, 1))]),
    ],
)
def test_groups(before: list, after: list, expected: list) -> None:
    assert groups(before, after) == expected


def test_a_reshape_that_keeps_groups_whole_is_one_in_any_memory_order() -> None:
    shapes = [(2, 6, 4), (2, 2, 3, 4), (12, 4), (2, 24), (2, 6, 2, 2), (1, 2, 6, 4), (2, 6, 4, 1), (48,)]
    for before, after in itertools.product(shapes, shapes):
        array = np.arange(48).reshape(before)
        found = reshape_groups(before, after)
        for one in itertools.permutations(range(len(before))):
            for other in itertools.permutations(range(len(after))):
                moved = array.transpose(one).reshape([after[a] for a in other])
                wanted = array.reshape(after).transpose(other)
                assert same_memory(found, before, one, after, other) <= bool((moved == wanted).all())


def test_a_group_that_is_turned_is_torn() -> None:
    merged = [Group((0, 1), (0,))]
    assert same_memory(merged, [2, 3], [0, 1], [6], [0])
    assert not same_memory(merged, [2, 3], [1, 0], [6], [0])
