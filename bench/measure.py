"""Measure one model: ``python -m bench.measure MODEL ZOO NAME LAYOUT RUNS`` prints JSON."""

from __future__ import annotations

import json
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import onnx
import tensorflow as tf

from bench import by_hand
from onnx_tf import prepare
from onnx_tf.check.artifacts import OnnxRuntime, SavedModel
from onnx_tf.options import Layout
from test.zoo.compare import manifest
from test.zoo.materialize import make_inputs

RELU = '<ir_version: 8, opset_import: ["": 17]> g (float[1] x) => (float[1] y) { y = Relu(x) }'


def measure(path: Path, entry: Mapping[str, Any], layout: Layout, runs: int) -> dict[str, Any]:
    """Return conversion time and memory, latencies and the number of Transposes of a zoo model.

    Args:
        path: the model with its weights.
        entry: its entry in the manifest.
        layout: the option of ``prepare``.
        runs: how often each tool runs.
    """
    feed = make_inputs(entry["inputs"])
    # TensorFlow's first trace is paid once a process, not per model.
    prepare(onnx.parser.parse_model(RELU))
    before, start = _peak(), time.perf_counter()
    rep = prepare(path, layout=layout)
    rep.export_graph(path.with_suffix(""))
    seconds, peak = time.perf_counter() - start, _peak()
    tools = {
        "onnx_tf": timed(SavedModel(path.with_suffix("")).bind(feed)),
        "onnxruntime": timed(onnx_runtime(path).bind(feed)),
    }
    if entry["name"] in by_hand.NETWORKS:
        network = by_hand.build(entry["name"], variables=True)
        image = tf.zeros([1, 224, 224, 3])
        tools["by_hand"] = timed(lambda: network(image))
    return {
        "name": entry["name"],
        "layout": layout,
        "seconds": seconds,
        "peak_bytes": peak - before,
        "weight_bytes": entry["full_bytes"],
        "latency_ms": in_turn(tools, runs),
        "transposes": transposes(rep.graph),
    }


def onnx_runtime(path: Path, *, spinning: bool = False) -> OnnxRuntime:
    """Return a model whose threads sleep between its calls: spinning ones slow whoever comes next."""
    return OnnxRuntime(path, options={"session.intra_op.allow_spinning": str(int(spinning))})


def rounds_in(seconds: float, tools: Mapping[str, Callable[[], float]], *, least: int) -> int:
    """Return how many rounds fit into some seconds, and ``least`` at least: calls of a millisecond vary by half."""
    return max(least, int(seconds * 1000 / sum(in_turn(tools, 1, warm_up=5).values())))


def in_turn(
    tools: Mapping[str, Callable[[], float]], runs: int, *, warm_up: int = 2, shuffle: bool = True
) -> dict[str, float]:
    """Return the median of what each tool returns.

    They take turns, so that a busy machine hits all alike, in an order that is shuffled: what a
    call leaves behind in caches and thread pools hits the next one.

    Args:
        tools: for each tool what calls it once and returns the milliseconds.
        runs: how often each is called.
        warm_up: more calls before, which do not count.
        shuffle: whether each round has an order of its own.
    """
    shuffled, order = random.Random(0), list(tools)
    times: dict[str, list[float]] = {name: [] for name in tools}
    for index in range(warm_up + runs):
        if shuffle:
            shuffled.shuffle(order)
        for name in order:
            milliseconds = tools[name]()
            if index >= warm_up:
                times[name].append(milliseconds)
    return {name: statistics.median(values) for name, values in times.items()}


def timed(call: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> Callable[[], float]:
    """Return a function that calls once and returns the milliseconds, by ``clock``."""

    def measured() -> float:
        start = clock()
        call()
        return 1000 * (clock() - start)

    return measured


def transposes(graph: tf.Graph) -> int:
    """Return the number of Transposes of data: those of weights are not counted."""
    return sum(op.type == "Transpose" and not _is_weight(op.inputs[0]) for op in graph.get_operations())


def _is_weight(tensor: tf.Tensor) -> bool:
    operation = tensor.op
    while operation.type in ("Identity", "Cast", "Reshape", "Transpose"):
        operation = operation.inputs[0].op
    return operation.type in ("Const", "ReadVariableOp")


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    file, folder, name, order, count = sys.argv[1:]
    print(json.dumps(measure(Path(file), manifest(Path(folder))[name], order, int(count))))
