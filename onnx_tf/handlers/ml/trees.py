"""Tree ensembles: decision trees, random forests, gradient boosting."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from onnx_tf.handlers._attributes import given
from onnx_tf.handlers.ml._forest import Forest, Step, by_packed_nodes, forest
from onnx_tf.handlers.ml._scores import (
    POST_TRANSFORMS,
    as_rows,
    default_binary_labels,
    labels_of,
    transformed,
    with_second_class,
)
from onnx_tf.handlers.ml._tests import MODES
from onnx_tf.registry import onnx_op

DOMAIN = "ai.onnx.ml"
AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")
"""The aggregate functions in the order in which ai.onnx.ml 5 numbers them."""


def tensors_too(function: Callable[..., Any], names: Sequence[str]) -> Callable[..., Any]:
    """Return the handler of a version where a tensor ``NAME_as_tensor`` may take the place of some attributes.

    Args:
        function: the handler of the version without.
        names: the attributes that may be tensors.
    """

    def handler(x: tf.Tensor, **attributes: Any) -> Any:
        tensors = {name: attributes.pop(f"{name}_as_tensor") for name in names}
        given = {name: array.reshape(-1) for name, array in tensors.items() if array is not None and array.size}
        return function(x, **attributes | given)

    signature = inspect.signature(function)
    more = [inspect.Parameter(f"{name}_as_tensor", inspect.Parameter.KEYWORD_ONLY) for name in names]
    handler.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), *more]
    )
    return handler


@dataclass(frozen=True)
class Leaves:
    """What the leaves vote, by node and target.

    Attributes:
        weights: the vote of each node for each target, [nodes, targets].
        votes: whether there is one.
    """

    weights: np.ndarray
    votes: np.ndarray

    def gathered(self, trees: Forest, places: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
        """Return the votes at places of a forest, [N, trees], for each target: [N, trees, targets]."""
        return tf.gather(tf.constant(self.weights[trees.nodes], dtype), places)

    def voted(self, trees: Forest, places: tf.Tensor) -> tf.Tensor | np.ndarray:
        """Return for which targets any tree votes: [N, targets], or [targets] if it is the same for all rows."""
        given = self.votes[trees.nodes[trees.is_leaf]]
        if (given.all(axis=0) | ~given.any(axis=0)).all():
            return given.any(axis=0)
        return tf.reduce_any(tf.gather(tf.constant(self.votes[trees.nodes]), places), axis=1)


def _tree_ensemble_classifier(
    step: Step,
    x: tf.Tensor,
    *,
    base_values: Sequence[float] | None,
    class_ids: Sequence[int] | None,
    class_nodeids: Sequence[int] | None,
    class_treeids: Sequence[int] | None,
    class_weights: Sequence[float] | None,
    classlabels_int64s: Sequence[int] | None,
    classlabels_strings: Sequence[str] | None,
    nodes_falsenodeids: Sequence[int] | None,
    nodes_featureids: Sequence[int] | None,
    nodes_hitrates: Sequence[float] | None,
    nodes_missing_value_tracks_true: Sequence[int] | None,
    nodes_modes: Sequence[str] | None,
    nodes_nodeids: Sequence[int] | None,
    nodes_treeids: Sequence[int] | None,
    nodes_truenodeids: Sequence[int] | None,
    nodes_values: Sequence[float] | None,
    post_transform: str,
) -> tuple[tf.Tensor, tf.Tensor]:
    labels = labels_of(classlabels_strings, classlabels_int64s)
    tree_nodes, walk = _forest_of_ids(
        nodes_values,
        nodes_missing_value_tracks_true,
        nodes_treeids=nodes_treeids,
        nodes_nodeids=nodes_nodeids,
        nodes_featureids=nodes_featureids,
        nodes_modes=nodes_modes,
        nodes_truenodeids=nodes_truenodeids,
        nodes_falsenodeids=nodes_falsenodeids,
    )
    votes = given(
        class_treeids=class_treeids, class_nodeids=class_nodeids, class_ids=class_ids, class_weights=class_weights
    )
    leaves = _leaves(tree_nodes, zip(*votes, strict=True), labels.shape[0], np.add)
    return _classify(x, step, walk, leaves, labels, base_values, post_transform)


def _tree_ensemble_regressor(
    step: Step,
    x: tf.Tensor,
    *,
    aggregate_function: str,
    base_values: Sequence[float] | None,
    n_targets: int | None,
    nodes_falsenodeids: Sequence[int] | None,
    nodes_featureids: Sequence[int] | None,
    nodes_hitrates: Sequence[float] | None,
    nodes_missing_value_tracks_true: Sequence[int] | None,
    nodes_modes: Sequence[str] | None,
    nodes_nodeids: Sequence[int] | None,
    nodes_treeids: Sequence[int] | None,
    nodes_truenodeids: Sequence[int] | None,
    nodes_values: Sequence[float] | None,
    post_transform: str,
    target_ids: Sequence[int] | None,
    target_nodeids: Sequence[int] | None,
    target_treeids: Sequence[int] | None,
    target_weights: Sequence[float] | None,
) -> tf.Tensor:
    tree_nodes, walk = _forest_of_ids(
        nodes_values,
        nodes_missing_value_tracks_true,
        nodes_treeids=nodes_treeids,
        nodes_nodeids=nodes_nodeids,
        nodes_featureids=nodes_featureids,
        nodes_modes=nodes_modes,
        nodes_truenodeids=nodes_truenodeids,
        nodes_falsenodeids=nodes_falsenodeids,
    )
    count, *votes = given(
        n_targets=n_targets,
        target_treeids=target_treeids,
        target_nodeids=target_nodeids,
        target_ids=target_ids,
        target_weights=target_weights,
    )
    leaves = _leaves(tree_nodes, zip(*votes, strict=True), count, _COMBINE[aggregate_function])
    return tf.cast(_regress(x, step, walk, leaves, aggregate_function, base_values, post_transform), tf.float32)


def _tree_ensemble(
    step: Step,
    x: tf.Tensor,
    *,
    aggregate_function: int,
    leaf_targetids: Sequence[int],
    leaf_weights: np.ndarray,
    membership_values: np.ndarray | None,
    n_targets: int | None,
    nodes_falseleafs: Sequence[int],
    nodes_falsenodeids: Sequence[int],
    nodes_featureids: Sequence[int],
    nodes_hitrates: np.ndarray | None,
    nodes_missing_value_tracks_true: Sequence[int] | None,
    nodes_modes: np.ndarray,
    nodes_splits: np.ndarray,
    nodes_trueleafs: Sequence[int],
    nodes_truenodeids: Sequence[int],
    post_transform: int,
    tree_roots: Sequence[int],
) -> tf.Tensor:
    # The leaves stand behind the nodes: leaf i is node i + inner.
    inner, outer = len(nodes_modes), len(leaf_targetids)
    modes = [MODES[mode] for mode in nodes_modes] + ["LEAF"] * outer
    trees = forest(
        roots=tree_roots,
        features=[*nodes_featureids, *[0] * outer],
        thresholds=np.concatenate([nodes_splits, np.zeros(outer, nodes_splits.dtype)]),
        modes=modes,
        true_nodes=_with_leaves(nodes_truenodeids, nodes_trueleafs, inner, outer),
        false_nodes=_with_leaves(nodes_falsenodeids, nodes_falseleafs, inner, outer),
        missing_is_true=nodes_missing_value_tracks_true,
        members=_members(modes, membership_values),
    )
    (targets,) = given(n_targets=n_targets)
    weights = np.zeros((inner + outer, targets), leaf_weights.dtype)
    weights[inner + np.arange(outer), leaf_targetids] = leaf_weights
    votes = np.zeros(weights.shape, bool)
    votes[inner + np.arange(outer), leaf_targetids] = True
    aggregate, transform = AGGREGATES[aggregate_function], POST_TRANSFORMS[post_transform]
    return tf.cast(_regress(x, step, trees, Leaves(weights, votes), aggregate, None, transform), x.dtype)


_COMBINE = {"SUM": np.add, "AVERAGE": np.add, "MIN": np.minimum, "MAX": np.maximum}


def _forest_of_ids(
    thresholds: Sequence[float] | None, missing_is_true: Sequence[int] | None, **attributes: Any
) -> tuple[list[tuple[int, int]], Forest]:
    """Return the tree and id by which each node is named, and the forest.

    Raises:
        ValueError: an attribute is absent, or two nodes of a tree have one id.
    """
    trees, nodes, features, modes, true_ids, false_ids = given(**attributes)
    tree_nodes = list(zip(trees, nodes, strict=True))
    position = {key: i for i, key in enumerate(tree_nodes)}
    if len(position) < len(tree_nodes):
        raise ValueError("a node id appears twice in one tree")
    return tree_nodes, forest(
        roots=[i for i, tree in enumerate(trees) if i == 0 or trees[i - 1] != tree],
        features=features,
        thresholds=np.array(thresholds),
        modes=modes,
        true_nodes=[position.get(key, -1) for key in zip(trees, true_ids, strict=True)],
        false_nodes=[position.get(key, -1) for key in zip(trees, false_ids, strict=True)],
        missing_is_true=missing_is_true,
        members={},
    )


def _leaves(
    tree_nodes: Sequence[tuple[int, int]],
    votes: Iterable[tuple[int, int, int, float]],
    targets: int,
    combine: Callable[[float, float], float],
) -> Leaves:
    """Return what each node votes; of several votes for one target the combination."""
    position = {key: i for i, key in enumerate(tree_nodes)}
    weights = np.zeros((len(tree_nodes), targets), np.float64)
    voted = np.zeros(weights.shape, bool)
    for tree, node, target, weight in votes:
        at = position[tree, node], target
        weights[at] = combine(weights[at], weight) if voted[at] else weight
        voted[at] = True
    return Leaves(weights, voted)


def _with_leaves(nodes: Sequence[int], is_leaf: Sequence[int], inner: int, outer: int) -> list[int]:
    """Return the children of the inner nodes, with numbers of leaves behind those of nodes; leaves have none."""
    places = np.array(nodes) + np.where(np.array(is_leaf) == 1, inner, 0)
    return [*places, *[0] * outer]


def _members(modes: Sequence[str], values: np.ndarray | None) -> dict[int, np.ndarray]:
    """Return for each BRANCH_MEMBER node its set; in the table NaN ends each."""
    nodes = [i for i, mode in enumerate(modes) if mode == "BRANCH_MEMBER"]
    if not nodes:
        return {}
    if values is None:
        raise ValueError("nodes with mode BRANCH_MEMBER need membership_values")
    sets = np.split(values, np.flatnonzero(np.isnan(values)))
    return {node: members[~np.isnan(members)] for node, members in zip(nodes, sets, strict=False)}


def _features(x: tf.Tensor) -> tf.Tensor:
    """Return features in the dtype in which ONNX Runtime compares and adds: double or float."""
    return as_rows(x, x.dtype if x.dtype == tf.float64 else tf.float32)


def _sum_in_order(votes: tf.Tensor) -> tf.Tensor:
    """Return the sum over trees, [N, targets], of votes [N, trees, targets]."""
    # A running sum adds the trees in their order, as ONNX Runtime does: equal totals of two
    # classes then stay equal. reduce_sum adds in another order.
    return tf.cumsum(votes, axis=1)[:, -1] if votes.shape[1] else tf.reduce_sum(votes, axis=1)


def _regress(
    x: tf.Tensor,
    step: Step,
    trees: Forest,
    leaves: Leaves,
    aggregate: str,
    base_values: Sequence[float] | None,
    post_transform: str,
) -> tf.Tensor:
    """Return the scores [N, targets] of features [N, F]."""
    x = _features(x)
    at = trees.leaves(x, step)
    votes = leaves.gathered(trees, at, x.dtype)
    if aggregate in ("SUM", "AVERAGE"):
        scores = _sum_in_order(votes)
        if aggregate == "AVERAGE":
            scores /= tf.constant(trees.trees, x.dtype)
    elif aggregate in ("MIN", "MAX"):
        given = tf.gather(tf.constant(leaves.votes[trees.nodes]), at)
        reduce, worst = (tf.reduce_min, np.inf) if aggregate == "MIN" else (tf.reduce_max, -np.inf)
        scores = reduce(tf.where(given, votes, tf.constant(worst, x.dtype)), axis=1)
        scores = _where(leaves.voted(trees, at), scores, tf.zeros_like(scores))
    else:
        raise ValueError(f"aggregate_function is one of {', '.join(AGGREGATES)}, got {aggregate!r}")
    if base_values is not None and len(base_values):
        scores += tf.constant(base_values, x.dtype)
    one = leaves.weights.shape[1] == 1
    return transformed(scores, "NONE" if one and post_transform != "PROBIT" else post_transform)


def _where(condition: tf.Tensor | np.ndarray, chosen: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Return ``tf.where``, which a condition that is known and the same for all does not need."""
    if isinstance(condition, np.ndarray) and (condition.all() or not condition.any()):
        return chosen if condition.all() else other
    return tf.where(condition, chosen, other)


