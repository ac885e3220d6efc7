"""What the nodes of trees ask, all of it said as one comparison: whether a feature is at most a threshold.

``x > t`` is that with the children exchanged, ``x >= t`` is ``-x <= -t``, and equality is both, one node after the
other. Where NaN goes the feature says, which has -inf in its place if the comparison is to hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

__all__ = ["MODES", "NEGATED", "NEVER_NAN", "Comparisons", "comparisons"]

MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER", "LEAF")
"""Node modes in the order in which ai.onnx.ml 5 numbers them; it has no node for a leaf."""

NEVER_NAN, NEGATED = 1, 2
"""Bits of a variant of a feature: that it has -inf for NaN, and that its sign is changed before."""

_IS_NEGATED = {"BRANCH_LT": True, "BRANCH_GTE": True}
_IS_EXCHANGED = {"BRANCH_LT": True, "BRANCH_GT": True, "BRANCH_NEQ": True}


@dataclass
class Comparisons:
    """Nodes that compare, by number; those of the file come first and keep theirs.

    Attributes:
        features: the feature that a node compares.
        variants: of what kind it is, see :data:`NEVER_NAN`.
        thresholds: what it is at most where the comparison holds.
        true_nodes: the next node if it does.
        false_nodes: the next node if not.
    """

    features: list[int] = field(default_factory=list)
    variants: list[int] = field(default_factory=list)
    thresholds: list[float] = field(default_factory=list)
    true_nodes: list[int] = field(default_factory=list)
    false_nodes: list[int] = field(default_factory=list)

    def put(self, node: int | None, feature: int, test: _Test, true_node: int, false_node: int) -> int:
        """Make a node, or a new one, ask for a test; return its number."""
        if node is None:
            node = len(self.features)
            for column in (self.features, self.variants, self.thresholds, self.true_nodes, self.false_nodes):
                column.append(0)
        if test.is_exchanged:
            true_node, false_node = false_node, true_node
        self.features[node], self.thresholds[node] = feature, test.threshold
        self.variants[node] = NEVER_NAN * (test.takes_nan != test.is_exchanged) + NEGATED * test.is_negated
        self.true_nodes[node], self.false_nodes[node] = true_node, false_node
        return node


@dataclass(frozen=True)
class _Test:
    """A comparison, maybe of the negated feature or with the children exchanged, and whether it holds for NaN."""

    threshold: float
    takes_nan: bool
    is_negated: bool = False
    is_exchanged: bool = False


def comparisons(
    features: Sequence[int],
    thresholds: np.ndarray,
    modes: Sequence[str],
    true_nodes: Sequence[int],
    false_nodes: Sequence[int],
    missing_is_true: Sequence[int] | None,
    members: Mapping[int, np.ndarray],
) -> Comparisons:
    """Return nodes that compare for nodes of every mode; a leaf is its own child.

    Args:
        features: by node, as all that follows, what it tests.
        thresholds: with what.
        modes: how, see :data:`MODES`.
        true_nodes: the next node if the test holds.
        false_nodes: the next node if not.
        missing_is_true: whether it holds for NaN whatever the mode; may end early.
        members: for BRANCH_MEMBER nodes the set that the feature is looked up in.

    Raises:
        ValueError: an unknown mode.
    """
    unknown = set(modes) - set(MODES)
    if unknown:
        raise ValueError(f"node mode {unknown.pop()!r} is not known: the modes are {', '.join(MODES)}")
    count = len(modes)
    made = Comparisons([0] * count, [0] * count, [np.nan] * count, list(range(count)), list(range(count)))
    missing = list(missing_is_true or ())[:count]
    missing += [0] * (count - len(missing))
    for node, mode in enumerate(modes):
        if mode == "LEAF":
            continue
        feature, threshold, takes_nan = int(features[node]), float(thresholds[node]), missing[node] == 1
        children = int(true_nodes[node]), int(false_nodes[node])
        if mode in ("BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER"):
            wanted = np.unique(members.get(node, ())) if mode == "BRANCH_MEMBER" else np.array([threshold])
            if mode == "BRANCH_NEQ":
                takes_nan, children = False, children[::-1]
            _look_up(made, node, feature, wanted[~np.isnan(wanted)], takes_nan, *children)
        elif np.isnan(threshold):
            made.put(node, feature, _nothing_but_nan(takes_nan), *children)
        else:
            is_negated, is_exchanged = _IS_NEGATED.get(mode, False), _IS_EXCHANGED.get(mode, False)
            test = _Test(-threshold if is_negated else threshold, takes_nan, is_negated, is_exchanged)
            made.put(node, feature, test, *children)
    return made


def _nothing_but_nan(takes_nan: bool) -> _Test:
    """Return a test that holds for no number."""
    return _Test(np.inf, takes_nan, is_exchanged=True)


def _look_up(
    made: Comparisons,
    node: int | None,
    feature: int,
    members: np.ndarray,
    takes_nan: bool,
    true_node: int,
    false_node: int,
) -> int:
    """Make a node ask whether a feature is one of some sorted numbers; return its number."""
    if not members.size:
        return made.put(node, feature, _nothing_but_nan(takes_nan), true_node, false_node)
    if len(members) == 1:
        (member,) = members.tolist()
        at_least = made.put(None, feature, _Test(-member, takes_nan, is_negated=True), true_node, false_node)
        return made.put(node, feature, _Test(member, takes_nan), at_least, false_node)
    middle = len(members) // 2
    halves = [
        _look_up(made, None, feature, half, takes_nan, true_node, false_node)
        for half in (members[:middle], members[middle:])
    ]
    return made.put(node, feature, _Test(members[middle - 1].item(), takes_nan), *halves)
