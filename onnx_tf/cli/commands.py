"""The commands of ``onnx-tf``: each takes the parsed arguments and returns the exit code."""

from __future__ import annotations

import argparse
import dataclasses
import fnmatch
import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnx_tf.cli import console, files
from onnx_tf.cli.usage import UsageError

if TYPE_CHECKING:
    from onnx_tf.check.accuracy import Accuracy
    from onnx_tf.conversion import Conversion
    from onnx_tf.export.integers.file import FloatOperator


def convert(arguments: argparse.Namespace) -> int:
    """Write a model as a SavedModel, .tflite or .keras files."""
    if arguments.input and arguments.check is False:
        raise UsageError("--input is what --check compares with: leave out --no-check")
    if arguments.input and not arguments.check and not _writes_a_file(arguments):
        raise UsageError("--input is what --check compares with: add --check")
    with console.tensorflow_with_progress() as progress, console.no_native_output():
        from onnx_tf.conversion import convert as convert_model
        from onnx_tf.options import Options
        from onnx_tf.pipeline import lower

        check: Any = arguments.check
        if arguments.input:
            model = lower(arguments.model, Options.of(**_edits(arguments)), until="edit").model
            inputs = [value for value in model.graph.inputs if not value.is_initializer()]  # others are constants there
            check = _inputs([str(value.name) for value in inputs], arguments.input)
        done = convert_model(
            arguments.model,
            arguments.outdir,
            formats=arguments.formats,
            tflite=arguments.tflite,
            **_edits(arguments),
            **_layout(arguments),
            freeze=arguments.freeze,
            allow_flex=arguments.allow_flex,
            allow_custom_ops=arguments.allow_custom_ops,
            int64_as_int32=arguments.int64_as_int32,
            nms=arguments.nms,
            dequantize=arguments.dequantize,
            overwrite=not arguments.no_overwrite,
            check=check,
            progress=progress,
        )
    if arguments.json:
        _print_json(_summary(done))
    else:
        _print_conversion(done, arguments.timings)
    return 0 if done.fits else 1


_KINDS = {"saved_model": "SavedModel", "keras_source": "source of a Keras model", "weights": "weights"}


def _writes_a_file(arguments: argparse.Namespace) -> bool:
    is_file = arguments.outdir.lower().endswith((".tflite", ".keras", ".py", ".weights.h5"))
    return is_file or not set(arguments.formats or ()) <= {"saved_model"}


def _moved(done: Conversion) -> dict[str, list[str]]:
    report = done.rep.layout_report
    return {"inputs": list(report.channels_last_inputs), "outputs": list(report.channels_last_outputs)}


def _summary(done: Conversion) -> dict[str, Any]:
    """Return what JSON tells of a conversion: at its top what it tells of the first artefact."""
    artifacts = [
        {
            "format": written.format,
            "path": str(written.path),
            "bytes": written.bytes,
            "check": None if written.accuracy is None else _accuracy(written.accuracy),
        }
        | ({} if written.operators is None else {"operators": dict(written.operators), "unchecked": written.unchecked})
        | ({"floats": [dataclasses.asdict(operator) for operator in written.floats]} if written.floats else {})
        for written in done.artifacts
    ]
    return {
        **artifacts[0],
        "artifacts": artifacts,
        "seconds": round(done.seconds, 3),
        "inputs": list(done.rep.inputs),
        "outputs": list(done.rep.outputs),
        "timings": {step: round(seconds, 4) for step, seconds in done.timings.items()},
        **{f"channels_last_{side}": changed for side, changed in _moved(done).items()},
    }


def _print_conversion(done: Conversion, timings: bool) -> None:
    from onnx_tf.export.flatbuffer import foreign_operators

    for written in done.artifacts:
        what = _KINDS.get(written.format, f".{written.format}")
        print(f"{written.path}: {what}, {console.size(written.bytes)}, in {done.seconds:.1f} s")
        if written.operators is not None:
            count, transposes = sum(written.operators.values()), written.operators.get("TRANSPOSE", 0)
            print(f"  {count} operators, {transposes} of them Transposes")
            _print_floats(written.floats)
            foreign = foreign_operators(written.operators)
            if foreign:
                print(f"  not LiteRT's own: {', '.join(foreign)}")
        for side, changed in _moved(done).items():
            if changed:
                print(f"  {side} that are N, spatial..., C now: {', '.join(changed)}")
        if written.accuracy is not None:
            _print_accuracy(written.accuracy)
        elif written.format != "saved_model":
            reason = written.unchecked.replace("\n", "\n    ")
            print(f"  not checked: {reason}" if reason else "  not checked")
    for step, seconds in done.timings.items() if timings else ():
        print(f"  {seconds:8.3f} s  {step}")


