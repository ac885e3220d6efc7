"""Time .tflite files against ONNX Runtime: ``python -m bench.litert NAME...`` prints a Markdown table.

Both compute with two threads, LiteRT's with XNNPACK, each in a process of its own, and take turns. Besides
milliseconds (medians) the table has how many operators and Transposes a file has, and the geometric mean of the ratios.
"""

from __future__ import annotations

import argparse
import functools
import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from bench.latency import Processes, model_of
from bench.measure import in_turn, rounds_in, timed
from onnx_tf import OnnxTfError, convert
from onnx_tf.check.artifacts import OnnxRuntime
from onnx_tf.check.interface import Interface
from test.zoo.compare import MODELS, SHARED, manifest

COLUMNS = ["model", "operators", "Transposes", "LiteRT ms", "ORT ms", "LiteRT / ORT"]
THREADS = 2
WARM_UP = 3


def main() -> None:
    """Print a row for each model, and the geometric mean."""
    parser = parser_of("litert", __doc__)
    parser.add_argument("--runs", type=int, default=20, help="rounds of a model at least")
    parser.add_argument("--seconds", type=float, default=2, help="time for the rounds of a model")
    parser.add_argument("--processor", action="store_true", help="count time of the processor, not on the clock")
    arguments = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |\n|---|{'--:|' * (len(COLUMNS) - 1)}", flush=True)
    ratios, processes = [], Processes()
    for name in arguments.names:
        try:
            model, feed = named(arguments.folder, name)
            found, times = measured(model, feed, arguments, processes)
        except OnnxTfError as error:
            print(f"| {name} | {str(error).splitlines()[0]} |", flush=True)
            continue
        ratios.append(times["litert"] / times["onnxruntime"])
        counts = f"{sum(found.values())} | {found.get('TRANSPOSE', 0)}"
        print(
            f"| {name} | {counts} | {times['litert']:.2f} | {times['onnxruntime']:.2f} | {ratios[-1]:.2f} |", flush=True
        )
    if ratios:
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        print(f"| geometric mean {'| ' * (len(COLUMNS) - 1)}{mean:.2f} |")


def parser_of(module: str, description: str | None, names: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return a parser of names in a folder of models: ``../shared/zoo/dev`` by default, else ``test/zoo/models``.

    Args:
        module: the module that is run.
        description: what it does.
        names: the models where none are named; without them some must be.
    """
    parser = argparse.ArgumentParser(prog=f"python -m bench.{module}", description=description)
    parser.add_argument("names", nargs="*" if names else "+", default=list(names), metavar="NAME")
    folder = next(folder for folder in (SHARED / "zoo" / "dev", MODELS) if folder.is_dir())
    parser.add_argument("--folder", type=Path, default=folder)
    return parser


def named(folder: Path, name: str) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """Return a model of a folder, or MobileNetV2, and what to feed it.

    Raises:
        OnnxTfError: there is no such model.
    """
    entries = manifest(folder)
    if name not in entries and name != "mobilenet_v2":
        raise OnnxTfError(f"not in {folder}")
    return model_of(folder, entries, name)


def measured(
    model: onnx.ModelProto, feed: Mapping[str, Any], arguments: argparse.Namespace, processes: Processes
) -> tuple[Mapping[str, int], dict[str, float]]:
    """Return a model's operators in its .tflite file, and the median milliseconds of both runtimes.

    Args:
        model: the model with its weights.
        feed: its inputs by name.
        arguments: how often each runtime runs at least, for how long, and whether time of the processor counts, of all
            threads together.
        processes: where they run.

    Raises:
        OnnxTfError: the model cannot be written as a .tflite file.
    """
    with tempfile.TemporaryDirectory() as temporary:
        files = {"litert": f"{temporary}/model.tflite", "onnxruntime": f"{temporary}/model.onnx"}
        onnx.save(model, files["onnxruntime"])
        done = convert(files["onnxruntime"], files["litert"], check=False)
        tensors = {key: value.numpy() for key, value in Interface.of(done.rep).flat(feed).items()}
        for form, file in files.items():
            given = tensors if form == "litert" else feed
            processes.load(form, loaded, form, file, given, arguments.processor).result()
        calls = {form: functools.partial(processes.call, form) for form in files}
        rounds = rounds_in(arguments.seconds, calls, least=arguments.runs)
        return dict(done.artifacts[0].operators or {}), in_turn(calls, rounds, warm_up=WARM_UP)


def loaded(form: str, file: str, feed: Mapping[str, np.ndarray], processor: bool) -> Callable[[], float]:
    """Load a file into this process, and return what runs it and returns the milliseconds."""
    if form == "onnxruntime":
        call = OnnxRuntime(file, options={"session.intra_op.allow_spinning": "0"}, threads=THREADS).bind(feed)
    else:
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(file, num_threads=THREADS)
        call = functools.partial(interpreter.get_signature_runner(), **feed)
    return timed(call, time.process_time if processor else time.perf_counter)


if __name__ == "__main__":
    main()
