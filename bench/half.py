"""Compare dtypes of products: ``python -m bench.half FOLDER [NAME...]`` prints a Markdown table of ``compute=``.

A model in float32 and with its products in bfloat16 and float16, each with variables and frozen, and ONNX Runtime in
float32 take turns, each in a process of its own (see ``bench.latency``). The errors are those of the frozen forms.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from bench.latency import WARM_UP, Processes, Timing, model_of
from bench.measure import in_turn, onnx_runtime, timed
from onnx_tf import prepare
from onnx_tf.check.artifacts import OnnxRuntime, SavedModel
from onnx_tf.passes.narrow_products import NARROW_DTYPES
from test.zoo.compare import manifest

NAMES = ("resnet50", "mobilenet_v2", "efficientnet_b0", "vit")
DTYPES = ("float32", *NARROW_DTYPES)
FORMS = tuple(f"{dtype}{kind}" for dtype in DTYPES for kind in ("", " frozen"))


def main() -> None:
    """Print a row for each model."""
    parser = argparse.ArgumentParser(prog="python -m bench.half", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--runs", type=int, default=30, help="rounds of a model, at most")
    parser.add_argument("--seconds", type=float, default=15, help="time for the rounds of a model")
    parser.add_argument("--wall", action="store_true", help="count time on the clock, not of the processor")
    arguments = parser.parse_args()
    timing = Timing(arguments.runs, arguments.seconds, arguments.wall, naive=False)
    columns = ["model", *FORMS, "ORT", *(f"error of {dtype}" for dtype in NARROW_DTYPES)]
    print(f"| {' | '.join(columns)} |\n|---|{'--:|' * (len(columns) - 1)}", flush=True)
    entries, processes = manifest(arguments.folder), Processes()
    for name in arguments.names or NAMES:
        model, feed = model_of(arguments.folder, entries, name)
        cells = _cells(model, feed, timing, processes)
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _cells(model: onnx.ModelProto, feed: Mapping[str, Any], timing: Timing, processes: Processes) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        onnx.save(model, file)
        for dtype in DTYPES:
            rep = prepare(file, compute=None if dtype == "float32" else dtype)
            rep.export_graph(f"{folder}/{dtype}")
            rep.export_graph(f"{folder}/{dtype} frozen", freeze=True)
            del rep
        forms = (*FORMS, "onnxruntime")
        for future in [processes.load(form, _loaded, form, folder, feed, timing.wall) for form in forms]:
            future.result()
        calls = {form: functools.partial(processes.call, form) for form in forms}
        rounds = int(timing.seconds * 1000 / sum(in_turn(calls, 1, warm_up=WARM_UP).values()))
        found = in_turn(calls, min(max(rounds, 5), timing.runs), warm_up=0)
        expected = OnnxRuntime(file).run(feed)
        errors = [_error(expected, SavedModel(f"{folder}/{dtype} frozen").run(feed)) for dtype in NARROW_DTYPES]
    return [*(f"{found[form]:.1f}" for form in forms), *(f"{error:.0e}" for error in errors)]


def _loaded(form: str, folder: str, feed: Mapping[str, Any], wall: bool) -> Any:
    is_reference = form == "onnxruntime"
    artifact = onnx_runtime(Path(folder) / "model.onnx") if is_reference else SavedModel(f"{folder}/{form}")
    return timed(artifact.bind(feed), time.perf_counter if wall else time.process_time)


def _error(expected: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]) -> float:
    return max(float(np.abs(found[name] - value).max() / np.abs(value).max()) for name, value in expected.items())


if __name__ == "__main__":
    main()
