"""The commands of ``onnx-tf``: each takes the parsed arguments and returns the exit code."""

from __future__ import annotations

import argparse
import dataclasses
import fnmatch
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnx_tf.cli import arguments as given
from onnx_tf.cli import as_json, console, files, quantizing
from onnx_tf.cli.accuracy import accuracy_fields, print_accuracy
from onnx_tf.cli.checking import bisect, check
from onnx_tf.cli.planning import plan
from onnx_tf.cli.usage import UsageError
from onnx_tf.telling import did_you_mean, size

__all__ = ["bisect", "check", "completion", "convert", "info", "layout", "ops", "plan", "run"]

if TYPE_CHECKING:
    from onnx_tf.conversion import Conversion, Written
    from onnx_tf.export.integers.file import FloatOperator
    from onnx_tf.options import Options


def convert(arguments: argparse.Namespace) -> int:
    """Write a model as a SavedModel, .tflite or .keras files."""
    if arguments.input and arguments.check is False:
        raise UsageError("--input is what the check compares with: leave out --no-check")
    if arguments.cast and not arguments.input:
        raise UsageError("--cast is for what --input gives: add --input, or leave it out")
    strict = given.strictness(arguments)
    if strict and arguments.check is False:
        raise UsageError(f"--{next(iter(strict))} is for the check: leave out --no-check")
    with console.tensorflow_later(arguments) as terminal:
        model, check = _known_before(arguments)
        terminal.import_tensorflow()
        from onnx_tf.conversion import convert as convert_model

        done = convert_model(
            model,
            arguments.outdir,
            **given.writing(arguments),
            overwrite=not arguments.no_overwrite,
            check=check,
            **strict,
            split_size=arguments.split_size,
            report=arguments.report,
            progress=terminal.step,
        )
    if arguments.json:
        _print_json(_summary(done, terminal.seconds()) | {"report": arguments.report})
    elif not arguments.quiet or not done.fits:
        _print_conversion(done, arguments.freeze, arguments.timings or arguments.verbose, terminal.seconds())
        if arguments.report is not None:
            print(f"report: {arguments.report}")
    return 0 if done.fits else 1


def _known_before(arguments: argparse.Namespace) -> tuple[Any, Any]:
    """Refuse what can be known to fail without TensorFlow; return the model, and what the check is to compare with."""
    from onnx_tf.export.paths import KERAS
    from onnx_tf.model.loading import opened
    from onnx_tf.options import Options
    from onnx_tf.preflight import refuse_unknown_operators
    from onnx_tf.report.files import check_report

    if arguments.report is not None:
        check_report(arguments.report)
    options = Options.of(**given.edits(arguments), **given.forms(arguments))
    model, loaded = opened(arguments.model, options.budget())
    check = given.feed(arguments, options, loaded) if arguments.input else arguments.check
    overwrite, outdir = not arguments.no_overwrite, Path(arguments.outdir)
    ready = given.ready(
        arguments, options, outdir, check, formats=arguments.formats, overwrite=overwrite, loaded=loaded
    )
    if set(KERAS).isdisjoint(ready.paths):
        refuse_unknown_operators(loaded, options)
    return model, ready.check


_KINDS = {
    "saved_model": "SavedModel",
    "keras_source": "source of a Keras model",
    "weights": "weights",
    "frozen_graph": "frozen graph",
}


def _moved(done: Conversion) -> dict[str, list[str]]:
    report = done.rep.layout_report
    return {"inputs": list(report.channels_last_inputs), "outputs": list(report.channels_last_outputs)}


