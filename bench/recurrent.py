"""Time recurrent layers as SavedModels: ``python -m bench.recurrent`` prints a Markdown table.

Each layer is called in turn with ONNX Runtime: with its weights as variables and frozen, and as another checkout of
onnx-tf exports it, if one is given. That takes one thread and the time of the processor, which a busy machine changes
little; ``--wall`` takes two threads and time on the clock, in which two directions go side by side.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import tensorflow as tf
from onnx import helper

from bench.measure import in_turn, timed
from onnx_tf import prepare
from onnx_tf.check.artifacts import OnnxRuntime, SavedModel

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
SIZES = ((20, 1, 64), (30, 1, 48), (100, 1, 64), (100, 1, 128), (36, 8, 256), (100, 16, 64))
"""Time steps, batch and size of input and state."""
DIRECTIONS = ("forward", "bidirectional")
EXPORT = """
import sys
import onnx
from onnx_tf.backend import prepare

prepare(onnx.load(sys.argv[1])).export_graph(sys.argv[2])
"""


def main() -> None:
    """Print a row for each layer."""
    parser = argparse.ArgumentParser(prog="python -m bench.recurrent", description=__doc__)
    parser.add_argument("cells", nargs="*", default=["LSTM", "GRU"], help="of RNN, GRU and LSTM")
    parser.add_argument("--open", action="store_true", help="leave the number of time steps and the batch open")
    parser.add_argument("--build", type=Path, default=None, help="a checkout of onnx-tf to compare with")
    parser.add_argument("--runs", type=int, default=100, help="how often each form is called")
    parser.add_argument("--wall", action="store_true", help="two threads, and time on the clock")
    arguments = parser.parse_args()
    threads, clock = (2, time.perf_counter) if arguments.wall else (1, time.process_time)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    columns = ["layer", "variables ms", "frozen ms", *(["other ms"] if arguments.build else []), "ORT ms"]
    ratios = ["best / ORT", *(["best / other"] if arguments.build else [])]
    print(f"| {' | '.join([*columns, *ratios])} |\n|---|{'--:|' * (len(columns) + len(ratios) - 1)}", flush=True)
    for cell, direction, sizes in itertools.product(arguments.cells, DIRECTIONS, SIZES):
        steps, batch, size = sizes
        model = layer(cell, direction, size, ["T", "N"] if arguments.open else [steps, batch])
        feed = {"x": np.random.default_rng(1).uniform(-1, 1, sizes).astype(np.float32)}
        with tempfile.TemporaryDirectory() as folder:
            tools = forms(model, feed, Path(folder), arguments.build, threads, clock)
            found = in_turn(tools, arguments.runs, warm_up=5)
        best = min(found["variables"], found["frozen"])
        cells = [f"{cell}, {direction}, {steps} steps of {batch}x{size}", *(f"{value:.2f}" for value in found.values())]
        cells += [f"{best / found[other]:.2f}" for other in ("onnxruntime", "other") if other in found]
        print(f"| {' | '.join(cells)} |", flush=True)


def forms(
    model: onnx.ModelProto,
    feed: dict[str, np.ndarray],
    folder: Path,
    build: Path | None,
    threads: int,
    clock: Callable[[], float],
) -> dict[str, Callable[[], float]]:
    """Return what calls each form of a model and returns the milliseconds, ONNX Runtime last.

    Args:
        model: the model.
        feed: an array for each input.
        folder: where its forms may lie.
        build: another checkout of onnx-tf, or ``None``.
        threads: those of ONNX Runtime, which sleep between its calls.
        clock: what takes the time.
    """
    file = folder / "layer.onnx"
    onnx.save(model, file)
    rep = prepare(file)
    rep.export_graph(folder / "variables")
    rep.export_graph(folder / "frozen", freeze=True)
    names = ["variables", "frozen"]
    if build is not None:
        environment = {**os.environ, "PYTHONPATH": str(build.resolve())}
        command = [sys.executable, "-c", EXPORT, file, folder / "other"]
        subprocess.run(command, check=True, env=environment, cwd=build, capture_output=True)
        names.append("other")
    found = {name: timed(SavedModel(folder / name).bind(feed), clock) for name in names}
    runtime = OnnxRuntime(file, options={"session.intra_op.allow_spinning": "0"}, threads=threads)
    return {**found, "onnxruntime": timed(runtime.bind(feed), clock)}


def layer(cell: str, direction: str, size: int, dims: list[int | str]) -> onnx.ModelProto:
    """Return a model of one layer with random weights, GRU as PyTorch has it.

    Args:
        cell: the operator.
        direction: its attribute.
        size: that of the input and of the state.
        dims: the number of time steps and the batch.
    """
    rng, count, rows = np.random.default_rng(0), 1 + (direction == "bidirectional"), GATES[cell] * size
    weights = {"w": (count, rows, size), "r": (count, rows, size), "b": (count, 2 * rows)}
    constants = [
        onnx.numpy_helper.from_array((rng.uniform(-1, 1, shape) / np.sqrt(size)).astype(np.float32), name)
        for name, shape in weights.items()
    ]
    attributes = {"hidden_size": size, "direction": direction} | ({"linear_before_reset": 1} if cell == "GRU" else {})
    node = helper.make_node(cell, ["x", *weights], ["y", "last"], **attributes)
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [*dims, size])
    results = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in node.output]
    graph = helper.make_graph([node], "layer", [x], results, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


if __name__ == "__main__":
    main()
