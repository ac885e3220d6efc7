"""Convert a model part by part, and compare the parts as a whole."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx_ir as ir

from onnx_tf.check.accuracy import Accuracy, compare_whole
from onnx_tf.check.artifacts import SavedModel
from onnx_tf.check.compare import FLOAT16_WEIGHTS, NARROW_PRODUCTS, Tolerance
from onnx_tf.check.expected import expected_of
from onnx_tf.check.interface import Interface
from onnx_tf.check.litert import LiteRT
from onnx_tf.check.strictness import Strictness
from onnx_tf.edits import cut, edit, edited_source
from onnx_tf.errors import CheckError, OnnxTfError, OptionError, either, option
from onnx_tf.export.replacing import put
from onnx_tf.export.writing import check_target, refused
from onnx_tf.layout import LayoutReport
from onnx_tf.model.loading import ModelSource, load_model
from onnx_tf.options import Options
from onnx_tf.splitting.cuts import Part, parts_of
from onnx_tf.splitting.whole import Whole
from onnx_tf.supervision.limits import memory_size
from onnx_tf.value_types import NamedTypes, ValueType

if TYPE_CHECKING:
    from onnx_tf.artifacts import Written

__all__ = ["InParts", "convert_in_parts"]


@dataclass(frozen=True)
class InParts:
    """What stands for a model whose parts were written.

    Attributes:
        inputs: the names of the model's inputs, with their types.
        outputs: likewise.
        layout_report: empty: each part has its own memory orders.
        timings: how long each step took, of all parts.
    """

    inputs: NamedTypes
    outputs: NamedTypes
    layout_report: LayoutReport
    timings: Mapping[str, float]


def convert_in_parts(
    convert: Callable[..., Any],
    *,
    model: ModelSource,
    path: Path,
    split_size: int | str,
    check: Any,
    strictness: Strictness,
    edits: Mapping[str, Any],
    **settings: Any,
) -> tuple[list[Written], InParts]:
    """Write the parts of a model beside each other, ``NAME_1``, ``NAME_2``, ..., and ``NAME.parts.json``.

    Args:
        convert: what writes one of them, see :func:`onnx_tf.convert`.
        model: see :func:`onnx_tf.convert`.
        path: what the parts are called after: a .tflite file or the folder of a SavedModel.
        split_size: how many bytes of weights a part may have, as in ``"1G"``.
        check: see :func:`onnx_tf.convert`.
        strictness: what counts as equal.
        edits: the options that say what is computed.
        settings: those that say how, for all parts.

    Raises:
        OptionError: an option is for models in one piece.
        OnnxTfError: see :func:`onnx_tf.convert`.
    """
    _refuse(path, settings)
    options = Options.of(**edits)
    whole = edit(load_model(model, options.budget()), options)
    # Weights in float16 are half of what the model holds.
    is_half = list(settings["tflite"] or ()) == ["float16"]
    found = parts_of(whole.clone(), _bytes(split_size) * (2 if is_half else 1))
    is_folder = path.suffix != ".tflite"
    targets = [path.with_name(f"{path.stem}_{number}{path.suffix}") for number in range(1, len(found) + 1)]
    plan = path.with_name(f"{path.stem}.parts.json")
    for target in targets:
        check_target(target, settings["overwrite"], is_folder=is_folder)
    check_target(plan, settings["overwrite"], is_folder=False)
    with refused(path):
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.absolute().parent, prefix=f".{path.stem}.") as folder:
        files = [Path(folder) / target.name for target in targets]
        progress, written, reps = settings.pop("progress"), [], []
        for number, (part, file) in enumerate(zip(found, files, strict=True), 1):
            told = _counted(progress, number, len(found))
            done = convert(_cut(whole, part), file, check=False, progress=told, **settings)
            written.append(replace(done.artifacts[0], part=(number, len(found))))
            reps.append((Interface.of(done.rep), done.timings))
        accuracy, obstacle = None, None
        if check is not False:
            progress("Checking all parts")
            try:
                tolerance = FLOAT16_WEIGHTS if is_half else NARROW_PRODUCTS.get(str(settings["compute"]))
                accuracy = _compared(model, options, whole, found, files, reps, check, strictness, tolerance)
            except OnnxTfError as error:
                obstacle = error
        written[-1] = replace(written[-1], accuracy=accuracy, obstacle=obstacle)
        text = json.dumps({"parts": _plan(found, targets)}, indent=2) + "\n"
        (Path(folder) / plan.name).write_text(text, encoding="utf-8")
        with refused(path):
            put([(Path(folder) / target.name, target) for target in (*targets, plan)])
    if obstacle is not None and check is not None:
        raise CheckError(f"{plan} and its parts are written, but not verified: {obstacle.marked}") from obstacle
    written = [replace(own, path=target) for own, target in zip(written, targets, strict=True)]
    return written, _in_parts(whole, [timings for _, timings in reps])


def _bytes(stated: int | str) -> int:
    try:
        found = stated if isinstance(stated, int) else memory_size(stated)
    except OptionError:
        found = 0
    if found < 1:
        raise OptionError(f"{option('split_size')} must be a size like 1G or 512MiB, not {stated!r}")
    return found


def _refuse(path: Path, settings: Mapping[str, Any]) -> None:
    if settings["formats"] is not None or path.suffix not in ("", ".tflite"):
        raise OptionError(
            f"{option('split_size')} is for .tflite files and SavedModels: let the path name one of them, without "
            f"{option('formats')}"
        )
    for name in ("channels_last_inputs", "channels_last_outputs", "report"):
        if settings[name]:
            raise OptionError(f"{option('split_size')} and {option(name)} do not go together: leave one of them out")
    if settings["intermediate_names"]:
        names, every = option("intermediate_names"), option("signatures")
        raise OptionError(
            f"{option('split_size')} and {names} do not go together: "
            f"'intermediate' of {every} gives all values of each part"
        )
    if len(settings["tflite"] or ()) > 1:
        raise OptionError(f"{option('split_size')} writes parts of one kind: choose one with {option('tflite')}")
    if settings["data"] is not None:
        how = either("input_names and output_names", "--input-names and --output-names")
        raise OptionError(f"{option('split_size')}: calibrate each part on its own, cut out by {how}")


def _counted(progress: Callable[[str], None], number: int, count: int) -> Callable[[str], None]:
    return lambda text: progress(f"{text}, part {number} of {count}")


def _cut(whole: ir.Model, part: Part) -> ir.Model:
    return cut(whole, part.input_names, part.output_names)


def _compared(
    model: ModelSource,
    options: Options,
    whole: ir.Model,
    found: Sequence[Part],
    files: Sequence[Path],
    reps: Sequence[tuple[Interface, Any]],
    check: Any,
    strictness: Strictness,
    tolerance: Tolerance | None,
) -> Accuracy:
    """Return how far the outputs of the last parts are from those of the model."""
    inputs = tuple(value for value in whole.graph.inputs if not value.is_initializer())
    names = [str(value.name) for value in whole.graph.outputs]
    interface = Interface(inputs, dict.fromkeys(names), {str(v.name): v.dtype for v in whole.graph.outputs})
    feed = check if isinstance(check, Mapping) else None
    expected = expected_of(interface, edited_source(model, options), feed, strictness=strictness)

    def of(load: Callable[[Path, Interface], Any]) -> Whole:
        parts = zip(files, reps, found, strict=True)
        return Whole([(lambda f=f, i=i: load(f, i), p.input_names) for f, (i, _), p in parts], names)  # type: ignore[misc]

    if files[0].suffix != ".tflite":
        return compare_whole({"": of(SavedModel)}, interface, expected, tolerance)
    modes = {"with XNNPACK": True, "without XNNPACK": False}
    wholes = {how: of(lambda f, i, x=x: LiteRT(f, i, xnnpack=x)) for how, x in modes.items()}  # type: ignore[misc]
    return compare_whole(wholes, interface, expected, tolerance)


def _plan(found: Sequence[Part], targets: Sequence[Path]) -> list[dict[str, Any]]:
    return [
        {"path": target.name, "inputs": list(part.input_names), "outputs": list(part.output_names)}
        for part, target in zip(found, targets, strict=True)
    ]


def _in_parts(whole: ir.Model, timings: Sequence[Mapping[str, float]]) -> InParts:
    inputs, outputs = (
        NamedTypes([(str(value.name), ValueType.of(value)) for value in values])
        for values in ([v for v in whole.graph.inputs if not v.is_initializer()], whole.graph.outputs)
    )
    total: dict[str, float] = {}
    for own in timings:
        for step, seconds in own.items():
            total[step] = total.get(step, 0.0) + seconds
    return InParts(inputs, outputs, LayoutReport(), total)