def _summary(done: Conversion, waited: Mapping[str, float]) -> dict[str, Any]:
    """Return what JSON tells of a conversion: at its top what it tells of the first artefact."""
    artifacts = [
        {
            "format": written.format,
            "path": str(written.path),
            "bytes": written.bytes,
            "check": None if written.accuracy is None else accuracy_fields(written.accuracy),
            "unchecked": _unchecked(written),
        }
        | ({} if written.operators is None else {"operators": dict(written.operators)})
        | ({"floats": [dataclasses.asdict(operator) for operator in written.floats]} if written.floats else {})
        | ({"elsewhere": [vars(node) for node in written.elsewhere]} if written.elsewhere else {})
        | ({"names": dict(written.names)} if written.format == "frozen_graph" else {})
        | ({} if written.compute is None else {"compute": written.compute})
        | quantizing.quantized_summary(written)
        | ({} if written.part is None else {"part": list(written.part)})
        for written in done.artifacts
    ]
    return {
        **artifacts[0],
        "artifacts": artifacts,
        "seconds": round(done.seconds, 3),
        "waited": {part: round(seconds, 3) for part, seconds in waited.items()},
        "inputs": done.rep.inputs.as_json(),
        "outputs": done.rep.outputs.as_json(),
        "timings": {step: round(seconds, 4) for step, seconds in done.timings.items()},
        **{f"channels_last_{side}": changed for side, changed in _moved(done).items()},
    }


def _print_conversion(done: Conversion, freeze: bool | str, timings: bool, waited: Mapping[str, float]) -> None:
    from onnx_tf.backend_rep import TensorflowRep
    from onnx_tf.export.flatbuffer import foreign_operators

    for written in done.artifacts:
        what = _KINDS.get(written.format, f".{written.format}")
        print(f"{written.path}: {what}, {size(written.bytes)}")
        if written.operators is not None:
            count, transposes = sum(written.operators.values()), written.operators.get("TRANSPOSE", 0)
            moving = "1 of them a Transpose" if transposes == 1 else f"{transposes} of them Transposes"
            print(f"  {count} {'operator' if count == 1 else 'operators'}, {moving}")
            _print_floats(written.floats)
            for node in written.elsewhere:
                print(f"  {node.name} ({node.op_type}): {node.reason}")
            foreign = foreign_operators(written.operators)
            if foreign:
                print(f"  not LiteRT's own: {', '.join(foreign)}")
        for side, changed in _moved(done).items():
            if changed:
                print(f"  {side} that are N, spatial..., C now: {', '.join(changed)}")
        has_weights = isinstance(done.rep, TensorflowRep) and bool(done.rep.tf_module.weights)
        if written.format == "saved_model" and not freeze and has_weights:
            print("  weights are variables, which train; to serve alone, --freeze is faster")
        if written.compute is not None:
            print(f"  convolutions and products of matrices are computed in {written.compute}")
        for name, operation in written.names.items():
            print(f"  {name} is {operation}, as TensorFlow takes names")
        if written.format in ("keras", "keras_source"):
            _print_images(done)
        quantizing.print_quantized(written)
        if written.accuracy is not None:
            print_accuracy(written.accuracy)
        elif written.verdict is None and not _is_inner_part(written):
            reason = _unchecked(written).replace("\n", "\n    ")
            print(f"  not checked: {reason}" if reason else "  not checked")
    print(f"{sum(waited.values()):.1f} s: {', '.join(f'{step} {seconds:.1f} s' for step, seconds in waited.items())}")
    for step, seconds in done.timings.items() if timings else ():
        print(f"  {seconds:8.3f} s  {step}")


def _is_inner_part(written: Written) -> bool:
    """Return whether another part has the comparison of all."""
    return written.part is not None and written.part[0] < written.part[1]


def _print_images(done: Conversion) -> None:
    """Say what makes inputs N, spatial..., C, as Keras users give images: those that are turned at once."""
    inputs = [str(name) for name in done.rep.inputs]
    turned = {transpose.value for transpose in done.rep.layout_report.transposes}
    images = [name for name in inputs if name in turned and name not in _moved(done)["inputs"]]
    if images:
        them = "all" if len(images) == len(inputs) else ",".join(images)
        print(
            f"  N, C, spatial... as in the model: {', '.join(images)} (--channels-last-inputs {them}: N, spatial..., C)"
        )


