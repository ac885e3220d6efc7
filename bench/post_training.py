"""Judge files quantised by data: ``python -m bench.post_training NAME...`` prints a Markdown table.

Names are models of the zoo. Each kind of file is made with the same samples, shaped as the zoo says, and compared with
ONNX Runtime on others. A row has the file's size over that of the float32 weights, the mean error in steps of the
output that is the furthest off, how far its signal is above its noise, the share of equal largest classes, how many
nodes stay in floats, and milliseconds with XNNPACK and two threads.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.latency import Processes
from bench.litert import loaded, parser_of
from bench.measure import in_turn
from onnx_tf import OnnxTfError, convert
from onnx_tf.check.interface import Interface
from onnx_tf.check.verdict import OutputError, verdict
from onnx_tf.conversion import Conversion
from onnx_tf.export.post_training.kinds import CALIBRATED, KINDS, is_full
from test.zoo.compare import manifest
from test.zoo.materialize import make_inputs, materialize

COLUMNS = ["model", "kind", "size / weights", "mean", "signal dB", "same class", "floats", "ms"]
ALL_KINDS = ("float32", "float16", *KINDS)


def main() -> None:
    """Print rows for each model."""
    parser = parser_of("post_training", __doc__)
    parser.add_argument("--samples", type=int, default=16, help="how many samples calibrate")
    parser.add_argument("--fresh", type=int, default=8, help="how many others are compared")
    parser.add_argument("--runs", type=int, default=10, help="rounds of the clock; 0 leaves it out")
    parser.add_argument("--kinds", nargs="+", default=ALL_KINDS, choices=ALL_KINDS)
    arguments = parser.parse_args()
    entries = manifest(arguments.folder)
    print(f"| {' | '.join(COLUMNS)} |\n|---|---|{'--:|' * (len(COLUMNS) - 2)}", flush=True)
    processes = Processes()
    for name in arguments.names:
        for row in rows(name, arguments.folder, entries[name], arguments, processes):
            print(f"| {name} | {' | '.join(row)} |", flush=True)


def rows(name: str, folder: Path, entry: Mapping[str, Any], arguments: Any, processes: Processes) -> list[list[str]]:
    """Return the cells of a model's rows, one for each kind."""
    model = materialize(folder / f"{name}.onnx")
    samples = [make_inputs(entry["inputs"], seed=seed) for seed in range(arguments.samples + arguments.fresh)]
    used, fresh = samples[: arguments.samples], samples[arguments.samples :]
    weights = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    with tempfile.TemporaryDirectory() as target:
        made, refused = converted(model, target, arguments.kinds, used)
        times = timed_files(made, fresh[0], arguments.runs, processes)
        found = []
        for kind in arguments.kinds:
            if kind not in made:
                found.append([kind, refused[kind], *[""] * (len(COLUMNS) - 3)])
                continue
            (written,) = made[kind].artifacts
            told = verdict(written.path, Interface.of(made[kind].rep), model, [], fresh, "")
            size = f"{written.bytes / weights:.3f}"
            milliseconds = f"{times[kind]:.1f}" if times else ""
            found.append([kind, size, *cells(told.fresh), str(len(written.floats)), milliseconds])
        return found


def converted(
    model: Any, folder: str, kinds: Sequence[str], samples: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, Conversion], dict[str, str]]:
    """Return what each kind became, and why others became nothing."""
    made, refused = {}, {}
    for kind in kinds:
        data = samples if kind in CALIBRATED else None
        sides = {"quantized_inputs": "float32", "quantized_outputs": "float32"} if is_full(kind) else {}
        try:
            made[kind] = convert(model, f"{folder}/{kind}.tflite", tflite=[kind], data=data, check=False, **sides)
        except OnnxTfError as error:
            refused[kind] = str(error).splitlines()[0]
    return made, refused


def timed_files(
    made: Mapping[str, Conversion], feed: Mapping[str, Any], runs: int, processes: Processes
) -> dict[str, float]:
    """Return the median milliseconds of each file."""
    if not runs:
        return {}
    for kind, done in made.items():
        tensors = {name: value.numpy() for name, value in Interface.of(done.rep).flat(feed).items()}
        processes.load(kind, loaded, "litert", str(done.path), tensors, False).result()
    calls = {kind: functools.partial(processes.call, kind) for kind in made}
    return in_turn(calls, runs)


def cells(outputs: Sequence[OutputError]) -> list[str]:
    """Return the errors of the output that is the furthest off."""
    worst = min(outputs, key=lambda output: output.noise_ratio)
    agreements = [output.agreement for output in outputs if output.agreement is not None]
    agreement = f"{min(agreements):.3f}" if agreements else ""
    return [f"{worst.mean:.2f}", f"{worst.noise_ratio:.1f}", agreement]


if __name__ == "__main__":
    main()
