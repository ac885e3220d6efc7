"""Time recurrent layers as SavedModels: ``python -m bench.recurrent`` prints a Markdown table.

Each layer is called in turn with ONNX Runtime, with two threads that sleep between its calls, in time on the clock:
with its weights as variables and frozen, and as another checkout of onnx-tf exports it, if one is given.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from bench.measure import in_turn, onnx_runtime, timed
from onnx_tf import prepare
from onnx_tf.check.artifacts import SavedModel

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
    parser.add_argument("--runs", type=int, default=100)
    arguments = parser.parse_args()
    columns = ["layer", "variables ms", "frozen ms", *(["other ms"] if arguments.build else []), "ORT ms"]
    ratios = ["best / ORT", *(["best / other"] if arguments.build else [])]
    print(f"| {' | '.join([*columns, *ratios])} |\n|---|{'--:|' * (len(columns) + len(ratios) - 1)}", flush=True)
    for cell, direction, sizes in itertools.product(arguments.cells, DIRECTIONS, SIZES):
        found = latencies(cell, direction, sizes, arguments.open, arguments.build, arguments.runs)
        best = min(found["variables"], found["frozen"])
        time, batch, size = sizes
        cells = [f"{cell}, {direction}, {time} steps of {batch}x{size}", *(f"{value:.2f}" for value in found.values())]
        cells += [f"{best / found[other]:.2f}" for other in ("onnxruntime", "other") if other in found]
        print(f"| {' | '.join(cells)} |", flush=True)


def latencies(
    cell: str, direction: str, sizes: tuple[int, int, int], is_open: bool, build: Path | None, runs: int
) -> dict[str, float]:
    """Return the median milliseconds of a layer in each form, ONNX Runtime's last.

    Args:
        cell: the operator.
        direction: its attribute.
        sizes: one of ``SIZES``.
        is_open: whether the model leaves the number of time steps and the batch open.
        build: another checkout of onnx-tf, or ``None``.
        runs: how often each form is called.
    """
    time, batch, size = sizes
    feed = {"x": np.random.default_rng(1).uniform(-1, 1, (time, batch, size)).astype(np.float32)}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "layer.onnx"
        onnx.save(layer(cell, direction, size, ["T", "N"] if is_open else [time, batch]), file)
        rep = prepare(file)
        rep.export_graph(f"{folder}/variables")
        rep.export_graph(f"{folder}/frozen", freeze=True)
        forms = ["variables", "frozen"]
        if build is not None:
            environment = {**os.environ, "PYTHONPATH": str(build.resolve())}
            command = [sys.executable, "-c", EXPORT, file, f"{folder}/other"]
            subprocess.run(command, check=True, env=environment, cwd=build, capture_output=True)
            forms.append("other")
        tools = {form: timed(SavedModel(f"{folder}/{form}").bind(feed)) for form in forms}
        tools["onnxruntime"] = timed(onnx_runtime(file).bind(feed))
        return in_turn(tools, runs, warm_up=5)


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
