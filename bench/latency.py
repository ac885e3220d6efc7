"""Compare forms of exported models: ``python -m bench.latency FOLDER [NAME...]`` prints a Markdown table.

All forms of a model are called in turn: the layout pass and ``layout="keep"``, both with variables
and frozen, the same network written by hand (where ``by_hand`` has it) and ONNX Runtime. Each form has
a process of its own: TensorFlow's oneDNN kernels for constant weights differ from those for variables, and
a process reuses the first that it made. Without names it takes every convolutional model of the folder.
"""

from __future__ import annotations

import argparse
import functools
import gc
import json
import math
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from bench import by_hand
from bench.measure import in_turn, onnx_runtime, timed
from bench.mobilenet_v2 import mobilenet_v2
from onnx_tf import prepare
from onnx_tf.check.artifacts import SavedModel
from test.zoo.compare import manifest
from test.zoo.materialize import make_inputs, materialize

CONVOLUTIONS = ("Conv", "ConvTranspose", "QLinearConv", "ConvInteger")
MIN_CONVOLUTIONS = 3
"""A model of fewer, such as the one that cuts an image into patches, is not convolutional."""
COLUMNS = ["model", "auto ms", "frozen ms", "keep ms", "keep frozen ms", "by hand ms", "ORT ms"]
FORMS = ("auto", "auto_frozen", "keep", "keep_frozen")
WARM_UP = 5
RATIOS = {
    "auto / keep": ("auto", "keep"),
    "both frozen": ("auto_frozen", "keep_frozen"),
    "frozen / auto": ("auto_frozen", "auto"),
    "best / by hand": ("best", "by_hand"),
    "best / ORT": ("best", "onnxruntime"),
}


@dataclass(frozen=True)
class Timing:
    """How the forms of a model are measured.

    Attributes:
        runs: the number of rounds, at most.
        seconds: the time that all rounds may take, about.
        wall: count time on the clock; otherwise processor time, which a busy machine changes little.
        naive: call the forms in a fixed order, the frozen one after ONNX Runtime with spinning threads.
    """

    runs: int
    seconds: float
    wall: bool
    naive: bool


def main() -> None:
    """Print a row for each model, and the geometric means."""
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--runs", type=int, default=50, help="rounds of a model, at most")
    parser.add_argument("--seconds", type=float, default=20, help="time for the rounds of a model")
    parser.add_argument("--wall", action="store_true", help="count time on the clock, not of the processor")
    parser.add_argument("--naive", action="store_true", help="a fixed order, and ONNX Runtime's threads spinning")
    parser.add_argument("--json", type=Path, default=None, help="milliseconds: read, extended, written")
    arguments = parser.parse_args()
    timing = Timing(arguments.runs, arguments.seconds, arguments.wall, arguments.naive)
    entries = manifest(arguments.folder)
    names = arguments.names or _convolutional(entries)
    columns = [*COLUMNS, *RATIOS]
    print(f"| {' | '.join(columns)} |\n|---|{'--:|' * (len(columns) - 1)}", flush=True)
    file = arguments.json
    results: dict[str, dict[str, float]] = json.loads(file.read_text()) if file and file.exists() else {}
    processes = Processes()
    for name in names:
        if name not in results:
            model, feed = model_of(arguments.folder, entries, name)
            results[name] = latencies(model, name, feed, timing, processes)
            gc.collect()
        print(_row(name, results[name]), flush=True)
        if file:
            file.write_text(json.dumps(results, indent=2) + "\n")
    means = [_geometric_mean(_ratios([results[name] for name in names], pair)) for pair in RATIOS.values()]
    print(f"| geometric mean {'| ' * len(COLUMNS)}{' | '.join(means)} |")


def _convolutional(entries: Mapping[str, Any]) -> list[str]:
    counts = {name: sum(entry["ops"].get(op, 0) for op in CONVOLUTIONS) for name, entry in entries.items()}
    return sorted([*(name for name in entries if counts[name] >= MIN_CONVOLUTIONS), "mobilenet_v2"])


def model_of(folder: Path, entries: Mapping[str, Any], name: str) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """Return a model of the zoo, or MobileNetV2, and what to feed it."""
    if name == "mobilenet_v2" and name not in entries:
        return mobilenet_v2(), {"image": np.zeros([1, 3, 224, 224], np.float32)}
    return materialize(folder / f"{name}.onnx"), make_inputs(entries[name]["inputs"])


