"""Judge .tflite files of quantised models: ``python -m bench.quantized NAME...`` prints a Markdown table.

Names are models of the zoo, or .onnx files. A row has the file's size over the ONNX file's, how many convolutions and
matrix products are integer kernels, how many of the model's activation scales (with their zero points) and weights are
in the file to the last bit, how many nodes stay in floats, and how many steps of its scale the worst output is from
ONNX Runtime without graph optimisations: the largest and the mean error with XNNPACK, the largest without it, and how
far these two are from each other.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from tensorflow.lite.python import schema_py_generated as schema

from bench.litert import parser_of
from onnx_tf import OnnxTfError, convert
from onnx_tf.check.inputs import accepted_inputs, drawn_inputs
from onnx_tf.check.interface import Interface
from onnx_tf.check.litert import LiteRT
from onnx_tf.check.onnx_runtime import OnnxRuntime
from onnx_tf.export.file_graph import FileGraph
from onnx_tf.export.integers.file import output_steps
from test.litert.integers import activation_steps, tensors_of, weights_of
from test.zoo.compare import manifest
from test.zoo.materialize import make_inputs, materialize

COLUMNS = [
    *("model", "bytes / ONNX", "integer products", "scales", "weights", "floats"),
    *("largest", "mean", "without XNNPACK", "apart"),
]
_PRODUCTS = {"BATCH_MATMUL": 0, "CONV_2D": 0, "DEPTHWISE_CONV_2D": 0, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 2}


def main() -> None:
    """Print a row for each model."""
    arguments = parser_of("quantized", __doc__).parse_args()
    entries = manifest(arguments.folder)
    print(f"| {' | '.join(COLUMNS)} |\n|---|{'--:|' * (len(COLUMNS) - 1)}", flush=True)
    for name in arguments.names:
        try:
            cells = judged(name, arguments.folder, entries)
        except OnnxTfError as error:
            cells = [str(error).splitlines()[0]]
        print(f"| {Path(name).stem} | {' | '.join(cells)} |", flush=True)


def judged(name: str, folder: Path, entries: Mapping[str, Any]) -> list[str]:
    """Return the cells of a model's row."""
    is_file = name.endswith(".onnx")
    model = onnx.load(name) if is_file else materialize(folder / f"{name}.onnx")
    with tempfile.TemporaryDirectory() as target:
        done = convert(model, Path(target) / "model.tflite", check=False)
        content, interface = done.path.read_bytes(), Interface.of(done.rep)
        reference = OnnxRuntime(model, optimized=False)
        if is_file:
            feed, expected = accepted_inputs(drawn_inputs(interface.inputs), reference)
        else:
            feed = make_inputs(entries[name]["inputs"], seed=0)
            expected = reference.run(feed)
        found, without = (LiteRT(done.path, interface, xnnpack=xnnpack).run(feed) for xnnpack in (True, False))
    steps, constants = tensors_of(content)
    wanted, weights = activation_steps(model), weights_of(model)
    return [
        f"{len(content) / model.ByteSize():.2f}",
        integer_products(content),
        f"{len(wanted & steps)} of {len(wanted)}",
        f"{len(weights & constants)} of {len(weights)}",
        str(len(done.artifacts[0].floats)),
        *errors(expected, found, without, output_steps(content)),
    ]


def integer_products(content: bytes) -> str:
    """Return how many of a file's convolutions and matrix products take integers."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    file = FileGraph(model, model.subgraphs[0])
    operators = list(file.of_kind(*_PRODUCTS))
    integers = [o for o in operators if not file.is_float(int(o.inputs[_PRODUCTS[file.kind(o)]]))]
    return f"{len(integers)} of {len(operators)}"


def errors(
    expected: Mapping[str, Any], found: Mapping[str, Any], other: Mapping[str, Any], steps: Mapping[str, float]
) -> list[str]:
    """Return the errors of the output that is the furthest off, in its steps."""
    rows = []
    for name, value in expected.items():
        wide = [np.asarray(array, np.float64) for array in (value, found[name], other[name])]
        step = steps.get(name) or max(float(abs(wide[0]).max(initial=0)), 1e-12) / 128
        gaps = [abs(a - b) / step for a, b in ((wide[0], wide[1]), (wide[0], wide[2]), (wide[1], wide[2]))]
        rows.append((gaps[0].max(initial=0), gaps[0].mean(), gaps[1].max(initial=0), gaps[2].max(initial=0)))
    largest, mean, without, apart = max(rows)
    return [f"{largest:.1f}", f"{mean:.2f}", f"{without:.1f}", f"{apart:.1f}"]


if __name__ == "__main__":
    main()
