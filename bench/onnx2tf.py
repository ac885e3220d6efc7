"""Compare with onnx2tf: ``python -m bench.onnx2tf [NAME...]`` prints a Markdown table.

Both convert each model to a .tflite file, which LiteRT's interpreter runs on the same input; ONNX Runtime says what is
right, within a thousandth of each output's scale. onnx2tf comes from the package index into an environment of its own,
or is the one that ``--python`` names; of a release that has two back ends both files are made, and the faster right one
counts. It is told the shapes of the inputs, and its files are judged kindly: inputs and outputs may have any memory
order.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from bench.latency import Processes
from bench.litert import THREADS, named, parser_of
from bench.measure import in_turn, rounds_in, timed
from onnx_tf.check.compare import OfScale, compare
from onnx_tf.check.onnx_runtime import OnnxRuntime
from onnx_tf.export.flatbuffer import operators

REQUIREMENT = "onnx2tf[tensorflow]==2.6.9" if sys.version_info >= (3, 12) else "onnx2tf==1.29.24"
BACKENDS = ("flatbuffer_direct", "tf_converter")
NAMES = [
    "mobilenet_v2",
    "mnasnet_b1",
    "efficientnet_b0",
    "resnet18",
    "resnet50",
    "regnetx004",
    "regnety004",
    "resnext50_32x4d",
    "shufflenetv2_w1",
    "ghostnet",
    "densenet121",
    "bninception",
    "yolov8",
    "yolox",
    "fastscnn_cityscapes",
    "linknet_cityscapes",
    "mobilevit",
    "convnext",
    "vit",
    "deit",
    "swin",
    "bert_cls",
    "distilbert",
    "albert",
    "roberta",
    "llama",
    "opt",
    "phi",
    "whisper_encoder",
    "clip",
    "unet3d_medical",
    "lstm_stateful_forecaster",
]
LIMIT = 600
"""Seconds that a conversion may take."""


@dataclass(frozen=True)
class Found:
    """What a tool made of a model.

    Attributes:
        verdict: ``right``, or what is wrong.
        seconds: how long the process took.
        transposes: of the file.
        call: the file and what it is fed, by tensor index.
    """

    verdict: str
    seconds: float
    transposes: int = 0
    file: str = ""
    feed: Mapping[int, np.ndarray] | None = None

    @property
    def is_right(self) -> bool:
        """Whether all outputs are."""
        return self.verdict == "right"


def main() -> None:
    """Print a row for each model, then how many files are right, and means over models where both are."""
    parser = parser_of("onnx2tf", __doc__, NAMES)
    parser.add_argument("--python", help="of an environment that has onnx2tf")
    parser.add_argument("--runs", type=int, default=20, help="rounds of latency at least; 0 leaves it out")
    parser.add_argument("--seconds", type=float, default=2, help="time for the rounds of a model")
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, help="of onnx2tf; by default all that it has")
    parser.add_argument(
        "--same-interface", action="store_true", help="let ours have onnx2tf's: fixed shapes, channels last"
    )
    parser.add_argument("--keep", type=Path, help="where files are kept, and found again with the seconds they took")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        keep = arguments.keep or Path(folder)
        python = arguments.python or _installed(Path(folder))
        arguments.backends = arguments.backends or _backends(python)
        columns = [*(f"onnx2tf {backend}".strip() for backend in arguments.backends), "onnx-tf"]
        print(f"| model | {' | '.join(columns)} | s | Transposes | ms | ratio |", flush=True)
        print(f"|{'---|' * (1 + len(columns))}--:|--:|--:|--:|", flush=True)
        rows, processes = [], Processes()
        for name in arguments.names:
            rows.append(_row(name, arguments, keep / name, python, processes))
            print(rows[-1].text(), flush=True)
    print(*_summary(rows), sep="\n")


def _installed(folder: Path) -> str:
    venv.create(folder / "venv", with_pip=True)
    python = str(folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", REQUIREMENT], check=True)
    return python


def _backends(python: str) -> tuple[str, ...]:
    path = os.pathsep.join([str(Path(python).parent), os.environ["PATH"]])
    told = subprocess.run([python, "-m", "onnx2tf", "--help"], capture_output=True, text=True, env={"PATH": path})
    return BACKENDS if BACKENDS[0] in told.stdout else ("",)


@dataclass(frozen=True)
class Row:
    """What became of a model: onnx2tf's files by back end, ours, and milliseconds of those that are right."""

    name: str
    theirs: Mapping[str, Found]
    ours: Found
    milliseconds: Mapping[str, float]

    @property
    def best(self) -> str | None:
        """The back end of onnx2tf's faster right file."""
        right = [backend for backend, found in self.theirs.items() if found.is_right]
        return min(right, key=lambda backend: self.milliseconds.get(backend, 0.0), default=None)

    @property
    def ratio(self) -> float | None:
        """Our latency by that of onnx2tf's faster right file."""
        if self.best is None or self.best not in self.milliseconds:
            return None
        return self.milliseconds["onnx-tf"] / self.milliseconds[self.best]

    @property
    def both(self) -> tuple[Found, Found] | None:
        """The faster right file of onnx2tf and ours, where both are right."""
        return (self.theirs[self.best], self.ours) if self.best is not None and self.ours.is_right else None

    def text(self) -> str:
        """Return the row of the table."""
        found = [*self.theirs.values(), self.ours]
        cells = [self.name, *(one.verdict for one in found), " / ".join(f"{one.seconds:.1f}" for one in found)]
        cells.append(" / ".join(str(one.transposes) if one.is_right else "-" for one in found))
        times = [self.milliseconds.get(key) for key in [*self.theirs, "onnx-tf"]]
        cells.append(" / ".join("-" if t is None else f"{t:.2f}" for t in times) if self.milliseconds else "")
        return f"| {' | '.join(cells)} | {'' if self.ratio is None else f'{self.ratio:.2f}'} |"


