"""Time tree ensembles against ONNX Runtime: ``python -m bench.trees`` prints a Markdown table.

Each ensemble is called with one row, a hundred and ten thousand: by ``rep.run``, and as a SavedModel by its signature,
in turn with ONNX Runtime and with a model that changes signs alone, which is what a call takes beside its kernels. It
takes one thread and the time of the processor.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
from onnx import helper

from bench.measure import in_turn, timed
from onnx_tf import prepare
from onnx_tf.check.artifacts import OnnxRuntime, SavedModel

FEATURES = 30
ROWS = (1, 100, 10_000)
EMPTY = '<ir_version: 8, opset_import: ["": 17]> g (float[N, 30] x) => (float[N, 30] y) { y = Neg(x) }'


@dataclass(frozen=True)
class Ensemble:
    """How an ensemble looks.

    Attributes:
        trees: their number.
        depth: the longest way from a root to a leaf.
        leaves: those of a tree; by default it is complete.
        classes: those of a classifier; a regressor has none.
    """

    trees: int
    depth: int
    leaves: int | None = None
    classes: int = 0

    def __str__(self) -> str:
        kind = f"classifier of {self.classes}" if self.classes else "regressor"
        shape = "complete" if self.leaves is None else f"{2 * self.leaves - 1} nodes each"
        return f"{kind}, {self.trees} x depth {self.depth}, {shape}"


ENSEMBLES = (
    Ensemble(10, 3),
    Ensemble(1, 12, leaves=300),
    Ensemble(100, 6),
    Ensemble(100, 6, classes=3),
    Ensemble(500, 6),
    Ensemble(100, 20, leaves=500),
    Ensemble(100, 20, leaves=500, classes=3),
)


def main() -> None:
    """Print a row for each ensemble and number of rows."""
    parser = argparse.ArgumentParser(prog="python -m bench.trees", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--runs", type=int, default=15, help="rounds")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    columns = ["ensemble", "rows", "run us", "empty run us", "signature us", "empty signature us", "ORT us"]
    print(f"| {' | '.join([*columns, 'run / ORT', 'kernels of run / ORT'])} |\n|---|{'--:|' * 8}", flush=True)
    for ensemble in ENSEMBLES:
        with tempfile.TemporaryDirectory() as folder:
            forms = _Forms(model(ensemble), Path(folder))
            for rows in arguments.rows:
                found = forms.microseconds(rows, arguments.runs)
                run, empty, theirs = found["run"], found["empty run"], found["onnxruntime"]
                cells = [f"{ensemble}", f"{rows}", *(f"{value:.0f}" for value in found.values())]
                cells += [f"{run / theirs:.1f}", f"{max(run - empty, 0) / theirs:.1f}"]
                print(f"| {' | '.join(cells)} |", flush=True)


class _Forms:
    """A model in every form in which it is called."""

    def __init__(self, ensemble: onnx.ModelProto, folder: Path) -> None:
        empty = onnx.parser.parse_model(EMPTY)
        self.reps = {"run": prepare(ensemble), "empty run": prepare(empty)}
        for name, rep in self.reps.items():
            rep.export_graph(folder / name)
        onnx.save(ensemble, folder / "ensemble.onnx")
        options = {"session.intra_op.allow_spinning": "0"}
        self.artefacts = {
            "signature": SavedModel(folder / "run"),
            "empty signature": SavedModel(folder / "empty run"),
            "onnxruntime": OnnxRuntime(folder / "ensemble.onnx", options=options, threads=1),
        }

    def microseconds(self, rows: int, runs: int) -> dict[str, float]:
        """Return the median of each form on so many rows."""
        x = np.random.default_rng(1).uniform(-1, 1, (rows, FEATURES)).astype(np.float32)
        calls: dict[str, Callable[[], Any]] = {n: lambda rep=rep: rep.run(x) for n, rep in self.reps.items()}
        calls |= {name: artefact.bind({"x": x}) for name, artefact in self.artefacts.items()}
        times = max(1, 100 // rows)
        tools = {name: timed(_repeated(call, times), time.process_time) for name, call in calls.items()}
        return {name: 1000 * ms / times for name, ms in in_turn(tools, runs).items()}


def _repeated(call: Callable[[], Any], times: int) -> Callable[[], None]:
    def repeated() -> None:
        for _ in range(times):
            call()

    return repeated


def model(ensemble: Ensemble) -> onnx.ModelProto:
    """Return a model of an ensemble over 30 features between -1 and 1, whose thresholds lie where they split best.

    Args:
        ensemble: how it looks.
    """
    rng, columns = np.random.default_rng(0), defaultdict[str, list[Any]](list)
    vote = "class" if ensemble.classes else "target"
    for tree in range(ensemble.trees):
        _grow(ensemble, tree, vote, rng, columns)
    attributes: dict[str, Any] = dict(columns) | {"post_transform": "NONE"}
    outputs = [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["N", max(1, ensemble.classes)])]
    if ensemble.classes:
        attributes["classlabels_int64s"] = list(range(ensemble.classes))
        outputs.insert(0, helper.make_tensor_value_info("label", onnx.TensorProto.INT64, ["N"]))
    else:
        attributes["n_targets"] = 1
    op_type = "TreeEnsembleClassifier" if ensemble.classes else "TreeEnsembleRegressor"
    names = [output.name for output in outputs]
    node = helper.make_node(op_type, ["x"], names, domain="ai.onnx.ml", **attributes)
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", FEATURES])
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    graph = helper.make_graph([node], "trees", [x], outputs)
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def _grow(
    ensemble: Ensemble, tree: int, vote: str, rng: np.random.Generator, columns: defaultdict[str, list[Any]]
) -> None:
    """Split leaves of a tree, by chance if it is not complete, and append its nodes."""
    children: dict[int, tuple[int, int]] = {}
    depths, open_leaves = {0: 0}, [0]
    while open_leaves and (ensemble.leaves is None or len(children) + 1 < ensemble.leaves):
        node = open_leaves.pop(0 if ensemble.leaves is None else int(rng.integers(len(open_leaves))))
        children[node] = len(depths), len(depths) + 1
        for child in children[node]:
            depths[child] = depths[node] + 1
            if depths[child] < ensemble.depth:
                open_leaves.append(child)
    for node in depths:
        is_inner = node in children
        true_node, false_node = children.get(node, (0, 0))
        values = {
            "nodes_nodeids": node,
            "nodes_treeids": tree,
            "nodes_modes": "BRANCH_LEQ" if is_inner else "LEAF",
            "nodes_featureids": int(rng.integers(FEATURES)) if is_inner else 0,
            "nodes_values": float(rng.uniform(-0.8, 0.8)) if is_inner else 0.0,
            "nodes_truenodeids": true_node,
            "nodes_falsenodeids": false_node,
        }
        for name, value in values.items():
            columns[name].append(value)
        for target in range(max(1, ensemble.classes)) if not is_inner else ():
            row = {"treeids": tree, "nodeids": node, "ids": target, "weights": float(rng.uniform(-1, 1))}
            for name, value in row.items():
                columns[f"{vote}_{name}"].append(value)


if __name__ == "__main__":
    main()