def _unchecked(written: Written) -> str:
    return "" if written.obstacle is None else written.obstacle.for_command_line()


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
    from onnx_tf.options import Options

    target = None if arguments.output is None else Path(arguments.output)
    if target is not None and target.suffix not in (".npy", ".npz"):
        raise UsageError(f"--output {target}: the name must end in .npz, or .npy for a single output")
    if target is not None:
        files.check_writable(target)
    with console.tensorflow_later(arguments) as terminal:
        options = Options.of(**given.edits(arguments), **given.forms(arguments))
        feed = _known_before_running(arguments, options, target)
        terminal.import_tensorflow()
        from onnx_tf.backend import prepare

        terminal.step("Converting")
        rep = prepare(arguments.model, **given.edits(arguments), **given.forms(arguments))
        terminal.step("Running")
        outputs = dict(rep.run(feed).items())
    if target is not None:
        files.save_arrays(target, outputs)
    if arguments.json:
        _print_json({"outputs": {name: as_json.result(value) for name, value in outputs.items()}})
    elif target is None or not arguments.quiet:
        for name, value in outputs.items():
            print(f"{name}: {as_json.result_type(value)}")
            if target is None:
                print(value)
    return 0


def _known_before_running(arguments: argparse.Namespace, options: Options, target: Path | None) -> dict[str, Any]:
    """Refuse what can be known to fail without TensorFlow; return the inputs by name."""
    from onnx_tf.edits import edit
    from onnx_tf.model.loading import load_model
    from onnx_tf.preflight import refuse_unknown_operators

    loaded = load_model(arguments.model, options.budget())
    feed = given.feed(arguments, options, loaded)
    outputs = edit(loaded, options).graph.outputs
    if target is not None and target.suffix == ".npy" and len(outputs) != 1:
        raise UsageError(f"--output {target}: the model has {len(outputs)} outputs, save them as .npz")
    refuse_unknown_operators(loaded, options)
    return feed


def info(arguments: argparse.Namespace) -> int:
    """Describe a model; the exit code is 1 where some of it is not supported."""
    from onnx_tf.cli.describe import describe_model

    description = describe_model(arguments.model, given.edits(arguments))
    if arguments.json:
        _print_json(description)
        return 1 if description["unsupported"] else 0
    for key in ("ir_version", "producer", "opsets", "file", "weights", "parameters", "nodes"):
        value = description[key]
        if isinstance(value, dict):
            value = ", ".join(f"{domain} {version}" for domain, version in value.items())
        print(f"{key.replace('_', ' ')}: {size(value) if key in ('file', 'weights') else value}")
    if description["overridable"]:
        print(f"initializers that are inputs too: {len(description['overridable'])}")
    for key in ("inputs", "outputs"):
        _print_lines(key, [as_json.value_text(value) for value in description[key]])
    _print_lines("functions", description["functions"])
    _print_lines("operators", [f"{count:5d} {op}" for op, count in description["operators"].items()])
    _print_lines("not supported", [node["text"] for node in description["unsupported"]] or ["nothing"])
    return 1 if description["unsupported"] else 0


def layout(arguments: argparse.Namespace) -> int:
    """Say how the layout pass chose memory orders."""
    from onnx_tf.handler_table import known_handlers
    from onnx_tf.options import Options
    from onnx_tf.pipeline import lower

    if arguments.html is not None:
        files.check_writable(Path(arguments.html))
    with console.progress("Converting"):
        options = Options.of(**given.edits(arguments), **given.forms(arguments))
        report = lower(arguments.model, options, handlers=known_handlers(), until="layout").layout_report
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
    from onnx_tf.supported_ops import markdown, supported_ops

    if arguments.markdown:
        print(markdown(), end="")
        return 0
    known = supported_ops()
    rows = [op for op in known if fnmatch.fnmatch(op.op_type.lower(), arguments.pattern.lower())]
    if not rows:
        near = did_you_mean(arguments.pattern, [op.op_type for op in known])
        raise UsageError(f"no operator is called {arguments.pattern!r}{near}")
    if arguments.json:
        _print_json([dataclasses.asdict(op) for op in rows])
        return 0
    for op in rows:
        print(f"{op.domain:24s} {op.op_type:32s} {', '.join(map(str, sorted(op.versions + op.by_function)))}")
    return 0


def completion(arguments: argparse.Namespace) -> int:
    """Print the script of a shell."""
    from onnx_tf.cli.completion import script

    print(script(arguments.shell, arguments.commands), end="")
    return 0


def _print_json(value: Any) -> None:
    print(as_json.text(value))


def _print_lines(title: str, lines: Sequence[str]) -> None:
    if lines:
        print(f"{title}:")
    for line in lines:
        print(f"  {line}")
