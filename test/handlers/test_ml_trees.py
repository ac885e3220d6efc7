"""Tree ensembles against ONNX Runtime, on random forests of every kind."""

from __future__ import annotations

import collections
import itertools
from typing import Any

import numpy as np
import pytest
from onnx import numpy_helper

from onnx_tf.handlers.ml._tests import MODES as ALL_MODES
from test.handlers.check import check_op, make_op_model, run_reference

MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")
TRANSFORMS = ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT")
FEATURES = 4


class RandomForest:
    """The attributes of a random forest whose thresholds are multiples of 1/2."""

    def __init__(
        self,
        seed: int,
        *,
        vote: str,
        targets: list[list[int]],
        trees: int = 3,
        depth: int = 3,
        modes: tuple[str, ...] = MODES[:1],
        positive: bool = False,
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.vote, self.modes, self.positive, self.trees = vote, modes, positive, trees
        self.columns: dict[str, list[Any]] = collections.defaultdict(list)
        for tree in range(trees):
            self.ids = itertools.count()
            self._grow(tree, depth, targets[tree % len(targets)])

    def attributes(self, **more: Any) -> dict[str, Any]:
        return dict(self.columns) | more

    def _grow(self, tree: int, depth: int, targets: list[int]) -> int:
        node, row = next(self.ids), len(self.columns["nodes_nodeids"])
        inner = depth > 0 and (node == 0 or self.rng.random() < 0.8)
        values = {
            "nodes_nodeids": node,
            "nodes_treeids": tree,
            "nodes_modes": str(self.rng.choice(self.modes)) if inner else "LEAF",
            "nodes_featureids": int(self.rng.integers(FEATURES)) if inner else 0,
            "nodes_values": float(self.rng.integers(-4, 5) / 2) if inner else 0.0,
            "nodes_truenodeids": 0,
            "nodes_falsenodeids": 0,
        }
        for name, value in values.items():
            self.columns[name].append(value)
        if inner:
            self.columns["nodes_truenodeids"][row] = self._grow(tree, depth - 1, targets)
            self.columns["nodes_falsenodeids"][row] = self._grow(tree, depth - 1, targets)
        else:
            for target in targets:
                weight = float(np.float32(self.rng.standard_normal()))
                self._vote(tree, node, target, abs(weight) / self.trees if self.positive else weight)
        return node

    def _vote(self, tree: int, node: int, target: int, weight: float) -> None:
        for name, value in zip(("treeids", "nodeids", "ids", "weights"), (tree, node, target, weight), strict=True):
            self.columns[f"{self.vote}_{name}"].append(value)


def _features(dtype: str = "float32", rows: int = 7, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).integers(-6, 7, size=(rows, FEATURES)) / 2).astype(dtype)


def _check(op_type: str, x: np.ndarray, attributes: dict[str, Any], **settings: Any) -> None:
    outputs = 2 if op_type == "TreeEnsembleClassifier" else 1
    check_op(op_type, [x], attributes, domain="ai.onnx.ml", outputs=outputs, **settings)


# ONNX Runtime leaves the second score unset where one class has a probit.
TWO_CLASSES = [
    (targets, bases, positive, transform)
    for targets, bases, positive, transform in itertools.product(
        [[0], [1], [0, 1]], [0, 1, 2], [False, True], TRANSFORMS
    )
    if transform != "PROBIT" or len(targets) == 2 or bases == 2
]


@pytest.mark.parametrize(("targets", "bases", "positive", "transform"), TWO_CLASSES)
def test_two_classes(targets, bases, positive, transform):
    forest = RandomForest(bases, vote="class", targets=[targets], positive=positive)
    attributes = forest.attributes(post_transform=transform, classlabels_strings=["no", "yes"])
    if bases:
        attributes["base_values"] = [0.25, -0.5][:bases]
    _check("TreeEnsembleClassifier", _features(), attributes, through=["dynamic"])


@pytest.mark.parametrize("targets", [[[0, 1, 2]], [[0], [1], [2]], [[0], [2]], [[0, 1], [2], [1]]])
@pytest.mark.parametrize("bases", [[], [0.5, -0.25, 1.0]])
def test_many_classes(targets, bases):
    forest = RandomForest(5, vote="class", targets=targets, trees=6)
    attributes = forest.attributes(classlabels_int64s=[7, 3, 5], post_transform="SOFTMAX")
    if bases:
        attributes["base_values"] = bases
    _check("TreeEnsembleClassifier", _features(), attributes)


