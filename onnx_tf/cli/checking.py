"""``onnx-tf check`` and ``bisect``: where numbers part from ONNX Runtime's, and the smallest part that shows it."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnx_tf.cli import arguments as given
from onnx_tf.cli import as_json, console, files
from onnx_tf.cli.accuracy import accuracy_fields, print_accuracy
from onnx_tf.cli.usage import UsageError
from onnx_tf.telling import size

if TYPE_CHECKING:
    from onnx_tf.check.accuracy import Accuracy
    from onnx_tf.check.strictness import Strictness
    from onnx_tf.check.values import CheckedValue, Values
    from onnx_tf.export.paths import Format
    from onnx_tf.options import Options

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 60
LEAST_ERROR = 1e-8


def check(arguments: argparse.Namespace) -> int:
    """Compare every value inside a model, and the outputs of what was written of it, with ONNX Runtime."""
    from onnx_tf.check.onnx_runtime import require_onnx_runtime

    require_onnx_runtime()
    artifact = None if arguments.artifact is None else Path(arguments.artifact)
    if artifact is not None and not artifact.exists():
        raise UsageError(f"{artifact} does not exist: give what convert wrote, or leave it out")
    with console.tensorflow_later(arguments) as terminal:
        options, feed = _known_before(arguments)
        strictness = _strictness(arguments)
        terminal.import_tensorflow()
        from onnx_tf.backend import prepare
        from onnx_tf.check.compare import NARROW_PRODUCTS
        from onnx_tf.check.values import check_values
        from onnx_tf.edits import edited_source

        source = edited_source(arguments.model, options)
        terminal.step("Converting")
        rep = prepare(source, **given.forms(arguments), **given.budget(arguments))
        narrow = NARROW_PRODUCTS.get(str(options.rewriting.compute))
        inside = None if artifact is None else _inside(artifact, rep, source, given.forms(arguments))
        values = check_values(
            source,
            rep,
            feed,
            inside=inside,
            tolerance=strictness.tolerance or narrow,
            progress=lambda text: terminal.step(f"Checking: {text}"),
        )
        accuracy = None
        if artifact is not None:
            terminal.step(f"Checking {artifact}")
            accuracy = _of_artifact(artifact, rep, source, feed, strictness, narrow)
        if arguments.report is not None:
            _write_report(arguments, options, rep, values, accuracy)
    fits = values.fits and (accuracy is None or accuracy.fits)
    if arguments.json:
        print(as_json.text(_fields(values, accuracy) | {"report": arguments.report}))
    elif not arguments.quiet or not fits:
        _print_values(arguments.model, values)
        if accuracy is not None:
            print(f"{artifact}:")
            print_accuracy(accuracy)
            if values.fits and not accuracy.fits:
                print("  the model written anew is right in every value: convert it again, with these options")
    return 0 if fits else 1


def _known_before(arguments: argparse.Namespace) -> tuple[Options, dict[str, Any] | None]:
    from onnx_tf.model.loading import load_model
    from onnx_tf.options import Options
    from onnx_tf.report.files import check_report

    if getattr(arguments, "report", None) is not None:
        check_report(arguments.report)
    options = Options.of(**given.edits(arguments), **given.forms(arguments))
    loaded = load_model(arguments.model, options.budget())
    return options, given.feed(arguments, options, loaded) if arguments.input else None


def _strictness(arguments: argparse.Namespace) -> Strictness:
    from onnx_tf.check.strictness import Strictness

    if arguments.samples is not None and arguments.artifact is None:
        raise UsageError("--samples is for the outputs of what was written: name it behind the model, or leave it out")
    return Strictness(**given.strictness(arguments))


def _format_of(path: Path) -> Format:
    formats: dict[str, Format] = {".tflite": "tflite", ".keras": "keras", ".pb": "frozen_graph"}
    return formats.get(path.suffix, "saved_model")


def _inside(path: Path, rep: Any, source: Any, forms: dict[str, Any]) -> Any:
    """Return what computes the values inside a model as its artefacts of a path's kind do."""
    from onnx_tf.check.through import ThroughFiles

    moved = rep.layout_report.channels_last_inputs
    orders = ("channels_last_inputs", "channels_last_outputs")
    return ThroughFiles(_format_of(path), source, moved, **{k: v for k, v in forms.items() if k not in orders})


def _write_report(
    arguments: argparse.Namespace, options: Options, rep: Any, values: Values, accuracy: Accuracy | None
) -> None:
    from onnx_tf.artifacts import Written
    from onnx_tf.report.content import ModelFacts, Report
    from onnx_tf.report.files import check_report, write_report

    written: list[Written] = []
    if accuracy is not None:
        path = Path(arguments.artifact)
        files_in = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
        written = [Written(_format_of(path), path, sum(file.stat().st_size for file in files_in), accuracy)]
    facts, layout = ModelFacts.of(arguments.model, options), rep.layout_report
    ends = rep.inputs.as_json(), rep.outputs.as_json()
    seconds = sum(rep.timings.values())
    report = Report(facts, *ends, written, values, "", layout, rep.timings, seconds)
    write_report(check_report(arguments.report), report)


