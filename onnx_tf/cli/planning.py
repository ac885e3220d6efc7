"""``onnx-tf plan``: what a conversion would refuse, in each format, without writing anything."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnx_tf.cli import arguments as given
from onnx_tf.cli import as_json, console
from onnx_tf.telling import size

if TYPE_CHECKING:
    import onnx_ir as ir

    from onnx_tf.options import Options


def plan(arguments: argparse.Namespace) -> int:
    """Say of each format whether the model can be written so; the exit code is 1 where it cannot.

    TensorFlow is started for formats that only a trace can judge: all but SavedModels.
    """
    from onnx_tf.export.paths import artifact_paths
    from onnx_tf.model.loading import load_model
    from onnx_tf.options import Options

    formats = arguments.formats or ["saved_model"]
    artifact_paths(Path("out"), formats, None, arguments.model)  # an unknown format is an error of its own
    with console.tensorflow_later(arguments) as terminal:
        options = Options.of(**given.edits(arguments), **given.forms(arguments))
        loaded = load_model(arguments.model, options.budget())
        answers = [_of_saved_model(loaded, options)] if "saved_model" in formats else []
        if set(formats) - {"saved_model"}:
            terminal.import_tensorflow()
        for kind in formats:
            if kind != "saved_model":
                terminal.step(f"Trying {kind}")
                answers.append(_of_file(kind, loaded, options))
    weights = sum(value.const_value.nbytes for value in _constants(loaded))
    fits = all(answer["fits"] for answer in answers)
    if arguments.json:
        print(as_json.text({"fits": fits, "weights": weights, "formats": answers}))
    else:
        print(f"{arguments.model}: {size(weights)} of weights")
        for answer in answers:
            print(f"{answer['format']}: {'can be written' if answer['fits'] else answer['reason']}")
    return 0 if fits else 1


def _constants(model: ir.Model) -> list[Any]:
    values = [value for graph in model.graphs() for value in graph.initializers.values()]
    return [value for value in values if value.const_value is not None]


def _of_saved_model(loaded: ir.Model, options: Options) -> dict[str, Any]:
    from onnx_tf.errors import OnnxTfError
    from onnx_tf.preflight import refuse_unknown_operators

    try:
        refuse_unknown_operators(loaded, options)
    except OnnxTfError as error:
        return _answer("saved_model", error)
    return _answer("saved_model")


def _of_file(kind: str, loaded: ir.Model, options: Options) -> dict[str, Any]:
    from dataclasses import replace

    from onnx_tf.backend_rep import TensorflowRep
    from onnx_tf.errors import OnnxTfError
    from onnx_tf.export.tflite import refuse_unsupported
    from onnx_tf.model.quantized import is_quantized
    from onnx_tf.pipeline import lower
    from onnx_tf.targets import KERAS, litert

    try:
        if kind == "tflite":
            target = litert(quantized=is_quantized(loaded))
            refuse_unsupported(TensorflowRep(lower(loaded.clone(), replace(options, target=target))).tf_module)
        else:
            from onnx_tf.export.keras import build

            build(loaded.clone(), replace(options, target=KERAS))
    except OnnxTfError as error:
        return _answer(kind, error)
    return _answer(kind)


def _answer(kind: str, error: Any = None) -> dict[str, Any]:
    nodes: Sequence[Any] = getattr(error, "nodes", ())
    reason = "" if error is None else error.for_command_line()
    return {"format": kind, "fits": error is None, "reason": reason, "nodes": [vars(node) for node in nodes]}
