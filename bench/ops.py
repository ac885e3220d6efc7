"""Find slow operators: ``python -m bench.ops FOLDER [NAME...]`` times each kind of node of the models alone.

A node is a model of its own, with the data that it gets in the model it comes from, in ONNX Runtime and in TensorFlow,
with oneDNN and without, each in a process of its own with one thread. Printed are those that take more than
``--limit`` times ONNX Runtime's time (``--limit-onednn`` with oneDNN), with the share of the excess in the time of all
operators of the model where that is largest. Data lies as the layout pass has it in the whole model, so that
no Transposes at the ends count; what a call costs of which nothing is computed is left out on both sides. It is
the least processor time of some calls, in microseconds.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tensorflow as tf

from bench.latency import Processes, model_of
from bench.single_nodes import ANCHOR, SingleNode, anchored, single_nodes
from onnx_tf import OnnxTfError, prepare
from onnx_tf.backend_rep import TensorflowRep
from onnx_tf.check.artifacts import OnnxRuntime
from test.zoo.compare import manifest

MIN_CALLS, MAX_CALLS, SECONDS = 8, 60, 0.15
"""A node is called so often at least and at most, and no more once it took these seconds."""

CHEAP = 20.0
"""Microseconds; nodes that take less everywhere are not looked at."""

MAX_CHEAP_ELEMENTS = 1 << 13
"""Nodes that are cheap in ONNX Runtime and have no more elements are not converted at all."""

WARM_UP = 2

ONE = np.zeros(1, np.float32)
EMPTY = onnx.parser.parse_model(
    '<ir_version: 8, opset_import: ["": 17]> g (float[1] x) => (float[1] y) { y = Identity(x) }'
)

TOOLS = {"ort": "1", "tf": "0", "onednn": "1"}
"""What is timed, and its ``TF_ENABLE_ONEDNN_OPTS``."""

Results = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Row:
    """A kind of node beside ONNX Runtime.

    Attributes:
        excess: which part of the time of a model's operators is more than the limit.
        share: which part of it such nodes take.
        model: the model in which the excess is largest.
        key: the kind of node.
        measured: microseconds by tool.
    """

    excess: float
    share: float
    model: str
    key: str
    measured: Mapping[str, float]


def main() -> None:
    """Measure what was not measured yet, and print the rows."""
    parser = argparse.ArgumentParser(prog="python -m bench.ops", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="default: all models of the folder")
    parser.add_argument("--limit", type=float, default=2.0, help="times of ONNX Runtime's that are no excess")
    parser.add_argument("--limit-onednn", type=float, default=2.5, help="likewise with oneDNN")
    parser.add_argument("--share", type=float, default=0.02, help="no less than this part of a model is shown")
    parser.add_argument("--again", default="", help="measure operators again whose key contains this word")
    parser.add_argument("--json", type=Path, default=None, help="what was measured: read, extended, written")
    arguments = parser.parse_args()
    file = arguments.json
    results: Results = json.loads(file.read_text()) if file and file.exists() else {"models": {}, "operators": {}}
    entries = manifest(arguments.folder)
    processes = Processes()
    names = arguments.names or list(entries)
    for name in names:
        counts = results["models"].get(name)
        old = [key for key in counts or () if key not in results["operators"] or _is_again(key, arguments.again)]
        if counts is not None and not old:
            continue
        model, feed = model_of(arguments.folder, entries, name)
        nodes, results["models"][name] = single_nodes(model, feed)
        for node in nodes:
            if node.key not in results["operators"] or _is_again(node.key, arguments.again):
                results["operators"][node.key] = times(node, processes)
        del model, nodes
        gc.collect()
        if file:
            file.write_text(json.dumps(results, indent=1) + "\n")
    limits = {"tf": arguments.limit, "onednn": arguments.limit_onednn}
    print(table(sorted(rows(results, names, limits), key=lambda row: -row.excess), arguments.share))


def _is_again(key: str, word: str) -> bool:
    return bool(word) and word in key


def times(node: SingleNode, processes: Processes) -> dict[str, Any]:
    """Return the microseconds of a node by tool, without those of an empty call; or what it was refused for."""
    found: dict[str, Any] = {}
    size = sum(array.size for array in node.feed.values())
    try:
        for tool, onednn in TOOLS.items():
            # A process takes its environment from this one when it starts.
            os.environ["TF_ENABLE_ONEDNN_OPTS"] = onednn
            took, transposes = processes.submit(tool, microseconds, tool, node).result()
            found[tool] = round(took, 1)
            if transposes:
                found["transposes"] = transposes
            if tool == "ort" and took < CHEAP and size <= MAX_CHEAP_ELEMENTS:
                break
    except OnnxTfError as error:
        return {"error": str(error)}
    return found


def microseconds(tool: str, node: SingleNode) -> tuple[float, int]:
    """Return the processor time of a node in this process, less that of an empty call, and the Transposes around it."""
    if tool == "ort":
        full, empty = _in_onnx_runtime(node.model, node.feed), _in_onnx_runtime(EMPTY, {"x": ONE})
        transposes = 0
    else:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        full, empty, transposes = _in_tensorflow(node)
    times: list[list[float]] = [[], []]
    end = time.perf_counter() + SECONDS
    while len(times[0]) < MIN_CALLS or (len(times[0]) < MAX_CALLS and time.perf_counter() < end):
        for call, found in zip((full, empty), times, strict=True):
            start = time.process_time()
            call()
            found.append(1e6 * (time.process_time() - start))
    of_node, of_nothing = (min(found[WARM_UP:]) for found in times)
    return max(of_node - of_nothing, 0.0), transposes


def _in_onnx_runtime(model: onnx.ModelProto, feed: Mapping[str, np.ndarray]) -> Callable[[], Any]:
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(model, f"{folder}/model.onnx")
        options = {"session.intra_op.allow_spinning": "0"}
        return OnnxRuntime(f"{folder}/model.onnx", options=options, threads=1).bind(feed)


def _in_tensorflow(node: SingleNode) -> tuple[Callable[[], Any], Callable[[], Any], int]:
    """Return what computes the node, what computes nothing of as many inputs, and how many Transposes are left."""
    rep = prepare(anchored(node), channels_last_inputs=node.last_inputs, channels_last_outputs=node.last_outputs)
    if node.last_inputs and _transposes(rep):  # what the model has between other orders is moved by no node alone
        rep = prepare(node.model)
    moved = rep.layout_report.channels_last_inputs
    tensors = [tf.constant(np.moveaxis(a, 1, -1) if name in moved else a) for name, a in node.feed.items()]
    wanted = [name for name in rep.tf_module.output_names if not name.endswith(ANCHOR)]

    def computed(*inputs: tf.Tensor) -> list[Any]:
        results = rep.tf_module.compute(*inputs)
        return [results[name] for name in wanted]

    def nothing(*inputs: tf.Tensor) -> tf.Tensor:
        return tf.identity(inputs[0])

    full, empty = (tf.function(f, autograph=False).get_concrete_function(*tensors) for f in (computed, nothing))
    return lambda: full(*tensors), lambda: empty(*tensors), _transposes(rep)


def _transposes(rep: TensorflowRep) -> int:
    return sum(not transpose.value.endswith(ANCHOR) for transpose in rep.layout_report.transposes)


def rows(results: Results, names: list[str], limits: Mapping[str, float]) -> Iterator[Row]:
    """Yield what exceeds a limit, each kind of node for the model in which its excess is the largest part.

    Args:
        results: ``models``, the number of nodes of each kind; ``operators``, microseconds by kind.
        names: the models to look at.
        limits: by tool, how many times ONNX Runtime's time are no excess.
    """
    found: dict[str, Row] = {}
    for name in names:
        counts = results["models"][name]
        timed = {key: results["operators"][key] for key in counts}
        whole = {tool: sum(n * timed[key].get(tool, 0) for key, n in counts.items()) or 1 for tool in limits}
        for key, n in counts.items():
            took = timed[key]
            if not all(tool in took for tool in limits) or max(took[tool] for tool in limits) < CHEAP:
                continue
            excess, share = max(
                (n * (took[tool] - limit * took["ort"]) / whole[tool], n * took[tool] / whole[tool])
                for tool, limit in limits.items()
            )
            if excess > 0 and (key not in found or found[key].excess < excess):
                found[key] = Row(excess, share, name, key, took)
    yield from found.values()


def table(sorted_rows: list[Row], share: float) -> str:
    """Return a Markdown table of the rows with at least this share."""
    lines = ["| operator | ORT us | TF us | / ORT | oneDNN us | / ORT | excess | share | of |"]
    lines.append(f"|---|{'--:|' * 7}---|")
    for row in sorted_rows:
        if row.share >= share:
            ort, *others = (row.measured[tool] for tool in TOOLS)
            cells = [f"{ort:.0f}", *(c for t in others for c in (f"{t:.0f}", f"{t / max(ort, 1):.1f}"))]
            mark = ", transposed" if "transposes" in row.measured else ""
            cells += [f"{100 * row.excess:.1f} %", f"{100 * row.share:.0f} %"]
            lines.append(f"| {row.key}{mark} | {' | '.join(cells)} | {row.model} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