def latencies(
    model: onnx.ModelProto, name: str, feed: Mapping[str, Any], timing: Timing, processes: Processes
) -> dict[str, float]:
    """Return the median milliseconds of each form of a model.

    Args:
        model: the model with its weights.
        name: under which ``by_hand`` may have it.
        feed: an array for each input.
        timing: how they are measured.
        processes: where they are measured.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        onnx.save(model, file)
        for layout in ("auto", "keep"):
            rep = prepare(file, layout=layout)
            rep.export_graph(f"{folder}/{layout}")
            rep.export_graph(f"{folder}/{layout}_frozen", freeze=True)
            del rep
        feeds: dict[str, Mapping[str, Any]] = dict.fromkeys([*FORMS, "onnxruntime"], feed)
        if name in by_hand.NETWORKS:
            image = np.transpose(next(iter(feed.values())), [0, 2, 3, 1])
            for form in ("constants", "variables"):
                by_hand.export(name, f"{folder}/by_hand_{form}", variables=form == "variables")
                feeds[f"by_hand_{form}"] = {"image": image}
        if timing.naive:
            feeds["auto_frozen"] = feeds.pop("auto_frozen")
        loading = [processes.load(form, _loaded, form, folder, feed, timing) for form, feed in feeds.items()]
        for future in loading:
            future.result()
        calls = {form: functools.partial(processes.call, form) for form in feeds}
        rounds = int(timing.seconds * 1000 / sum(in_turn(calls, 1, warm_up=WARM_UP).values()))
        return in_turn(calls, min(max(rounds, 5), timing.runs), warm_up=0, shuffle=not timing.naive)


class Processes:
    """A process for each form, which lives from model to model and serves one of them."""

    def __init__(self) -> None:
        self._executors: dict[str, ProcessPoolExecutor] = {}

    def submit(self, form: str, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Let the form's process compute a function."""
        if form not in self._executors:
            self._executors[form] = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        return self._executors[form].submit(function, *arguments)

    def load(self, form: str, loaded: Callable[..., Callable[[], float]], *arguments: Any) -> Future[None]:
        """Let the form's process make what :meth:`call` calls: a function that returns milliseconds."""
        return self.submit(form, _serve, loaded, *arguments)

    def call(self, form: str) -> float:
        """Call what the form's process has loaded, return the milliseconds."""
        return float(self.submit(form, _call).result())


_served: list[Callable[[], float]] = []
"""What this process serves, at most one."""


def _serve(loaded: Callable[..., Callable[[], float]], *arguments: Any) -> None:
    _served.clear()
    gc.collect()
    _served.append(loaded(*arguments))


def _call() -> float:
    return _served[0]()


def _loaded(form: str, folder: str, feed: Mapping[str, Any], timing: Timing) -> Callable[[], float]:
    if form == "onnxruntime":
        call = onnx_runtime(Path(folder) / "model.onnx", spinning=timing.naive).bind(feed)
    else:
        call = SavedModel(f"{folder}/{form}").bind(feed)
    return timed(call, time.perf_counter if timing.wall else time.process_time)


def _row(name: str, measured: Mapping[str, float]) -> str:
    by_hand_ms = " / ".join(f"{measured[k]:.1f}" for k in ("by_hand_constants", "by_hand_variables") if k in measured)
    cells = [f"{measured[form]:.1f}" for form in FORMS]
    cells += [by_hand_ms, f"{measured['onnxruntime']:.1f}"]
    cells += [_geometric_mean(_ratios([measured], pair)) for pair in RATIOS.values()]
    return f"| {name} | {' | '.join(cells)} |"


def _ratios(results: Iterable[Mapping[str, float]], pair: tuple[str, str]) -> list[float]:
    """Return the ratios of two forms over the models that have both."""
    found = []
    for measured in results:
        best = {"best": min(measured["auto"], measured["auto_frozen"])}
        hands = [measured[key] for key in ("by_hand_constants", "by_hand_variables") if key in measured]
        times = {**measured, **best, **({"by_hand": min(hands)} if hands else {})}
        if all(form in times for form in pair):
            found.append(times[pair[0]] / times[pair[1]])
    return found


def _geometric_mean(ratios: list[float]) -> str:
    return f"{math.exp(sum(map(math.log, ratios)) / len(ratios)):.2f}" if ratios else ""


if __name__ == "__main__":
    main()