def _print_floats(floats: Sequence[FloatOperator]) -> None:
    """Say what of a quantised file computes with floats, nodes of one kind and reason together."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for operator in floats:
        reasons.setdefault((operator.kind, operator.reason), []).append(operator.node)
    if floats:
        print(f"  {len(floats)} {'node stays' if len(floats) == 1 else 'nodes stay'} in floats:")
    for (kind, reason), nodes in reasons.items():
        named = ", ".join(nodes[:_FEW]) + (f", ... ({len(nodes)})" if len(nodes) > _FEW else "")
        print(f"    {kind}: {reason}: {named}")


_FEW = 3


def run(arguments: argparse.Namespace) -> int:
    """Compute a model's outputs and print or save them."""
    target = None if arguments.output is None else Path(arguments.output)
    if target is not None and target.suffix not in (".npy", ".npz"):
        raise UsageError(f"--output {target}: the name must end in .npz, or .npy for a single output")
    with console.tensorflow_with_progress() as progress:
        from onnx_tf.backend import prepare

        progress("Converting")
        rep = prepare(arguments.model, **_edits(arguments), **_layout(arguments))
        names = [*rep.inputs, *sorted(rep.overridable)]
        feed = _inputs(names, arguments.input)
        if target is not None and target.suffix == ".npy" and len(rep.outputs) != 1:
            raise UsageError(f"--output {target}: the model has {len(rep.outputs)} outputs, save them as .npz")
        progress("Running")
        outputs = dict(rep.run(feed).items())
    if target is not None:
        files.save_arrays(target, outputs)
    if arguments.json:
        _print_json({"outputs": {name: _described(value) for name, value in outputs.items()}})
    else:
        for name, value in outputs.items():
            print(f"{name}: {value.dtype}{list(value.shape)}" if hasattr(value, "shape") else f"{name}:")
            if target is None:
                print(value)
    return 0


def info(arguments: argparse.Namespace) -> int:
    """Describe a model."""
    with console.tensorflow_with_progress() as progress:
        from onnx_tf.cli.describe import describe_model
        from onnx_tf.options import Options

        progress("Reading")
        description = describe_model(arguments.model, Options.of(**_edits(arguments)))
    if arguments.json:
        _print_json(description)
        return 0
    for key in ("ir_version", "producer", "opsets", "file", "weights", "parameters", "nodes"):
        value = description[key]
        if isinstance(value, dict):
            value = ", ".join(f"{domain} {version}" for domain, version in value.items())
        print(f"{key.replace('_', ' ')}: {console.size(value) if key in ('file', 'weights') else value}")
    if description["overridable"]:
        print(f"initializers that are inputs too: {len(description['overridable'])}")
    for key in ("inputs", "outputs", "functions"):
        _print_lines(key, description[key])
    _print_lines("operators", [f"{count:5d} {op}" for op, count in description["operators"].items()])
    _print_lines("not supported", [node["text"] for node in description["unsupported"]] or ["nothing"])
    return 0


def layout(arguments: argparse.Namespace) -> int:
    """Say how the layout pass chose memory orders."""
    with console.tensorflow_with_progress() as progress:
        from onnx_tf.backend import prepare

        progress("Converting")
        report = prepare(arguments.model, **_edits(arguments), **_layout(arguments)).layout_report
    if arguments.html is not None:
        from onnx_tf.layout.drawing import page

        text = page(report, Path(arguments.model).name)
        files.write(Path(arguments.html), text.encode("utf-8", errors="xmlcharrefreplace"))
    if arguments.json:
        _print_json(dataclasses.asdict(report))
    else:
        print(report)
    return 0


def ops(arguments: argparse.Namespace) -> int:
    """List the supported operators."""
    with console.tensorflow_with_progress():
        from onnx_tf.supported_ops import markdown, supported_ops

        if arguments.markdown:
            print(markdown(), end="")
            return 0
        rows = [op for op in supported_ops() if fnmatch.fnmatch(op.op_type, arguments.pattern)]
    if arguments.json:
        _print_json([dataclasses.asdict(op) for op in rows])
        return 0
    for op in rows:
        print(f"{op.domain:24s} {op.op_type:32s} {', '.join(map(str, sorted(op.versions + op.by_function)))}")
    return 0


