"""Tree ensembles as arrays over nodes, and the walk of all rows down all trees at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from onnx_tf.handlers._tensors import dims_of
from onnx_tf.handlers.ml._tests import NEGATED, NEVER_NAN, Comparisons, comparisons

__all__ = ["Forest", "Step", "by_packed_nodes", "by_single_tables", "forest"]

MAX_LAID_OUT_STEPS = 32
"""Walks of up to so many steps are laid out in the graph, longer ones are a loop."""

STEPS_OF_A_TURN = 8
"""So many steps a turn of the loop takes: a turn costs as much as a step."""


@dataclass(frozen=True)
class Forest:
    """Trees as arrays; entry ``i`` describes place ``i`` of all trees together.

    The roots have the first places. The children of a node have places beside each other, so that
    the second of them is one further; a node with several parents has several places.

    Attributes:
        trees: their number.
        features: the column of the variants of features that a node compares.
        thresholds: what it is at most where the comparison holds.
        children: the place of the child where it does not; a leaf is its own.
        nodes: which node of the file is there; 0 where that is none, which no walk ends at.
        depth: the number of steps after which every walk has come to its leaf.
        variants: of every feature those that lie in columns beside each other.
    """

    trees: int
    features: np.ndarray
    thresholds: np.ndarray
    children: np.ndarray
    nodes: np.ndarray
    depth: int
    variants: tuple[int, ...]

    @property
    def is_leaf(self) -> np.ndarray:
        """Whether there is a leaf, by place."""
        return self.children == np.arange(len(self.children))

    def leaves(self, x: tf.Tensor, step: Step) -> tf.Tensor:
        """Return the place at which each row of features ends in each tree, [N, trees]."""
        columns, roots = self._columns(x), slice(self.trees)
        if not self.depth:
            return tf.broadcast_to(tf.range(self.trees), [dims_of(x)[0], self.trees])
        thresholds = self.thresholds.astype(x.dtype.as_numpy_dtype)
        holds = tf.gather(columns, self.features[roots], axis=1) <= thresholds[roots]
        places = tf.cast(holds, tf.int32) + tf.constant(self.children[roots])
        further = step(self, columns, tf.constant(thresholds))
        if self.depth <= MAX_LAID_OUT_STEPS:
            return _repeated(further, places, self.depth - 1)

        def turn(_: tf.Tensor, places: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            before = _repeated(further, places, STEPS_OF_A_TURN - 1)
            after = further(before)
            return tf.reduce_any(after != before), after

        # Few rows come to the deepest leaves.
        return tf.while_loop(lambda goes_on, _: goes_on, turn, (tf.constant(True), places))[1]

    def _columns(self, x: tf.Tensor) -> tf.Tensor:
        """Return the variants of all features, [N, features * variants]."""
        if self.variants == (0,):
            return x
        lowest = tf.constant(-np.inf, x.dtype)
        made = []
        for variant in self.variants:
            column = -x if variant & NEGATED else x
            made.append(tf.where(tf.math.is_nan(x), lowest, column) if variant & NEVER_NAN else column)
        if len(made) == 1:
            return made[0]
        rows, count = dims_of(x)
        return tf.reshape(tf.stack(made, axis=-1), [rows, count * len(made)])


Step = Callable[[Forest, tf.Tensor, tf.Tensor], Callable[[tf.Tensor], tf.Tensor]]
"""Takes a forest, columns of features and thresholds, returns what takes places and returns those of the next nodes."""


def by_packed_nodes(trees: Forest, columns: tf.Tensor, thresholds: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return the step that reads feature and child of a node as bits of one integer, if they fit: see :data:`Step`."""
    # To gather an element takes TensorFlow ten times as long as to compute with one.
    bits = int(trees.features.max()).bit_length()
    if len(trees.nodes) << bits > np.iinfo(np.int32).max:
        return by_single_tables(trees, columns, thresholds)
    table = tf.constant(trees.children << bits | trees.features)

    def step(places: tf.Tensor) -> tf.Tensor:
        packed = tf.gather(table, places)
        features = tf.bitwise.bitwise_and(packed, (1 << bits) - 1)
        holds = tf.gather(columns, features, batch_dims=1) <= tf.gather(thresholds, places)
        return tf.bitwise.right_shift(packed, bits) + tf.cast(holds, tf.int32)

    return step


def by_single_tables(trees: Forest, columns: tf.Tensor, thresholds: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return the step that gathers features and children, see :data:`Step`."""
    features, children = tf.constant(trees.features), tf.constant(trees.children)

    def step(places: tf.Tensor) -> tf.Tensor:
        holds = tf.gather(columns, tf.gather(features, places), batch_dims=1) <= tf.gather(thresholds, places)
        return tf.gather(children, places) + tf.cast(holds, tf.int32)

    return step


def _repeated(step: Callable[[tf.Tensor], tf.Tensor], places: tf.Tensor, times: int) -> tf.Tensor:
    for _ in range(times):
        places = step(places)
    return places


def forest(
    roots: Sequence[int],
    features: Sequence[int],
    thresholds: np.ndarray,
    modes: Sequence[str],
    true_nodes: Sequence[int],
    false_nodes: Sequence[int],
    missing_is_true: Sequence[int] | None,
    members: Mapping[int, np.ndarray],
) -> Forest:
    """Return a forest from one entry per node; nodes are named by their position.

    Raises:
        ValueError: an unknown mode, a feature or a child that there cannot be, or a cycle.
    """
    count, inner = len(modes), [i for i, mode in enumerate(modes) if mode != "LEAF"]
    if any(not 0 <= nodes[i] < count for nodes in (true_nodes, false_nodes) for i in inner):
        raise ValueError("a tree node points to a node that does not exist")
    if any(features[i] < 0 for i in inner):
        raise ValueError("a tree node tests a feature with a negative number")
    made = comparisons(features, thresholds, modes, true_nodes, false_nodes, missing_is_true, members)
    return _laid_out(np.array(roots, np.int64), made, np.array([mode == "LEAF" for mode in modes], bool))


def _laid_out(roots: np.ndarray, made: Comparisons, is_leaf: np.ndarray) -> Forest:
    """Return the forest of nodes, of which the first are those of the file and ``is_leaf`` speaks."""
    true_nodes, false_nodes = np.array(made.true_nodes, np.int64), np.array(made.false_nodes, np.int64)
    count = len(is_leaf)
    is_leaf = np.concatenate([is_leaf, np.zeros(len(true_nodes) - count, bool)])
    inner = np.flatnonzero(~is_leaf)
    depth = _depth(roots, true_nodes, false_nodes, is_leaf)
    nodes = np.concatenate([roots, np.stack([false_nodes[inner], true_nodes[inner]], axis=1).reshape(-1)])
    pairs = np.zeros(len(is_leaf), np.int64)
    pairs[inner] = len(roots) + 2 * np.arange(len(inner))
    variants, used = np.unique(np.array(made.variants)[inner], return_inverse=True)
    columns = np.zeros(len(is_leaf), np.int64)
    columns[inner] = np.array(made.features)[inner] * len(variants) + used
    return Forest(
        trees=len(roots),
        features=columns[nodes].astype(np.int32),
        # Nothing is at most NaN, which keeps a walk at its leaf.
        thresholds=np.array(made.thresholds)[nodes],
        children=np.where(is_leaf[nodes], np.arange(len(nodes)), pairs[nodes]).astype(np.int32),
        nodes=np.where(nodes < count, nodes, 0),
        depth=depth,
        variants=tuple(variants.tolist()) or (0,),
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
