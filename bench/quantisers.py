"""Judge three quantisers on the same data: ``python -m bench.quantisers [NAME...]`` prints a Markdown table.

This project's kinds stand beside the recipes of ai-edge-quantizer, which get this project's file of floats, and beside
the files of onnx2tf, which is run from an environment of its own (``--python``). All are calibrated with the same
samples and judged on others: bytes over those of the float32 weights, how far the signal is above the noise in decibels
(of the output that is the furthest off), and how often the largest class is the one of the ONNX model in floats.

Names are models of the zoo, whose weights and samples are random, and trained models that packages carry (see
``test/packages``), where inputs are pictures: pieces of the two photographs of scikit-learn.
"""

from __future__ import annotations

import functools
import itertools
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from bench.judged import Judged, judged
from bench.litert import parser_of
from bench.onnx2tf import run_onnx2tf
from bench.pictures import pictures
from onnx_tf import OnnxTfError, convert
from onnx_tf.check.onnx_runtime import OnnxRuntime
from test.packages.fetching import model_files
from test.packages.manifest import packages
from test.zoo.compare import manifest
from test.zoo.materialize import make_inputs, materialize

NAMES = [
    "open-nsfw",
    "onet",
    "rapid_orientation",
    "embedding_model",
    "PP-OCRv6_det_small",
    "PP-OCRv6_rec_small",
    "320n",
    "mnasnet_b1",
    "resnet18",
    "shufflenetv2_w1",
    "deit",
    "mobilevit",
]
FLOATS = "float32"
KINDS: dict[str, tuple[str, str, str]] = {
    "int8": ("integer_quant", "static_wi8_ai8", "full_integer_quant"),
    "int16 activations": ("integer_quant_with_int16_act", "static_wi8_ai16", "integer_quant_with_int16_act"),
    "dynamic range": ("dynamic_range_quant", "dynamic_wi8_afp32", "dynamic_range_quant"),
}
"""What each kind is called here, as a recipe, and by onnx2tf."""
TOOLS = ("onnx-tf", "ai-edge-quantizer", "onnx2tf")


def main() -> None:
    """Print a row for each model and kind: size, decibels and agreement of each tool."""
    parser = parser_of("quantisers", __doc__, NAMES)
    parser.add_argument("--python", help="of an environment that has onnx2tf; without it that is left out")
    parser.add_argument("--keep", type=Path, required=True, help="where packages and files are kept, and found again")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--samples", type=int, default=16, help="how many samples calibrate")
    parser.add_argument("--fresh", type=int, default=8, help="how many others are compared")
    arguments = parser.parse_args()
    tools = [tool for tool in TOOLS if tool != "onnx2tf" or arguments.python]
    print(f"| model | kind | {' | '.join(tools)} |\n|---|---|{'---|' * len(tools)}", flush=True)
    for name in arguments.names:
        task = Task(name, arguments)
        for kind in arguments.kinds:
            cells = [task.cell(tool, kind) for tool in tools]
            print(f"| {name} | {kind} | {' | '.join(cells)} |", flush=True)