@pytest.mark.parametrize("mode", [*MODES, "mixed"])
@pytest.mark.parametrize("tracks", [False, True])
def test_modes_and_missing_values(mode, tracks):
    forest = RandomForest(3, vote="target", targets=[[0]], trees=4, modes=MODES if mode == "mixed" else (mode,))
    attributes = forest.attributes(n_targets=1)
    if tracks:
        count = len(attributes["nodes_modes"])
        attributes["nodes_missing_value_tracks_true"] = forest.rng.integers(0, 2, count).tolist()
    x = _features(rows=20)
    x[::3, 0], x[1::3, 2] = np.nan, np.inf
    _check("TreeEnsembleRegressor", x, attributes)


@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE", "MIN", "MAX"])
@pytest.mark.parametrize("targets", [[[0]], [[0, 1, 2]], [[0], [2]]])
def test_aggregates(aggregate, targets):
    count = 1 if targets == [[0]] else 3
    forest = RandomForest(1, vote="target", targets=targets, trees=5)
    attributes = forest.attributes(n_targets=count, aggregate_function=aggregate)
    if targets != [[0], [2]]:  # ONNX Runtime forgets the base of a target without votes
        attributes["base_values"] = [0.5, 1.5, -1.0][:count]
    _check("TreeEnsembleRegressor", _features(), attributes)


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("count", [1, 3])
def test_regression_transforms(count, transform):
    forest = RandomForest(2, vote="target", targets=[list(range(count))], positive=True)
    _check("TreeEnsembleRegressor", _features(), forest.attributes(n_targets=count, post_transform=transform))


@pytest.mark.parametrize("dtype", ["float64", "int64", "int32"])
def test_other_features(dtype):
    forest = RandomForest(8, vote="class", targets=[[0, 1, 2]], trees=5)
    _check("TreeEnsembleClassifier", _features(dtype), forest.attributes(classlabels_int64s=[0, 1, 2]))


def test_float_features_between_thresholds():
    """A float32 feature is compared with the float32 threshold, not with a rounded-up double."""
    forest = RandomForest(4, vote="target", targets=[[0]], trees=20)
    attributes = forest.attributes(n_targets=1)
    attributes["nodes_values"] = [0.1] * len(attributes["nodes_values"])
    near = np.float32(0.1)
    x = np.array([[near], [np.nextafter(near, np.float32(1))], [np.nextafter(near, np.float32(0))]], np.float32)
    _check("TreeEnsembleRegressor", np.repeat(x, FEATURES, 1), attributes)


@pytest.mark.parametrize("op_type", ["TreeEnsembleClassifier", "TreeEnsembleRegressor"])
def test_double_attributes(op_type):
    vote = "class" if op_type.endswith("Classifier") else "target"
    forest = RandomForest(6, vote=vote, targets=[[0, 1, 2]], trees=4)
    attributes = forest.attributes(**({"n_targets": 3} if vote == "target" else {"classlabels_strings": list("abc")}))
    for name in ("nodes_values", f"{vote}_weights"):
        array = np.array(attributes.pop(name), np.float64) + 1e-9
        attributes[f"{name}_as_tensor"] = numpy_helper.from_array(array, name)
    attributes["base_values_as_tensor"] = numpy_helper.from_array(np.array([0.1, 0.2, 0.3]), "base")
    _check(op_type, _features("float64"), attributes, opset=3)


def test_deep_forest_through_a_saved_model():
    forest = RandomForest(9, vote="class", targets=[[0, 1, 2, 3]], trees=40, depth=12)
    attributes = forest.attributes(classlabels_strings=list("abcd"))
    _check("TreeEnsembleClassifier", _features(rows=50), attributes, through=["export"])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("aggregate", "transform"), [(0, 1), (1, 0), (2, 2), (3, 3), (1, 4)])