def _row(name: str, arguments: argparse.Namespace, folder: Path, python: str, processes: Processes) -> Row:
    model, feed = named(arguments.folder, name)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "model.onnx"
    onnx.save(model, file)
    expected = OnnxRuntime(file).run(feed)
    theirs = {backend: _of_onnx2tf(python, file, feed, expected, backend) for backend in arguments.backends}
    options = _interface(feed) if arguments.same_interface else []
    own = folder / ("onnx-tf_same_interface" if options else "onnx-tf")
    ours = _judged(*_timed(own, functools.partial(_convert, file, options)), feed, expected)
    right = {key: found for key, found in [*theirs.items(), ("onnx-tf", ours)] if found.is_right}
    comparable = arguments.runs and "onnx-tf" in right and len(right) > 1
    return Row(name, theirs, ours, _latencies(right, arguments, processes) if comparable else {})


def _interface(feed: Mapping[str, Any]) -> list[str]:
    shapes = (f"{name}:{','.join(map(str, np.shape(array)))}" for name, array in feed.items())
    fixed = itertools.chain.from_iterable(("--input-shape", shape) for shape in shapes)
    return ["--channels-last-inputs", "all", "--channels-last-outputs", "all", *fixed]


def _timed(folder: Path, convert: Callable[[Path], Path]) -> tuple[Path, float]:
    """Let a file be made in a folder, and return it and the seconds that took; of an earlier run what is there."""
    taken = folder / "made.json"
    if not taken.exists():
        folder.mkdir(exist_ok=True)
        start = time.perf_counter()
        made = convert(folder)
        taken.write_text(json.dumps({"file": str(made.relative_to(folder)), "seconds": time.perf_counter() - start}))
    told = json.loads(taken.read_text())
    return folder / told["file"], told["seconds"]


def _latencies(found: Mapping[str, Found], arguments: argparse.Namespace, processes: Processes) -> dict[str, float]:
    for tool, one in found.items():
        processes.load(tool, _loaded, one.file, one.feed).result()
    calls = {tool: functools.partial(processes.call, tool) for tool in found}
    return in_turn(calls, rounds_in(arguments.seconds, calls, least=arguments.runs), warm_up=3)


def _loaded(file: str, feed: Mapping[int, np.ndarray]) -> Callable[[], float]:
    interpreter = _interpreter(file)
    _give(interpreter, feed)
    return timed(interpreter.invoke)