class Task:
    """A model with its samples, in a folder of its own.

    Args:
        name: of the zoo, or of a file in a package.
        arguments: those of the command line.
    """

    def __init__(self, name: str, arguments: Any) -> None:
        self.folder = arguments.keep / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.python, count = arguments.python, arguments.samples
        model, samples = _opened(name, arguments.folder, arguments.keep, count + arguments.fresh)
        self.weights = sum(array.nbytes for array in map(onnx.numpy_helper.to_array, model.graph.initializer))
        self.file = self.folder / f"{name}.onnx"
        onnx.save(model, self.file)
        self.shapes = {key: list(np.shape(array)) for key, array in samples[0].items()}
        self.used, self.fresh = samples[:count], samples[count:]

    def cell(self, tool: str, kind: str) -> str:
        """Return what is told of the file that a tool makes."""
        try:
            found = self._judged(tool, KINDS[kind][TOOLS.index(tool)])
        except FileNotFoundError:
            return "none"
        except (OnnxTfError, OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
            if "Select TensorFlow op" in str(error):
                return "needs Flex"
            return f"fails: {str(error).splitlines()[0][:60]}"
        agreement = "" if found.agreement is None else f", {found.agreement:.3f}"
        return f"{found.bytes / self.weights:.3f}, {found.decibels:.1f} dB{agreement}"

    @functools.cached_property
    def expected(self) -> list[dict[str, np.ndarray]]:
        """What the outputs are to be."""
        runtime = OnnxRuntime(self.file, optimized=False)
        return [runtime.run(feed) for feed in self.fresh]

    def _judged(self, tool: str, kind: str) -> Judged:
        if tool == "onnx2tf":
            file = self._of_onnx2tf() / f"{self.file.stem}_{kind}.tflite"
        else:
            file = self.folder / f"{kind}.tflite"
            if not file.exists():
                how = {"recipe": kind} if tool == "ai-edge-quantizer" else {"tflite": [kind]}
                data = None if kind.startswith("dynamic") else self.used
                convert(str(self.file), file, data=data, input_shapes=self.shapes, check=False, **how)
        return judged(file, self.fresh, self.expected)

    def _of_onnx2tf(self) -> Path:
        """Return the folder of onnx2tf's files, which one run makes."""
        made = self.folder / "out"
        if made.exists():
            return made
        options = ["-odrqt", "-oiqt", "-iqd", "float32", "-oqd", "float32"]
        for place, (key, dims) in enumerate(self.shapes.items()):
            rows = np.concatenate([np.asarray(feed[key], np.float32) for feed in self.used])
            moved = np.moveaxis(rows, 1, -1) if rows.ndim > 2 else rows  # it takes all inputs so, whatever they are
            np.save(self.folder / f"data_{place}.npy", moved)
            zeros, ones = (f"{'[' * len(dims)}{number}{']' * len(dims)}" for number in (0.0, 1.0))
            options += ["-cind", key.replace(":", "__"), f"data_{place}.npy", zeros, ones]  # as it calls them
        run_onnx2tf(self.python, self.file, self.shapes, *options)
        made.mkdir(exist_ok=True)
        return made


def _opened(name: str, zoo: Path, keep: Path, count: int) -> tuple[onnx.ModelProto, list[dict[str, Any]]]:
    """Return a model, and so many samples of its inputs."""
    entries = manifest(zoo)
    if name in entries:
        seeds = range(count)
        return materialize(zoo / f"{name}.onnx"), [make_inputs(entries[name]["inputs"], seed=seed) for seed in seeds]
    for package in packages():
        for place, trained in enumerate(package.models):
            if Path(trained.file).stem == name:
                model = onnx.load(model_files(package, keep / "packages")[place])
                return model, _samples(model, trained.inputs, keep, count)
    raise OnnxTfError(f"{name} is neither in {zoo} nor in a package")


def _samples(
    model: onnx.ModelProto, told: Mapping[str, Mapping[str, Any]], keep: Path, count: int
) -> list[dict[str, Any]]:
    """Return samples as the manifest of packages tells: pictures where an input has three channels, else numbers."""
    initializers = {tensor.name for tensor in model.graph.initializer}
    given = [value for value in model.graph.input if value.name not in initializers]
    entries, photographs = [], {}
    for value in given:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        dims = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        entry = {
            "name": value.name,
            "dtype": dtype.name,
            "shape": dims,
            "low": 0,
            "high": 1,
            **told.get(value.name, {}),
        }
        entry["shape"] = [1, *entry["shape"][1:]]
        entries.append(entry)
        shape = entry["shape"]
        if dtype.kind == "f" and len(shape) == 4 and 3 in (shape[1], shape[3]):
            photographs[value.name] = pictures(shape, entry["low"], entry["high"], keep, count)
    samples = [make_inputs(entries, seed=seed) for seed in range(count)]
    for sample, place in zip(samples, itertools.count()):
        sample |= {key: rows[place] for key, rows in photographs.items()}
    return samples


if __name__ == "__main__":
    main()