def _of_artifact(path: Path, rep: Any, source: Any, feed: Any, strictness: Any, tolerance: Any) -> Accuracy:
    from onnx_tf.check.accuracy import compare_frozen_graph, compare_keras, compare_saved_model, compare_tflite
    from onnx_tf.check.expected import expected_of
    from onnx_tf.check.interface import Interface

    interface = Interface.of(rep)
    expected = expected_of(interface, source, feed, strictness=strictness)
    if _format_of(path) == "tflite":
        return compare_tflite(path, rep, expected)
    if _format_of(path) == "keras":
        return compare_keras(path, interface, expected)
    if _format_of(path) == "frozen_graph":
        return compare_frozen_graph(path, rep, expected, tolerance)
    return compare_saved_model(path, rep, expected, tolerance)


def bisect(arguments: argparse.Namespace) -> int:
    """Write the smallest part of a model that still fails; the exit code is 1 if nothing does."""
    from onnx_tf.check.onnx_runtime import require_onnx_runtime

    require_onnx_runtime()
    target = Path(arguments.output)
    if target.suffix != ".onnx":
        raise UsageError(f"--output {target}: the name must end in .onnx")
    if target.exists() and os.path.exists(arguments.model) and os.path.samefile(target, arguments.model):
        raise UsageError(f"--output {target} is the model itself: give its part a name of its own")
    files.check_writable(target)
    with console.tensorflow_later(arguments) as terminal:
        options, feed = _known_before(arguments)
        terminal.import_tensorflow()
        from onnx_tf.check.bisect import bisect as smallest
        from onnx_tf.edits import edited_source

        found = smallest(
            edited_source(arguments.model, options),
            feed,
            neutral=arguments.neutral,
            progress=terminal.step,
            **given.forms(arguments),
            **given.budget(arguments),
        )
    if found is None:
        if arguments.json:
            print(as_json.text({"path": None, "inputs": None, "nodes": [], "failure": None}))
        else:
            print(f"{arguments.model}: it is converted, and its outputs are ONNX Runtime's: nothing to shrink")
        return 1
    files.write(target, found.model.SerializeToString())
    data = target.with_suffix(".npz") if found.inputs else None
    if data is not None:
        files.save_arrays(data, found.inputs)
    if arguments.json:
        content = {"path": str(target), "inputs": None if data is None else str(data)}
        print(as_json.text(content | {"nodes": list(found.nodes), "failure": found.failure}))
        return 0
    count = "1 node" if len(found.nodes) == 1 else f"{len(found.nodes)} nodes"
    print(f"{target}: {count}, {size(target.stat().st_size)}" + (f"; inputs: {data}" if data else ""))
    print(f"  {', '.join(found.nodes)}")
    print(f"  {found.failure}")
    return 0


def _fields(values: Values, accuracy: Accuracy | None) -> dict[str, Any]:
    first, not_finite = values.first_diverging, values.first_not_finite
    return {
        "fits": values.fits and (accuracy is None or accuracy.fits),
        "inputs": dict(values.inputs),
        "first_diverging": None if first is None else first.fields(),
        "first_not_finite": None if not_finite is None else not_finite.fields(),
        "values": [value.fields() for value in values.checked],
        "dropped": list(values.dropped),
        "artifact": None if accuracy is None else accuracy_fields(accuracy),
    }


def _print_values(model: str, values: Values) -> None:
    differing = sum(not value.fits for value in values.checked)
    count = len(values.checked)
    if differing:
        print(f"{model}: {differing} of {count} values {'differs' if differing == 1 else 'differ'} from ONNX Runtime's")
    else:
        print(f"{model}: all {count} values are ONNX Runtime's")
    print(f"  checked with {', '.join(f'{name}: {text}' for name, text in values.inputs.items()) or 'no inputs'}")
    if values.dropped:
        print(f"  {len(values.dropped)} more became parts of others")
    _print_curve(values.checked)
    for title, value in (
        ("first that differs", values.first_diverging),
        ("first NaN or infinity", values.first_not_finite),
    ):
        if value is not None:
            print(f"  {title}: node {value.node!r} ({value.op}): {value.difference}")
    if values.worst():
        print("  largest errors:")
    for value in values.worst():
        print(f"    {value.difference.error:8.1e}  {value.op:20s} {value.name}")


def _print_curve(checked: Sequence[CheckedValue]) -> None:
    """Draw the error over the depth of the network, on a logarithmic scale."""
    if len(checked) < 2:
        return
    width = math.ceil(len(checked) / WIDTH)
    errors = [max(v.difference.error for v in checked[i : i + width]) for i in range(0, len(checked), width)]
    top = max([LEAST_ERROR * 10, *(error for error in errors if math.isfinite(error))])
    span = math.log(top / LEAST_ERROR)
    heights = [math.log(max(min(error, top), LEAST_ERROR) / LEAST_ERROR) / span for error in errors]
    bars = "".join(BARS[round(height * (len(BARS) - 1))] for height in heights)
    print(f"  error from input to output: {bars} (up to {max(errors):.0e})")
