"""What can be known of a conversion before anything is converted, and before TensorFlow is imported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx_ir as ir

from onnx_tf.check.inputs import drawn_inputs
from onnx_tf.edits import edit
from onnx_tf.errors import OptionError, either, option
from onnx_tf.export.paths import FILES, Format, artifact_paths, with_companions
from onnx_tf.export.post_training.kinds import RECIPE, Quantization, is_made_of_floats
from onnx_tf.export.precisions import INTEGERS, Precision
from onnx_tf.export.signatures import SERVING_ALONE, Signatures
from onnx_tf.export.writing import check_target
from onnx_tf.handler_table import known_handlers
from onnx_tf.input_checks import by_name, check_arrays
from onnx_tf.layout.channels_last_io import chosen_values
from onnx_tf.model.loading import ModelSource, opened
from onnx_tf.model.quantized import is_quantized
from onnx_tf.options import Options
from onnx_tf.pipeline import lower
from onnx_tf.readers import Reader, reader_named
from onnx_tf.registry import Registry
from onnx_tf.rewriting import refuse_compute

__all__ = ["Ready", "check_feed", "interface", "preflight", "refuse_unknown_operators"]


@dataclass(frozen=True)
class Ready:
    """What a conversion is to do, after all that can be known of it was found to be right.

    Attributes:
        model: what is converted; what was read of it is not read again.
        paths: where each artefact goes, by its format, of .tflite files by the precision.
        check: whether what is written is compared with ONNX Runtime, or the inputs by name to do so with;
            ``None`` for what is done by default.
        has_integers: whether .tflite files keep the integers that a quantised model has.
        signatures: those of a SavedModel.
        reader: what .tflite files are for.
    """

    model: ModelSource
    paths: Mapping[str, Path]
    check: bool | Mapping[str, Any] | None
    has_integers: bool
    signatures: Signatures
    reader: Reader


def interface(model: ir.Model) -> tuple[list[ir.Value], list[ir.Value]]:
    """Return the inputs that a model needs, and those that are initializers too, whose values may be replaced."""
    needed = [value for value in model.graph.inputs if not value.is_initializer()]
    return needed, [value for value in model.graph.inputs if value.is_initializer()]


def preflight(
    model: ModelSource,
    path: Path,
    options: Options,
    *,
    formats: Sequence[Format] | None = None,
    tflite: Sequence[Precision] | None = None,
    nms: str = "model",
    float16_accumulation: bool = False,
    dequantize: bool = False,
    overwrite: bool = True,
    check: Any = None,
    quantization: Quantization | None = None,
    has_data: bool = False,
    signatures: Signatures = SERVING_ALONE,
    target: str = "litert",
    allows_others: bool = False,
    loaded: ir.Model | None = None,
    writes: bool = True,
) -> Ready:
    """Check paths, options, names, shapes and what a comparison needs; see :func:`onnx_tf.convert`.

    ``loaded`` is the model as :func:`onnx_tf.model.loading.load_model` returns it, where it is there already. Paths are
    looked at unless nothing is written.

    Raises:
        OnnxTfError: something does not fit.
    """
    if nms not in ("model", "padded"):
        raise OptionError(f"{option('nms')} must be 'model' or 'padded', not {nms!r}")
    reader = reader_named(target)
    how = quantization or Quantization()
    recipe = None if how.recipe is None else how.recipe.name
    paths = artifact_paths(path, formats, tflite, model, reader.defaults, recipe)
    if float16_accumulation and "float16" not in paths:
        asked = either("tflite=['float16']", "--tflite float16")
        raise OptionError(f"{option('float16_accumulation')} is for float16 .tflite files: ask for them by {asked}")
    signatures.check_formats(paths)
    if options.rewriting.compute is not None:
        named = dict.fromkeys(kind if kind in ("saved_model", *FILES) else "tflite" for kind in paths)
        refuse_compute([kind for kind in named if kind not in ("saved_model", "frozen_graph")])
    if writes:
        _check_targets(paths, overwrite)
    if loaded is None:
        model, loaded = opened(model, options.budget())
    has_integers = not dequantize and bool(set(paths) - {"saved_model", *FILES}) and is_quantized(loaded)
    if has_integers:
        _refuse_kinds(paths)
        paths = artifact_paths(path, formats, tflite, model, INTEGERS)
        if writes:
            _check_targets(paths, overwrite)
    reader.check(set(paths) - {"saved_model", *FILES}, allows_others=allows_others)
    kinds = [] if has_integers else list(paths)
    how.check(kinds)
    how.check_data(kinds, has_data)
    edited = edit(loaded, options)
    inputs, _ = interface(edited)
    reader.check_inputs(inputs)
    chosen_values(inputs, options.channels_last_inputs, "input")
    if check is True:
        drawn_inputs(inputs)
    elif check is not None and check is not False:
        check = check_feed(inputs, check, options)
    return Ready(model, paths, check, has_integers, signatures, reader)


def _check_targets(paths: Mapping[str, Path], overwrite: bool) -> None:
    for kind, target in paths.items():
        for file in with_companions(kind, target):
            check_target(file, overwrite, is_folder=kind == "saved_model")


def _refuse_kinds(paths: Mapping[str, Path]) -> None:
    others = [kind for kind in paths if is_made_of_floats(kind) and kind not in INTEGERS]
    if others:
        raise OptionError(
            f"the model is quantised already: integer_quant keeps its own scales; {_told(others[0])} is made of the "
            f"floats that {either('dequantize=True', '--dequantize')} gives"
        )


def _told(kind: str) -> str:
    return "what a recipe says" if kind == RECIPE else kind


def check_feed(
    values: Sequence[ir.Value], given: Any, options: Options, overridable: Iterable[ir.Value] = ()
) -> dict[str, Any]:
    """Return what was passed for the inputs of a model by their names, as far as is known found to fit them.

    Args:
        values: the inputs that are needed.
        given: what :meth:`onnx_tf.TensorflowRep.run` takes.
        options: of these the channels-last inputs count.
        overridable: inputs that may be given by name.

    Raises:
        InputError: a name, a dtype or a shape does not fit.
    """
    others = {str(value.name): value for value in overridable}
    also = [others[name] for name in (given if isinstance(given, Mapping) else ()) if name in others]
    feed = by_name([*values, *also], given, {})
    moved = options.channels_last_inputs
    check_arrays([*values, *also], feed, [str(value.name) for value in values] if moved == "all" else moved)
    return feed


def refuse_unknown_operators(model: ir.Model, options: Options) -> None:
    """Refuse a loaded model with operators that nothing computes, without converting it.

    Raises:
        UnsupportedError: it has such; the error lists all nodes that cannot be converted.
    """
    handlers = known_handlers(options.adapted_target.forms)
    edited = edit(model, options)
    own = {(function.domain, function.name) for function in edited.functions.values()}
    if any(not _is_known(node, handlers, own) for node in edited.graph.all_nodes()):
        lower(model, options, handlers=handlers, until="refuse unsupported")


def _is_known(node: ir.Node, handlers: Registry, functions: set[tuple[str, str]]) -> bool:
    known = handlers.supports(node.domain, node.op_type, node.version or 1)
    return known or (node.domain, node.op_type) in functions
