"""``plan``: what ``convert`` would do with the same options."""

from __future__ import annotations

import contextlib
import functools
import gc
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import onnx_ir as ir

import onnx_tf.handlers  # noqa: F401  (registers the handlers)
from onnx_tf.budget import MAX_CONSTANT_BYTES, MAX_NODES
from onnx_tf.calibration.samples import Data
from onnx_tf.conversion import EDITS, FORMS, Conversion, convert
from onnx_tf.edits import edited_source
from onnx_tf.errors import OptionError, option
from onnx_tf.export.paths import Format
from onnx_tf.export.post_training.kinds import CALIBRATED, Quantization
from onnx_tf.export.post_training.recipes import RecipeSource
from onnx_tf.export.precisions import Precision
from onnx_tf.export.signatures import Freeze, Signatures
from onnx_tf.model.loading import ModelSource, load_model
from onnx_tf.options import Layout, Options
from onnx_tf.planning.formats import Planner
from onnx_tf.planning.results import Plan
from onnx_tf.preflight import Ready, preflight
from onnx_tf.quantizing import quantizing

__all__ = ["plan"]


def plan(
    model: ModelSource,
    formats: Sequence[Format] | None = None,
    *,
    tflite: Sequence[Precision] | None = None,
    layout: Layout = "auto",
    channels_last_inputs: Sequence[str] | Literal["all"] = (),
    channels_last_outputs: Sequence[str] | Literal["all"] = (),
    batch_size: int | None = None,
    input_shapes: Mapping[str, Sequence[int | str | None]] | None = None,
    values: Mapping[str, Any] | None = None,
    input_names: Sequence[str] = (),
    output_names: Sequence[str] = (),
    max_constant_bytes: int = MAX_CONSTANT_BYTES,
    max_nodes: int = MAX_NODES,
    overrides: Any = None,
    decompose: Sequence[str] = (),
    unroll_rnn: bool | None = None,
    argmax: str | None = None,
    argmax_dtype: str | None = None,
    max_transpose_rank: int | None = None,
    max_slice_rank: int | None = None,
    mvn_epsilon: float | None = None,
    compute: str | None = None,
    freeze: Freeze = False,
    signatures: Sequence[str] = ("serving_default",),
    intermediate_names: Sequence[str] = (),
    allow_flex: bool = False,
    allow_custom_ops: bool = False,
    float16_accumulation: bool = False,
    int64_as_int32: bool = False,
    nms: Literal["model", "padded"] = "model",
    dequantize: bool = False,
    target: str = "litert",
    data: Data | None = None,
    quantize_weights: str = "per-channel",
    quantized_inputs: str | None = None,
    quantized_outputs: str | None = None,
    keep_float: Sequence[str] = (),
    per_layer: bool = False,
    tune: bool = False,
    recipe: RecipeSource | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Plan:
    """Say of each artefact what a conversion would refuse and change, without writing it.

    The model goes through the same steps as in :func:`onnx_tf.convert`, up to where files are written. The
    options are those of ``convert`` and decide in the same way.

    Args:
        model: see :func:`onnx_tf.prepare`.
        formats: those of :func:`onnx_tf.convert`; a SavedModel by default, .tflite files if ``tflite`` or ``target`` is
            given.
        tflite: see :func:`onnx_tf.convert`, as for all that follows.
        layout: likewise.
        channels_last_inputs: likewise.
        channels_last_outputs: likewise.
        batch_size: likewise.
        input_shapes: likewise.
        values: likewise.
        input_names: likewise.
        output_names: likewise.
        max_constant_bytes: likewise.
        max_nodes: likewise.
        overrides: likewise.
        decompose: likewise.
        unroll_rnn: likewise.
        argmax: likewise.
        argmax_dtype: likewise.
        max_transpose_rank: likewise.
        max_slice_rank: likewise.
        mvn_epsilon: likewise.
        compute: likewise.
        freeze: likewise.
        signatures: likewise.
        intermediate_names: likewise.
        allow_flex: likewise.
        allow_custom_ops: likewise.
        float16_accumulation: likewise.
        int64_as_int32: likewise.
        nms: likewise.
        dequantize: likewise.
        target: likewise; for others than ``"litert"`` the files are made in a folder that goes away.
        data: likewise; they are read, and found to fit the inputs.
        quantize_weights: likewise.
        quantized_inputs: likewise.
        quantized_outputs: likewise.
        keep_float: likewise.
        per_layer: likewise.
        tune: likewise.
        recipe: refused: what it makes is known of the file alone.
        progress: called with a word or two whenever something is tried.

    Raises:
        OptionError: options do not fit each other or the model.
        ModelError: the model is not valid.
        InputError: the data do not fit its inputs.
    """
    given, start = dict(locals()), time.perf_counter()
    if recipe is not None:
        raise OptionError(f"{option('recipe')}: what it makes is known of the file alone: convert, or leave it out")
    names = (keep_float,) if isinstance(keep_float, str) else tuple(keep_float)
    how = Quantization(quantize_weights, quantized_inputs, quantized_outputs, names, per_layer, tune)
    edits = {name: given[name] for name in (*EDITS, "overrides")}
    options = Options.of(**{name: given[name] for name in FORMS}, **edits)
    loaded = load_model(model, options.budget())
    ready = preflight(
        model,
        Path("model"),
        options,
        formats=formats or ["saved_model" if tflite is None and target == "litert" else "tflite"],
        tflite=tflite,
        nms=nms,
        dequantize=dequantize,
        float16_accumulation=float16_accumulation,
        check=False,
        quantization=how,
        has_data=data is not None,
        signatures=Signatures.of(signatures, freeze, intermediate_names),
        target=target,
        allows_others=allow_flex or allow_custom_ops,
        loaded=loaded,
        writes=False,
    )
    _check_data(model, ready, how, data, Options.of(**edits), progress)
    planner = Planner(
        loaded,
        options,
        ready.signatures,
        ready.has_integers,
        how,
        {"int64_as_int32": int64_as_int32 or ready.reader.narrows, "padded_selections": nms == "padded"},
        ready.reader,
        functools.partial(_converted, given),
        {"allow_flex": allow_flex, "allow_custom_ops": allow_custom_ops},
        progress,
    )
    artifacts = tuple(planner.artifact(kind) for kind in ready.paths)
    gc.collect()  # models refer to themselves
    return Plan(artifacts, _weights(loaded), time.perf_counter() - start)


def _converted(given: Mapping[str, Any], kind: Precision) -> Conversion:
    """Convert to one precision of .tflite files, in a folder that goes away."""
    with tempfile.TemporaryDirectory() as folder:
        return convert(**{**given, "path": folder, "formats": ["tflite"], "tflite": [kind], "check": False})


def _check_data(
    model: ModelSource, ready: Ready, how: Quantization, data: Any, edits: Options, progress: Callable[[str], None]
) -> None:
    """Read what would be calibrated with.

    Raises:
        OnnxTfError: it does not fit the model.
    """
    kinds = [] if ready.has_integers else [kind for kind in ready.paths if kind in CALIBRATED]
    if kinds and not isinstance(data, str):
        with contextlib.ExitStack() as stack:
            reference = functools.partial(edited_source, model, edits)
            quantizing(stack, model, ready.paths, how, data, edits, reference, False, progress)


def _weights(model: ir.Model) -> int:
    tensors = (value.const_value for graph in model.graphs() for value in graph.initializers.values())
    return sum(tensor.nbytes for tensor in tensors if tensor is not None)