def _edits(arguments: argparse.Namespace) -> dict[str, Any]:
    shapes = dict(arguments.input_shape)
    if len(shapes) < len(arguments.input_shape):
        raise UsageError("--input-shape: an input is given two shapes")
    return {
        "batch_size": arguments.batch_size,
        "input_shapes": shapes,
        "input_names": list(itertools.chain.from_iterable(arguments.input_names)),
        "output_names": list(itertools.chain.from_iterable(arguments.output_names)),
    }


def _layout(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "layout": arguments.layout,
        "channels_last_inputs": _names(arguments.channels_last_inputs),
        "channels_last_outputs": _names(arguments.channels_last_outputs),
    }


def _names(names: Sequence[str]) -> Any:
    return "all" if list(names) == ["all"] else names


def _inputs(names: Sequence[str], specs: Sequence[str]) -> dict[str, Any]:
    """Return arrays by input name from ``FILE`` (by position) and ``NAME=FILE`` arguments."""
    feed: dict[str, Any] = {}
    for spec in specs:
        name = next((n for n in sorted(names, key=len, reverse=True) if spec.startswith(f"{n}=")), None)
        if name is None and "=" in spec and not Path(spec).exists():
            raise UsageError(f"--input {spec}: the model has no such input; its inputs are {list(names)}")
        arrays = files.load_arrays(Path(spec if name is None else spec[len(name) + 1 :]))
        if isinstance(arrays, dict) and name is None:
            feed |= arrays
            continue
        if isinstance(arrays, dict):
            if len(arrays) != 1:
                raise UsageError(f"--input {spec}: the file holds {sorted(arrays)}, an input needs one array")
            arrays = next(iter(arrays.values()))
        free = [n for n in names if n not in feed]
        if name is None and not free:
            raise UsageError(f"--input {spec}: the model has {len(names)} inputs, all are given already")
        feed[name or free[0]] = arrays
    return feed


def _accuracy(accuracy: Accuracy) -> dict[str, Any]:
    outputs = [dataclasses.asdict(output) | {"fits": output.fits} for output in accuracy.outputs]
    for output in outputs:
        output["error"] = output["error"] if math.isfinite(output["error"]) else None  # JSON has no infinity
        output["known"] = list(accuracy.known.get(output["name"], ()))
    modes = {how: error if math.isfinite(error) else None for how, error in accuracy.modes.items()}
    of_tflite = {"runtime": accuracy.runtime, "modes": modes} if modes else {}
    return {"fits": accuracy.fits, "inputs": dict(accuracy.inputs), "outputs": outputs} | of_tflite


def _print_accuracy(accuracy: Accuracy) -> None:
    print(f"  checked with {', '.join(f'{name}: {text}' for name, text in accuracy.inputs.items()) or 'no inputs'}")
    if accuracy.modes:
        errors = ", ".join(f"{how} {_error(error, accuracy)}" for how, error in accuracy.modes.items())
        print(f"  in {accuracy.runtime or 'an interpreter that did not start'}: largest error {errors}")
    for output in accuracy.outputs:
        limit = f"{output.tolerance:.1f}" if accuracy.unit else f"{output.tolerance:.0e}"
        found = output.reason or f"{_error(output.error, accuracy)} from ONNX Runtime (tolerance {limit})"
        print(f"  {output.name}: {found}: {'ok' if output.fits else 'DIFFERS'}")
        if not output.fits and not output.reason:
            print(f"    at {output.at}")
        for sentence in accuracy.known.get(output.name, ()):
            print(f"    {sentence}")


def _error(error: float, accuracy: Accuracy) -> str:
    return f"{error:.1f} {accuracy.unit}" if accuracy.unit else f"{error:.1e}"


def _described(value: Any) -> Any:
    if isinstance(value, list):
        return [_described(item) for item in value]
    if not hasattr(value, "tolist"):
        return value
    return {"dtype": str(value.dtype), "shape": list(value.shape), "values": value.tolist()}


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, default=str))


def _print_lines(title: str, lines: Sequence[str]) -> None:
    if lines:
        print(f"{title}:")
    for line in lines:
        print(f"  {line}")
