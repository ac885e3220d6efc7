"""What the arguments of the commands say, as the library takes it."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnx_tf.cli.quantizing import quantization, quantizing_options
from onnx_tf.cli.rewriting import edits_of_operators, forms_of_operators
from onnx_tf.cli.usage import UsageError

if TYPE_CHECKING:
    import onnx_ir as ir

    from onnx_tf.options import Options
    from onnx_tf.preflight import Ready


def edits(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options of the library that edit a model first, and say what may be made of it."""
    from onnx_tf.cli.inputs import stated_values
    from onnx_tf.overrides import overrides_of

    shapes = dict(arguments.input_shape)
    if len(shapes) < len(arguments.input_shape):
        raise UsageError("--input-shape: an input is given two shapes")
    return {
        "batch_size": arguments.batch_size,
        "input_shapes": shapes,
        "values": stated_values(arguments.values),
        "input_names": list(itertools.chain.from_iterable(arguments.input_names)),
        "output_names": list(itertools.chain.from_iterable(arguments.output_names)),
        "overrides": overrides_of(arguments.overrides),
        **edits_of_operators(arguments),
        **budget(arguments),
    }


def budget(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return those that say what a conversion may make out of a file."""
    return {"max_constant_bytes": arguments.max_constant_bytes, "max_nodes": arguments.max_nodes}


def writing(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return those that say what a conversion writes, and how: what ``convert`` and ``plan`` take alike."""
    own = ["formats", "tflite", "target", "nms", "dequantize", "int64_as_int32", "float16_accumulation"]
    own += ["allow_flex", "allow_custom_ops"]
    return {
        **{name: getattr(arguments, name) for name in own},
        **edits(arguments),
        **forms(arguments),
        **saved_model(arguments),
        **quantizing_options(arguments),
    }


def ready(arguments: argparse.Namespace, options: Options, path: Path, check: Any = None, **settings: Any) -> Ready:
    """Refuse what can be known of a conversion without TensorFlow; see :func:`onnx_tf.preflight.preflight`."""
    from onnx_tf.export.signatures import Signatures
    from onnx_tf.preflight import preflight

    return preflight(
        arguments.model,
        path,
        options,
        tflite=arguments.tflite,
        nms=arguments.nms,
        float16_accumulation=arguments.float16_accumulation,
        dequantize=arguments.dequantize,
        target=arguments.target,
        allows_others=arguments.allow_flex or arguments.allow_custom_ops,
        check=check,
        **quantization(arguments),
        signatures=Signatures.of(**saved_model(arguments)),
        **settings,
    )


def saved_model(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return those that decide what a SavedModel holds."""
    return {
        "signatures": list(itertools.chain.from_iterable(arguments.signatures)) or ["serving_default"],
        "freeze": arguments.freeze,
        "intermediate_names": list(itertools.chain.from_iterable(arguments.intermediate_names)),
    }


def forms(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return those that say how what a model computes is written: operators, memory orders."""
    return {
        "layout": arguments.layout,
        "channels_last_inputs": _names(arguments.channels_last_inputs),
        "channels_last_outputs": _names(arguments.channels_last_outputs),
        **forms_of_operators(arguments),
    }


def strictness(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return those that say what counts as equal."""
    if arguments.samples is not None and arguments.input:
        raise UsageError("--samples is how many inputs are drawn: leave it out with --input")
    given = {name: getattr(arguments, name) for name in ("rtol", "atol", "samples")}
    return {name: value for name, value in given.items() if value is not None}


def _names(names: Sequence[str]) -> Any:
    return "all" if list(names) == ["all"] else names


def feed(arguments: argparse.Namespace, options: Options, loaded: ir.Model) -> dict[str, Any]:
    """Return what --input gives, found to fit the model as far as it states its inputs."""
    from onnx_tf.cli.inputs import given_inputs
    from onnx_tf.edits import edit
    from onnx_tf.preflight import check_feed, interface

    needed, overridable = interface(edit(loaded, options))
    last = [str(v.name) for v in needed] if options.channels_last_inputs == "all" else options.channels_last_inputs
    given = given_inputs([*needed, *overridable], arguments.input, cast=arguments.cast, channels_last=last)
    return check_feed(needed, given, options, overridable)