def test_tree_ensemble_5(dtype, aggregate, transform):
    def tensor(values: Any, kind: Any = dtype) -> Any:
        return numpy_helper.from_array(np.array(values, kind), "t")

    attributes = {
        "aggregate_function": aggregate,
        "post_transform": transform,
        "n_targets": 2,
        "tree_roots": [0, 2],
        "nodes_featureids": [0, 2, 1],
        "nodes_modes": tensor([0, 4, 3], np.uint8),
        "nodes_splits": tensor([0.5, -1.0, 1.0]),
        "nodes_truenodeids": [1, 0, 3],
        "nodes_trueleafs": [0, 1, 1],
        "nodes_falsenodeids": [2, 1, 4],
        "nodes_falseleafs": [1, 1, 1],
        "nodes_missing_value_tracks_true": [1, 0, 1],
        "leaf_targetids": [0, 1, 0, 1, 0],
        "leaf_weights": tensor([0.1, 0.2, 0.3, 0.4, 0.25]),
    }
    x = _features(dtype, rows=20)
    x[0, 0], x[1, 1], x[2, 2] = np.nan, np.nan, np.nan
    # ONNX Runtime numbers LOGISTIC 1 and SOFTMAX 2, the standard the other way round.
    theirs = attributes | {"post_transform": {1: 2, 2: 1}.get(transform, transform)}
    model = make_op_model("TreeEnsemble", [x], theirs, domain="ai.onnx.ml", opset=5)
    _check("TreeEnsemble", x, attributes, opset=5, reference=run_reference(model, {"x0": x}, "ort"))


def test_set_membership():
    attributes = {
        "n_targets": 1,
        "tree_roots": [0],
        "nodes_featureids": [0, 1],
        "nodes_modes": numpy_helper.from_array(np.array([6, 6], np.uint8), "modes"),
        "nodes_splits": numpy_helper.from_array(np.zeros(2, np.float32), "splits"),
        "nodes_truenodeids": [0, 1],
        "nodes_trueleafs": [1, 1],
        "nodes_falsenodeids": [1, 2],
        "nodes_falseleafs": [0, 1],
        "leaf_targetids": [0, 0, 0],
        "leaf_weights": numpy_helper.from_array(np.array([1, 2, 3], np.float32), "weights"),
        "membership_values": numpy_helper.from_array(np.array([1, 2, np.nan, -1], np.float32), "members"),
    }
    # Whole numbers, because ONNX Runtime cuts off the fraction of a feature before it looks it up.
    _check("TreeEnsemble", np.trunc(_features(rows=30)), attributes, opset=5)


def test_a_cycle_is_refused():
    attributes = RandomForest(0, vote="target", targets=[[0]], trees=1).attributes(n_targets=1)
    attributes["nodes_truenodeids"][1] = 0
    attributes["nodes_modes"][1] = "BRANCH_LEQ"
    with pytest.raises(Exception, match="form a cycle"):
        _check("TreeEnsembleRegressor", _features(), attributes, reference=[None])


