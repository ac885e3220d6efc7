"""Measure Keras models: ``python -m bench.keras_models [NAME...]`` prints a Markdown table.

"layers" is the share of a model's computed nodes that became layers; "file / weights" the size of the .keras file by
that of the ONNX file; ``predict_on_batch`` and the SavedModel's signature are called in turn. ``--layers`` counts
alone, and takes every model that Keras has a form of. The last row is of a model of one Relu: what a call costs.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx

from bench.measure import RELU, in_turn, timed
from onnx_tf import prepare
from onnx_tf.check.artifacts import SavedModel
from onnx_tf.check.interface import Interface
from onnx_tf.errors import ExportError, UnsupportedError
from onnx_tf.export.keras import KerasRep, build
from onnx_tf.export.keras_files import write_files
from onnx_tf.options import Options
from onnx_tf.targets import KERAS
from test.zoo.compare import MODELS, SHARED, manifest
from test.zoo.materialize import make_inputs, materialize

NAMES = ("resnet18", "resnet50", "mixnet_s", "efficientnet_b0", "vit", "bert_cls", "convnext", "yolox")

MEASURED = ["build s", "file / weights", "Keras ms", "SavedModel ms", "Keras / SavedModel"]


def main() -> None:
    """Print a row for each model, and the median share of layers."""
    parser = argparse.ArgumentParser(prog="python -m bench.keras_models", description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--layers", action="store_true", help="the share of layers alone")
    parser.add_argument("--runs", type=int, default=30)
    arguments = parser.parse_args()
    folder = next(f for f in (SHARED / "zoo" / "dev", MODELS) if f.is_dir())
    entries = {name: entry for name, entry in manifest(folder).items() if entry["family"] != "classic_ml"}
    names = arguments.names or (list(entries) if arguments.layers else [n for n in NAMES if n in entries])
    columns = ["model", "nodes", "layers"]
    columns += [] if arguments.layers else MEASURED
    print(_row(columns), "|---|" + "--:|" * (len(columns) - 1), sep="\n", flush=True)
    shares = []
    for name in names:
        model = materialize(folder / f"{name}.onnx")
        start = time.perf_counter()
        try:
            rep = build(model, Options(target=KERAS))
        except (UnsupportedError, ExportError):
            continue
        seconds = time.perf_counter() - start
        shares.append(rep.layer_share)
        cells = [name, str(len(rep.forms)), f"{rep.layer_share:.0%}"]
        if not arguments.layers:
            feed = make_inputs(entries[name]["inputs"])
            cells += [f"{seconds:.1f}", *_measured(model, rep, feed, arguments.runs)]
        print(_row(cells), flush=True)
        keras.backend.clear_session()
        gc.collect()
    if not arguments.layers:
        print(_row(["one Relu", "", "", *_of_one_relu(arguments.runs)]))
    print(_row([f"median of {len(shares)}", "", f"{statistics.median(shares):.0%}", *[""] * (len(columns) - 3)]))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _of_one_relu(runs: int) -> list[str]:
    model = onnx.parser.parse_model(RELU)
    start = time.perf_counter()
    rep = build(model, Options(target=KERAS))
    seconds = time.perf_counter() - start
    _, *latencies = _measured(model, rep, {"x": np.ones(1, np.float32)}, runs)
    return [f"{seconds:.1f}", "", *latencies]


def _measured(model: onnx.ModelProto, rep: KerasRep, feed: Mapping[str, Any], runs: int) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        write_files("keras", rep, [Path(folder) / "model.keras"], lambda: model, "model.keras")
        size = (Path(folder) / "model.keras").stat().st_size / model.ByteSize()
        prepared = prepare(model)
        prepared.export_graph(f"{folder}/saved")
        saved = SavedModel(f"{folder}/saved", Interface.of(prepared))
        arrays = [np.asarray(tensor) for tensor in rep.interface.flat(feed).values()]
        given: Any = arrays[0] if len(arrays) == 1 else arrays
        tools = {
            "keras": timed(lambda: rep.model.predict_on_batch(given)),
            "saved_model": timed(saved.bind(feed)),
        }
        found = in_turn(tools, runs, warm_up=5)
    ratio = found["keras"] / found["saved_model"]
    return [f"{size:.3f}", f"{found['keras']:.2f}", f"{found['saved_model']:.2f}", f"{ratio:.2f}"]


if __name__ == "__main__":
    main()