def run_onnx2tf(python: str, file: Path, shapes: Mapping[str, Sequence[int]], *options: str) -> Path:
    """Let onnx2tf convert a file with the shapes of its inputs, and return the folder of what it wrote, if anything.

    Args:
        python: of an environment that has onnx2tf.
        file: an ONNX file; the folder ``out`` comes beside it, and what onnx2tf said.
        shapes: those of the inputs by name.
        options: further ones.

    Raises:
        subprocess.TimeoutExpired: it takes too long.
    """
    # It would fetch pictures from the network, to find by them which memory order is right.
    pictures = np.random.default_rng(0).uniform(size=(20, 128, 128, 3)).astype(np.float32)
    np.save(file.parent / "calibration_image_sample_data_20x128x128x3_float32.npy", pictures)
    command = [python, "-m", "onnx2tf", "-i", file.name, "-o", "out", "-coion", "-n", *options]
    command += ["-ois", *(f"{name}:{','.join(map(str, dims))}" for name, dims in shapes.items())]
    # It looks for its simplifier, and runs what it has made by TensorFlow, of which oneDNN refuses some convolutions.
    path = os.pathsep.join([str(Path(python).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "TF_ENABLE_ONEDNN_OPTS": "0"}
    with (file.parent / "onnx2tf.log").open("w") as log:
        subprocess.run(command, stdout=log, stderr=log, timeout=LIMIT, check=False, cwd=file.parent, env=environment)
    return file.parent / "out"


def _of_onnx2tf(python: str, file: Path, feed: Mapping[str, Any], expected: Mapping[str, Any], backend: str) -> Found:
    shapes = {name: np.shape(array) for name, array in feed.items()}
    options = ["-tb", backend] if backend else []

    def convert(folder: Path) -> Path:
        shutil.copy(file, folder)
        return run_onnx2tf(python, folder / file.name, shapes, *options) / "model_float32.tflite"

    try:
        return _judged(*_timed(file.parent / (backend or "onnx2tf"), convert), feed, expected)
    except subprocess.TimeoutExpired:
        return Found(f"over {LIMIT} s", LIMIT)


def _convert(file: Path, options: Sequence[str], folder: Path) -> Path:
    made = folder / "model.tflite"
    command = [sys.executable, "-m", "onnx_tf", "convert", str(file), "-o", str(made), "--no-check", "--quiet"]
    subprocess.run([*command, *options], capture_output=True, check=False)
    return made


def _judged(file: Path, seconds: float, feed: Mapping[str, Any], expected: Mapping[str, Any]) -> Found:
    if not file.exists():
        return Found("no file", seconds)
    counts = operators(file.read_bytes())
    feeds, outputs = _computed(file, feed)
    if isinstance(outputs, str):
        return Found(outputs, seconds)
    actual = {name: nearest(value, found) for (name, value), found in zip(expected.items(), outputs, strict=True)}
    comparison = compare(expected, actual, OfScale())
    worst = max((output.error for output in comparison.outputs), default=0.0)
    verdict = "right" if comparison.fits else f"off by {worst:.0e}" if math.isfinite(worst) else "wrong shape"
    return Found(verdict, seconds, counts.get("TRANSPOSE", 0), str(file), feeds)


def _computed(file: Path, feed: Mapping[str, Any]) -> tuple[dict[int, np.ndarray], list[np.ndarray] | str]:
    """Return what a file is fed, by tensor index, and its outputs in order, or why there are none."""
    try:
        interpreter = _interpreter(str(file))
        arrays = by_index(interpreter.get_input_details(), feed)
        _give(interpreter, arrays)
        interpreter.invoke()
        return arrays, [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]
    except (RuntimeError, ValueError) as error:
        needs_flex = "Select TensorFlow op" in str(error)
        return {}, "needs Flex" if needs_flex else f"fails: {str(error).splitlines()[0][:60]}"


def _interpreter(file: str) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(file, num_threads=THREADS)


def _give(interpreter: Any, feed: Mapping[int, np.ndarray]) -> None:
    for index, array in feed.items():
        interpreter.resize_tensor_input(index, array.shape)
    interpreter.allocate_tensors()
    for index, array in feed.items():
        interpreter.set_tensor(index, array)


def by_index(details: Sequence[Mapping[str, Any]], feed: Mapping[str, Any]) -> dict[int, np.ndarray]:
    """Return arrays by tensor index: those of one name, else in order, with axes as the file declares them."""
    by_name = {str(detail["name"]).removeprefix("serving_default_").split(":")[0]: detail for detail in details}
    names = list(feed) if set(by_name) == set(feed) else None
    pairs = [(by_name[n], feed[n]) for n in names] if names else list(zip(details, feed.values(), strict=True))
    return {int(detail["index"]): _as_declared(np.asarray(array), detail) for detail, array in pairs}


def _as_declared(array: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    declared = detail.get("shape_signature", detail["shape"])
    for order in _orders(array.ndim):
        moved = array.transpose(order)
        if len(declared) == moved.ndim and all(
            n in (-1, m) for n, m in zip(declared[1:], moved.shape[1:], strict=True)
        ):
            return np.ascontiguousarray(moved)
    return array


def nearest(expected: Any, found: np.ndarray) -> np.ndarray:
    """Return an output in the order of axes in which it is nearest to what is expected."""
    wanted = np.asarray(expected)
    moved = [found.transpose(order) for order in _orders(found.ndim)]
    alike = [array for array in moved if array.shape == wanted.shape]
    return min(alike, key=lambda array: float(np.abs(array - wanted).sum()), default=found)


def _orders(rank: int) -> Iterator[tuple[int, ...]]:
    yield tuple(range(rank))
    if rank > 2:
        yield (0, *range(2, rank), 1)
        yield (0, rank - 1, *range(1, rank - 1))
        yield from itertools.islice(itertools.permutations(range(rank)), 1, None)


def _summary(rows: Sequence[Row]) -> Iterator[str]:
    both = [row.both for row in rows if row.both is not None]
    theirs = sum(row.best is not None for row in rows)
    yield f"\nright of {len(rows)}: onnx2tf {theirs}, onnx-tf {sum(row.ours.is_right for row in rows)}"
    transposes = [sum(pair[i].transposes for pair in both) for i in (0, 1)]
    yield f"Transposes in the {len(both)} where both are: onnx2tf {transposes[0]}, onnx-tf {transposes[1]}"
    ratios = [row.ratio for row in rows if row.ratio is not None]
    if ratios:
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        yield f"latency of onnx-tf's by that of onnx2tf's, geometric mean over {len(ratios)}: {mean:.2f}"


if __name__ == "__main__":
    main()