COMPARED = {
    "BRANCH_LEQ": np.less_equal,
    "BRANCH_LT": np.less,
    "BRANCH_GTE": np.greater_equal,
    "BRANCH_GT": np.greater,
    "BRANCH_EQ": np.equal,
    "BRANCH_NEQ": np.not_equal,
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_comparison_of_special_numbers(dtype):
    """As IEEE 754 compares, in all modes at once; ONNX Runtime has no answer for thresholds that are NaN."""
    most = np.finfo(dtype).max
    numbers = [-np.inf, -most, -1.0, -0.0, 0.0, 1.0, np.nextafter(dtype(1), dtype(2)).item(), most, np.inf, np.nan]
    stumps = list(itertools.product(COMPARED, numbers, (0, 1)))
    count = len(stumps)
    leaves = {"targetids": np.repeat(np.arange(count), 2).tolist(), "weights": np.tile([1, 0], count).astype(dtype)}
    attributes = {
        "n_targets": count,
        "tree_roots": list(range(count)),
        "nodes_featureids": [0] * count,
        "nodes_modes": numpy_helper.from_array(np.array([ALL_MODES.index(mode) for mode, *_ in stumps], np.uint8), "m"),
        "nodes_splits": numpy_helper.from_array(np.array([number for _, number, _ in stumps], dtype), "splits"),
        "nodes_truenodeids": list(range(0, 2 * count, 2)),
        "nodes_falsenodeids": list(range(1, 2 * count, 2)),
        "nodes_trueleafs": [1] * count,
        "nodes_falseleafs": [1] * count,
        "nodes_missing_value_tracks_true": [tracks for *_, tracks in stumps],
        "leaf_targetids": leaves["targetids"],
        "leaf_weights": numpy_helper.from_array(leaves["weights"], "weights"),
    }
    x = np.array(numbers, dtype)[:, np.newaxis]
    holds = [COMPARED[mode](x, dtype(number)) | (np.isnan(x) & (tracks == 1)) for mode, number, tracks in stumps]
    _check("TreeEnsemble", x, attributes, opset=5, reference=[np.concatenate(holds, 1).astype(dtype)])


@pytest.mark.parametrize("tracks", [0, 1])
def test_membership_in_large_sets(tracks):
    rng = np.random.default_rng(0)
    sets = [rng.choice(200, size, replace=False).astype(np.float32) for size in (1, 2, 37, 150)]
    sets.append(np.array([np.inf, -np.inf, -0.0], np.float32))
    count = len(sets)
    values = np.concatenate([np.append(members, np.nan) for members in sets]).astype(np.float32)
    attributes = {
        "n_targets": count,
        "tree_roots": list(range(count)),
        "nodes_featureids": [0] * count,
        "nodes_modes": numpy_helper.from_array(np.full(count, 6, np.uint8), "modes"),
        "nodes_splits": numpy_helper.from_array(np.zeros(count, np.float32), "splits"),
        "nodes_truenodeids": list(range(0, 2 * count, 2)),
        "nodes_falsenodeids": list(range(1, 2 * count, 2)),
        "nodes_trueleafs": [1] * count,
        "nodes_falseleafs": [1] * count,
        "nodes_missing_value_tracks_true": [tracks] * count,
        "leaf_targetids": np.repeat(np.arange(count), 2).tolist(),
        "leaf_weights": numpy_helper.from_array(np.tile([1, 0], count).astype(np.float32), "weights"),
        "membership_values": numpy_helper.from_array(values, "members"),
    }
    x = np.array([*range(-1, 201), 0.5, -0.0, np.inf, -np.inf, np.nan], np.float32)[:, np.newaxis]
    inside = [np.isin(x, members) | (np.isnan(x) & (tracks == 1)) for members in sets]
    _check("TreeEnsemble", x, attributes, opset=5, reference=[np.concatenate(inside, 1).astype(np.float32)])


def chain(length: int) -> dict[str, Any]:
    """Return the attributes of a tree of which every other node is a leaf, that of step i votes i."""
    inner = range(0, 2 * length, 2)
    columns = {
        "nodes_nodeids": list(range(2 * length + 1)),
        "nodes_treeids": [0] * (2 * length + 1),
        "nodes_modes": ["BRANCH_LEQ", "LEAF"] * length + ["LEAF"],
        "nodes_featureids": [i // 2 % FEATURES for i in range(2 * length + 1)],
        "nodes_values": [i / (2 * length) for i in range(2 * length + 1)],
        "nodes_truenodeids": [i + 1 if i in inner else 0 for i in range(2 * length + 1)],
        "nodes_falsenodeids": [i + 2 if i in inner else 0 for i in range(2 * length + 1)],
        "target_nodeids": [*range(1, 2 * length, 2), 2 * length],
    }
    weights = {"target_weights": np.arange(length + 1.0).tolist(), "target_ids": [0] * (length + 1)}
    return columns | weights | {"target_treeids": [0] * (length + 1), "n_targets": 1}


@pytest.mark.parametrize("length", [33, 2000])
def test_a_chain_ends_at_every_of_its_leaves(length):
    x = np.repeat(np.linspace(-0.1, 1.1, 97, dtype=np.float32)[:, np.newaxis], FEATURES, 1)
    _check("TreeEnsembleRegressor", x, chain(length), through=["dynamic", "export"])


def test_more_features_and_nodes_than_an_integer_holds():
    forest = RandomForest(3, vote="target", targets=[[0]], trees=60, depth=6)
    attributes = forest.attributes(n_targets=1)
    far = 2**20
    attributes["nodes_featureids"] = [far + feature for feature in attributes["nodes_featureids"]]
    x = np.concatenate([np.zeros((3, far), np.float32), _features(rows=3)], 1)
    _check("TreeEnsembleRegressor", x, attributes)


def test_a_negative_feature_is_refused():
    attributes = RandomForest(0, vote="target", targets=[[0]], trees=1).attributes(n_targets=1)
    attributes["nodes_featureids"][0] = -1
    with pytest.raises(Exception, match="a feature with a negative number"):
        _check("TreeEnsembleRegressor", _features(), attributes, reference=[None])


def test_trees_that_are_leaves():
    attributes = RandomForest(0, vote="target", targets=[[0]], trees=2, depth=0).attributes(n_targets=1)
    assert attributes["nodes_modes"] == ["LEAF", "LEAF"]
    _check("TreeEnsembleRegressor", _features(), attributes)