def _classify(
    x: tf.Tensor,
    step: Step,
    trees: Forest,
    leaves: Leaves,
    labels: tf.Tensor,
    base_values: Sequence[float] | None,
    post_transform: str,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return labels [N] and scores [N, classes] of features [N, F]."""
    x = _features(x)
    at = trees.leaves(x, step)
    scores = _sum_in_order(leaves.gathered(trees, at, x.dtype))
    voted = leaves.voted(trees, at)
    base = () if base_values is None else tuple(base_values)
    if labels.shape[0] == 2:
        label, scores = _two_classes(scores, voted, base, leaves, labels, post_transform)
    elif labels.shape[0] == 1:
        scores = scores if not base else scores + tf.constant(base[:1], x.dtype)
        label = tf.where(scores[:, 0] > 0, *reversed(tf.unstack(default_binary_labels(labels))))
        scores = transformed(scores, "PROBIT" if post_transform == "PROBIT" else "NONE")
    else:
        scores = scores if not base else scores + tf.constant(base, x.dtype)
        # A class for which no leaf voted does not win with its zero.
        best = scores if base else _where(voted, scores, tf.constant(x.dtype.min, x.dtype))
        label, scores = tf.gather(labels, tf.argmax(best, axis=1)), transformed(scores, post_transform)
    return label, tf.cast(scores, tf.float32)


def _two_classes(
    scores: tf.Tensor,
    voted: tf.Tensor | np.ndarray,
    base: tuple[float, ...],
    leaves: Leaves,
    labels: tf.Tensor,
    post_transform: str,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return label and scores of two classes as ONNX Runtime does.

    Boosted trees vote for one class only: their score is the log-odds, or where no weight is
    negative the probability, of the second label.
    """
    first, second = scores[:, :1], scores[:, 1:]
    has_first, has_second = voted[..., :1], voted[..., 1:]
    one_class_votes = int(leaves.votes.any(axis=0).sum()) == 1
    if len(base) == 2:
        margin = first + base[1]
        first = _where(has_second, -margin, first + base[0])
        second = margin
    elif len(base) == 1:
        first += base[0]
    positive = _where(has_second, second, _where(has_first, first, tf.zeros_like(first)))
    is_probability = one_class_votes and bool((leaves.weights >= 0).all())
    wins = positive[:, 0] > (0.5 if is_probability else 0)
    names = labels if one_class_votes or labels.dtype == tf.string else default_binary_labels(labels)
    label = tf.where(wins, names[1], names[0])
    both = _where(voted, tf.concat([first, second], 1), tf.zeros_like(scores))
    both = transformed(both, post_transform)
    if len(base) == 2:
        return label, both
    single = with_second_class(first, post_transform, complement=is_probability)
    return label, _where(has_second, both, single)


def register_trees(step: Step, *, target: str = "") -> None:
    """Register the operators for a target, or for all.

    Args:
        step: how trees are walked down.
        target: see :func:`onnx_tf.registry.onnx_op`.
    """
    shared = ("base_values", "nodes_hitrates", "nodes_values")
    for op_type, handler, weights in (
        ("TreeEnsembleClassifier", _tree_ensemble_classifier, "class_weights"),
        ("TreeEnsembleRegressor", _tree_ensemble_regressor, "target_weights"),
    ):
        bound: Callable[..., Any] = functools.partial(handler, step)
        onnx_op(op_type, domain=DOMAIN, target=target)(bound)
        onnx_op(op_type, since=3, domain=DOMAIN, target=target)(tensors_too(bound, [*shared, weights]))
    onnx_op("TreeEnsemble", since=5, domain=DOMAIN, target=target)(functools.partial(_tree_ensemble, step))


register_trees(by_packed_nodes)
