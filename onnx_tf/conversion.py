"""From a model to files in one call: what ``onnx-tf convert`` does."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from onnx_tf.artifacts import Run, Written
from onnx_tf.backend_rep import TensorflowRep
from onnx_tf.budget import MAX_CONSTANT_BYTES, MAX_NODES
from onnx_tf.calibration.samples import Data
from onnx_tf.check.accuracy import Accuracy
from onnx_tf.check.strictness import SAMPLES, Strictness
from onnx_tf.edits import edited_source
from onnx_tf.export.paths import FORMATS, Format, with_companions
from onnx_tf.export.paths import KERAS as OF_KERAS
from onnx_tf.export.post_training.kinds import KINDS, RECIPE, Quantization
from onnx_tf.export.post_training.recipes import RecipeSource, recipe_of
from onnx_tf.export.precisions import FLOATS, INTEGERS, Precision
from onnx_tf.export.signatures import Freeze, Signatures
from onnx_tf.export.writing import written_file, written_files
from onnx_tf.model.loading import ModelSource
from onnx_tf.model.opened import OpenedFile
from onnx_tf.options import Layout, Options
from onnx_tf.overrides import overrides_of
from onnx_tf.preflight import Ready, preflight
from onnx_tf.quantizing import quantizing
from onnx_tf.report.collecting import collected
from onnx_tf.report.files import check_report, write_report
from onnx_tf.runtime.copies import portable
from onnx_tf.splitting.writing import InParts, convert_in_parts
from onnx_tf.supervision.isolated import NotHere, in_own_process
from onnx_tf.supervision.journal import is_watched
from onnx_tf.supervision.limits import Limits
from onnx_tf.targets import litert

if TYPE_CHECKING:
    from onnx_tf.export.keras import KerasRep

__all__ = ["EDITS", "FORMATS", "FORMS", "Conversion", "Format", "Written", "convert"]


@dataclass(frozen=True)
class Conversion:
    """What a conversion made.

    Attributes:
        rep: the model, to run or to export again; where a .keras file alone was written, what holds its ``model``.
            Of a conversion that was isolated it says that it is not here, whatever it is asked for.
        artifacts: what was written, in order.
        seconds: how long loading, converting and writing took.
        timings: how long each step took, by its name, in seconds; the checks included.
    """

    rep: TensorflowRep | KerasRep | InParts
    artifacts: tuple[Written, ...]
    seconds: float
    timings: Mapping[str, float]

    @property
    def fits(self) -> bool:
        """Whether all artefacts that were compared with ONNX Runtime count as equal."""
        return all(written.accuracy is None or written.accuracy.fits for written in self.artifacts)

    @property
    def path(self) -> Path:
        """Where the first artefact lies."""
        return self.artifacts[0].path

    @property
    def bytes(self) -> int:
        """The size of the first artefact."""
        return self.artifacts[0].bytes

    @property
    def accuracy(self) -> Accuracy | None:
        """The comparison of the first artefact."""
        return self.artifacts[0].accuracy


def convert(
    model: ModelSource,
    path: str | os.PathLike[str],
    *,
    formats: Sequence[Format] | None = None,
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
    overwrite: bool = True,
    check: Any = None,
    rtol: float | None = None,
    atol: float | None = None,
    samples: int = SAMPLES,
    split_size: int | str | None = None,
    report: str | os.PathLike[str] | None = None,
    isolated: bool = False,
    max_memory: int | str | None = None,
    timeout: float | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Conversion:
    """Convert a model and write it as a SavedModel, .tflite files, a .keras file, a frozen graph, or several of them.

    Args:
        model: see :func:`onnx_tf.prepare`, which also takes the options from ``layout`` to ``compute``.
        path: the SavedModel's folder, or a file whose name ends in ``.tflite``, ``.keras``, ``.py``, ``.weights.h5``
            or ``.pb``. With ``formats`` it is a folder, and gets ``saved_model/``, ``NAME_float32.tflite``,
            ``NAME_float16.tflite``, ``NAME.keras``, ``NAME.py`` with ``NAME.npz``, ``NAME.weights.h5`` with
            ``NAME.weights.npz``, and ``NAME.pb``.
        formats: ``"saved_model"``, ``"tflite"``, ``"keras"``, ``"keras_source"`` (source of a Keras model, and its
            weights), ``"weights"`` (the weights of the Keras model, and those of the ONNX model by its names) and
            ``"frozen_graph"`` (a GraphDef of constants, for ``tf.compat.v1``); by default the one that the path's
            name tells.
        tflite: in which precisions the weights of .tflite files are stored: ``"float32"`` and
            ``"float16"``; by default both with ``formats``, else float32. A model that is quantised becomes
            ``"integer_quant"``, which computes with its own integers, where nothing else is asked for. Others become
            ``"dynamic_range_quant"``, whose weights have 8 bits, and with ``data`` ``"integer_quant"``,
            ``"full_integer_quant"`` (without any floats), ``"integer_quant_with_int16_act"`` and
            ``"full_integer_quant_with_int16_act"`` (activations of 16 bits).
        layout: see :func:`onnx_tf.prepare`.
        channels_last_inputs: see :func:`onnx_tf.prepare`.
        channels_last_outputs: see :func:`onnx_tf.prepare`.
        batch_size: see :func:`onnx_tf.prepare`.
        input_shapes: see :func:`onnx_tf.prepare`.
        values: see :func:`onnx_tf.prepare`.
        input_names: see :func:`onnx_tf.prepare`.
        output_names: see :func:`onnx_tf.prepare`.
        max_constant_bytes: see :func:`onnx_tf.prepare`.
        max_nodes: see :func:`onnx_tf.prepare`.
        overrides: see :func:`onnx_tf.prepare`.
        decompose: see :func:`onnx_tf.prepare`.
        unroll_rnn: see :func:`onnx_tf.prepare`.
        argmax: see :func:`onnx_tf.prepare`.
        argmax_dtype: see :func:`onnx_tf.prepare`.
        max_transpose_rank: see :func:`onnx_tf.prepare`.
        max_slice_rank: see :func:`onnx_tf.prepare`.
        mvn_epsilon: see :func:`onnx_tf.prepare`.
        compute: see :func:`onnx_tf.prepare`; SavedModels and frozen graphs alone take it, and are compared within
            5e-2 of the scale of an output for bfloat16, 1e-2 for float16, for the 1e-3 below.
        freeze: bake the weights of a SavedModel into the graph as constants; see
            :meth:`TensorflowRep.export_graph`, as for the next two.
        signatures: those of a SavedModel. With ``"train"`` it is prepared for training.
        intermediate_names: the values inside that its signature ``"intermediate"`` gives.
        allow_flex: write TensorFlow's operators into .tflite files where LiteRT has none.
        allow_custom_ops: write custom operators there where there is neither.
        float16_accumulation: let float16 .tflite files say in their metadata (``reduced_precision_support``) that GPUs
            may add up in float16: faster, and less exact there. Other files and runtimes compute as without it.
        int64_as_int32: let .tflite files compute 64-bit integers in 32 bits where LiteRT has kernels for these alone,
            also where it is not known that they fit: one operator for a division instead of about 28. Inputs and
            outputs stay int64. Without it results are exact, whatever the numbers.
        nms: ``"padded"`` gives each NonMaxSuppression in .tflite files as many rows as it can select, for runtimes
            without dynamic shapes: those it did select first, then zeros, and so do all outputs that come from it.
            One more output, called as its result with ``_count`` behind it, int32[1], tells how many count.
        dequantize: write quantised models in floats, as others are: their numbers are the same, computed in floats.
        target: what .tflite files are for: ``"litert"``, its GPU delegate (``"litert-gpu"``), ``"litert-micro"``,
            ``"litert-js"`` or ``"ethos-u"``. What these do not take is rewritten, or refused by node (doc/litert.md).
        data: what is calibrated with, in shapes, dtypes and order of the ONNX model: arrays, files or folders
            (paths, or a ``DataFile`` that also scales) by the names of inputs, an iterable of dicts of such arrays,
            or what returns one; ``"random"`` for tests of speed.
        quantize_weights: ``"per-channel"`` or ``"per-tensor"``.
        quantized_inputs: of ``full_integer_quant``: ``"int8"``, ``"uint8"`` or ``"float32"``.
        quantized_outputs: likewise.
        keep_float: names of ONNX nodes, or patterns like ``"/head/*"``, that are not to compute with integers.
        per_layer: measure what each layer loses by integers.
        tune: look for more such nodes: up to five, each of which brings half a decibel at least, are kept.
        recipe: one more .tflite file is quantised by Google's ai-edge-quantizer, which takes the name of a recipe that
            it has (``"static_wi8_ai8"``), a JSON file of rules, or such rules; static ones are calibrated with
            ``data``. In a folder it is called ``NAME_RECIPE.tflite``. Without ``tflite`` no others are written.
        overwrite: replace what is there already.
        check: compare what was written with ONNX Runtime, where that is not installed with ONNX's reference
            implementation: on the given inputs, as :meth:`TensorflowRep.run` takes them, and a second batch where
            that is open; if true, on some that are drawn, in shapes that ONNX Runtime accepts, or as many of them as
            it takes. So it is by default too, but that what cannot be compared is only said (``unchecked``). If
            false, nothing is compared.
        rtol: floats that are compared may differ by this share of what is expected, and by ``atol``, one by one; by
            default by 1e-3 of the scale of their output. What is quantised is judged in steps in any case.
        atol: likewise; of the two, one that is not given is 0.
        samples: on how many drawn inputs is compared.
        split_size: cut the model into parts with weights of up to so many bytes each, as in ``"1G"``: for files that
            would pass 2 GB, and for small memories. Of ``model.tflite`` they are ``model_1.tflite``,
            ``model_2.tflite``, ...; ``model.parts.json`` names what each takes and gives, under ONNX names. The parts
            are compared as a whole; ``rep`` tells inputs and outputs alone.
        report: where to write a page (``.html``) with the verdict, the error of every value inside, memory orders,
            sizes and seconds; beside it goes ``NAME_node_data.json`` for Model Explorer.
        isolated: convert in a process of its own. Whatever a library does there is an error here, and files and
            folders are the old ones or the new ones. The process has TensorFlow's settings as they are at its start,
            and the functions of ``onnx_op`` that lie in modules; the result has no ``rep``.
        max_memory: how much memory that process may hold, in bytes or as in ``"4G"``; it implies ``isolated``.
        timeout: how many seconds it may take; likewise.
        progress: called with a word or two whenever a step begins.

    Raises:
        OnnxTfError: the model, an operator or the path is not fit for it; nothing was written.
        CrashError: the process of an isolated conversion died.
        ProcessLimitError: it took more than it may.
        CheckError: all was written, but a check that was asked for could not be made.
    """
    given, start = dict(locals()), time.perf_counter()
    page = None if report is None else check_report(report)
    if isolated or max_memory is not None or timeout is not None:
        return _isolated(**given)
    edits = {name: given[name] for name in EDITS} | {"overrides": overrides_of(overrides)}
    options = Options.of(**{name: given[name] for name in FORMS}, **edits)
    found = None if recipe is None else recipe_of(recipe)
    sides = quantized_inputs, quantized_outputs
    how = Quantization(quantize_weights, *sides, _names(keep_float), per_layer, tune, found)
    strictness = Strictness(rtol, atol, samples)
    if split_size is not None:
        return _in_parts(given, edits, strictness)
    ready = preflight(
        model,
        Path(path),
        options,
        formats=formats,
        tflite=tflite,
        nms=nms,
        dequantize=dequantize,
        overwrite=overwrite,
        check=check,
        float16_accumulation=float16_accumulation,
        quantization=how,
        has_data=data is not None,
        signatures=Signatures.of(signatures, freeze, intermediate_names),
        target=target,
        allows_others=allow_flex or allow_custom_ops,
    )
    model, paths = ready.model, ready.paths
    if not isinstance(model, OpenedFile):
        gc.collect()  # the model that was looked at refers to itself
    reference = functools.partial(edited_source, model, Options.of(**edits))
    with contextlib.ExitStack() as stack:
        lets_go = is_watched() and page is None  # nobody runs the rep
        run = Run(model, options, reference, ready.check, progress, strictness, ready.reader, lets_go=lets_go)
        wanted = [] if ready.has_integers else list(paths)
        run.quantizing = quantizing(
            stack, model, wanted, how, data, Options.of(**edits), reference, ready.check, progress
        )
        _write_keras(run, stack, paths)
        forms = {"int64_as_int32": int64_as_int32 or ready.reader.narrows, "padded_selections": nms == "padded"}
        allowed = {name: given[name] for name in _ALLOWED}
        _write_tflite(run, stack, ready, forms, allowed)
        if "frozen_graph" in paths:
            place = paths["frozen_graph"]
            run.write_frozen_graph(stack.enter_context(written_file(place)), place)
        if "saved_model" in paths:
            run.write_saved_model(paths["saved_model"], ready.signatures, overwrite=overwrite)
    written = [replace(run.written[kind], path=paths[kind]) for kind in paths]
    done = Conversion(run.rep, tuple(written), time.perf_counter() - start - run.checking, run.timings)
    if page is not None:
        write_report(page, collected(done, model, options, reference, ready.check, progress))
    run.raise_failed_check(written)
    return done


EDITS = (
    "batch_size",
    "input_shapes",
    "values",
    "input_names",
    "output_names",
    "max_constant_bytes",
    "max_nodes",
    "argmax",
    "argmax_dtype",
    "mvn_epsilon",
)
"""Options that say what is computed: an artefact is compared with the model as they change it."""

FORMS = (
    "layout",
    "channels_last_inputs",
    "channels_last_outputs",
    "decompose",
    "unroll_rnn",
    "max_transpose_rank",
    "max_slice_rank",
    "compute",
)
"""Options that say how."""


_OF_THE_WHOLE = {*EDITS, "overrides", "model", "path", "check", "rtol", "atol", "samples", "split_size", "isolated"}
_OF_THE_WHOLE |= {"max_memory", "timeout"}
"""Options that are not those of parts."""

_ALLOWED = ("allow_flex", "allow_custom_ops", "float16_accumulation")
"""Options of :func:`onnx_tf.export.tflite.tflite_files`."""


def _write_keras(run: Run, stack: contextlib.ExitStack, paths: Mapping[str, Path]) -> None:
    """Write the formats of Keras into files that take their places when the stack ends."""
    wanted = {kind: paths[kind] for kind in OF_KERAS if kind in paths}
    if wanted:
        own = {kind: stack.enter_context(written_files(with_companions(kind, path))) for kind, path in wanted.items()}
        run.write_keras(own, wanted)


def _write_tflite(
    run: Run, stack: contextlib.ExitStack, ready: Ready, forms: Mapping[str, bool], allowed: Mapping[str, bool]
) -> None:
    """Write .tflite files likewise: those of floats and those of integers have targets of their own."""
    for group in (FLOATS, INTEGERS) if ready.has_integers else ((*FLOATS, *KINDS, RECIPE),):
        files = {precision: ready.paths[precision] for precision in group if precision in ready.paths}
        if files:
            temporary = {key: stack.enter_context(written_file(file)) for key, file in files.items()}
            quantized = ready.has_integers and not set(files).isdisjoint(INTEGERS)
            run.write_tflite(temporary, files, allowed, litert(quantized=quantized, **forms))


def _in_parts(given: Mapping[str, Any], edits: Mapping[str, Any], strictness: Strictness) -> Conversion:
    """Convert part by part; the arguments are those of :func:`convert`, and what was made of them."""
    start = time.perf_counter()
    settings = {name: value for name, value in given.items() if name not in _OF_THE_WHOLE}
    settings |= {"path": Path(given["path"]), **{name: given[name] for name in ("model", "split_size", "check")}}
    parts, rep = convert_in_parts(convert, edits=edits, strictness=strictness, **settings)
    return Conversion(rep, tuple(parts), time.perf_counter() - start, rep.timings)


def _isolated(
    *,
    model: ModelSource,
    progress: Callable[[str], None],
    max_memory: int | str | None,
    timeout: float | None,
    **options: Any,
) -> Conversion:
    """Convert in a process of its own; the arguments are those of :func:`convert`."""
    source = os.fspath(model) if isinstance(model, (str, os.PathLike)) else portable(model)
    arguments = {**options, "model": source, "isolated": False}
    done: Conversion = in_own_process(_convert_here, arguments, Limits.of(max_memory, timeout), progress)
    return done


def _convert_here(**arguments: Any) -> Conversion:
    gone: Any = NotHere()
    return replace(convert(**arguments), rep=gone)


def _names(names: Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)
