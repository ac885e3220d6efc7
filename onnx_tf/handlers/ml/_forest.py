"""Tree ensembles as arrays over nodes, and the walk of all rows down all trees at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER", "LEAF")
"""Node modes in the order in which ai.onnx.ml 5 numbers them; it has no node for a leaf."""

_TRUE_WHEN = {
    "BRANCH_LEQ": (True, True, False, False),
    "BRANCH_LT": (True, False, False, False),
    "BRANCH_GTE": (False, True, True, False),
    "BRANCH_GT": (False, False, True, False),
    "BRANCH_EQ": (False, True, False, False),
    "BRANCH_NEQ": (True, False, True, True),
    "BRANCH_MEMBER": (False, True, False, False),
    "LEAF": (False, False, False, False),
}
"""Whether a mode's test holds for a feature that is less, equal, greater, or NaN."""


@dataclass(frozen=True)
class Forest:
    """Trees as arrays; entry ``i`` describes node ``i`` of all trees together.

    Attributes:
        roots: the root of each tree.
        features: the feature that a node tests.
        thresholds: what it is compared with.
        children: the next node where the feature is less, equal, greater or NaN, [nodes, 4]; a
            leaf is its own child.
        depth: the number of steps after which every walk has come to its leaf.
        members: for BRANCH_MEMBER nodes, by node: the set that the feature is looked up in.
    """

    roots: np.ndarray
    features: np.ndarray
    thresholds: np.ndarray
    children: np.ndarray
    depth: int
    members: dict[int, np.ndarray]

    def leaves(self, x: tf.Tensor) -> tf.Tensor:
        """Return the node at which each row of features ends in each tree, [N, trees]."""
        thresholds = tf.constant(self.thresholds.astype(x.dtype.as_numpy_dtype))
        features = tf.constant(self.features, tf.int32)
        children = tf.constant(self.children.reshape(-1), tf.int32)

        def descend(nodes: tf.Tensor) -> tuple[tf.Tensor]:
            value = tf.gather(x, tf.gather(features, nodes), batch_dims=1)
            threshold = tf.gather(thresholds, nodes)
            at_least, above = tf.cast(value >= threshold, tf.int32), tf.cast(value > threshold, tf.int32)
            outcome = at_least + above
            if self.members:
                outcome = tf.where(self._is_member_node(nodes), self._is_member(nodes, value), outcome)
            outcome = tf.where(tf.math.is_nan(value), 3, outcome)
            return (tf.gather(children, nodes * 4 + outcome),)

        start = tf.tile(tf.constant(self.roots[np.newaxis], tf.int32), [tf.shape(x)[0], 1])
        start.set_shape([x.shape[0], len(self.roots)])
        return tf.while_loop(lambda _: tf.constant(True), descend, (start,), maximum_iterations=self.depth)[0]

    def _is_member_node(self, nodes: tf.Tensor) -> tf.Tensor:
        flags = np.zeros(len(self.features), bool)
        flags[list(self.members)] = True
        return tf.gather(tf.constant(flags), nodes)

    def _is_member(self, nodes: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
        widest = max(len(members) for members in self.members.values())
        table = np.full((len(self.members) + 1, widest), np.nan, value.dtype.as_numpy_dtype)
        rows = np.zeros(len(self.features), np.int32)
        for row, (node, members) in enumerate(self.members.items(), 1):
            table[row, : len(members)] = members
            rows[node] = row
        candidates = tf.gather(tf.constant(table), tf.gather(tf.constant(rows), nodes))
        return tf.cast(tf.reduce_any(candidates == value[..., tf.newaxis], axis=-1), tf.int32)


def forest(
    roots: Sequence[int],
    features: Sequence[int],
    thresholds: np.ndarray,
    modes: Sequence[str],
    true_nodes: Sequence[int],
    false_nodes: Sequence[int],
    missing_is_true: Sequence[int] | None,
    members: dict[int, np.ndarray],
) -> Forest:
    """Return a forest from one entry per node; nodes are named by their position.

    Raises:
        ValueError: an unknown mode, a child that is no node, or a cycle.
    """
    unknown = set(modes) - set(MODES)
    if unknown:
        raise ValueError(f"node mode {unknown.pop()!r} is not known: the modes are {', '.join(MODES)}")
    count = len(modes)
    is_leaf = np.array([mode == "LEAF" for mode in modes], bool)
    own = np.arange(count)
    true_child = np.where(is_leaf, own, np.array(true_nodes, np.int64))
    false_child = np.where(is_leaf, own, np.array(false_nodes, np.int64))
    if count and (min(true_child.min(), false_child.min()) < 0 or max(true_child.max(), false_child.max()) >= count):
        raise ValueError("a tree node points to a node that does not exist")
    holds = np.array([_TRUE_WHEN[mode] for mode in modes], bool).reshape(count, 4)
    if missing_is_true:
        holds[: len(missing_is_true), 3] |= np.array(missing_is_true[:count]) == 1
    children = np.where(holds, true_child[:, np.newaxis], false_child[:, np.newaxis])
    return Forest(
        roots=np.array(roots),
        features=np.where(is_leaf, 0, np.array(features)),
        thresholds=np.where(is_leaf, 0, thresholds),
        children=children,
        depth=_depth(np.array(roots), true_child, false_child, is_leaf),
        members=members,
    )


def _depth(roots: np.ndarray, true_child: np.ndarray, false_child: np.ndarray, is_leaf: np.ndarray) -> int:
    """Return the number of steps of the longest walk from a root to a leaf."""
    level = np.unique(roots)
    for depth in range(len(is_leaf) + 1):
        level = level[~is_leaf[level]]
        if not level.size:
            return depth
        level = np.unique(np.concatenate([true_child[level], false_child[level]]))
    raise ValueError("the nodes of a tree form a cycle")
