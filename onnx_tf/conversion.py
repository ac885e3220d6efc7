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

import onnx_ir as ir

from onnx_tf import __version__
from onnx_tf.backend_rep import TensorflowRep
from onnx_tf.check.accuracy import Accuracy, compare_keras, compare_saved_model, compare_tflite
from onnx_tf.check.compare import OfScale
from onnx_tf.check.onnx_runtime import has_onnx_runtime
from onnx_tf.edits import edited_source
from onnx_tf.errors import CheckError, OnnxTfError
from onnx_tf.export.flatbuffer import foreign_operators, operators
from onnx_tf.export.integers.file import FloatOperator, float_operators, output_steps
from onnx_tf.export.paths import FORMATS, Format
from onnx_tf.export.precisions import FLOATS, INTEGERS, Precision
from onnx_tf.export.tflite import tflite_files
from onnx_tf.export.writing import refused, written_file
from onnx_tf.model.digest import source_digest
from onnx_tf.model.loading import ModelSource
from onnx_tf.options import Layout, Options
from onnx_tf.pipeline import lower
from onnx_tf.preflight import preflight
from onnx_tf.targets import KERAS, SAVED_MODEL, Target, litert

if TYPE_CHECKING:
    from onnx_tf.export.keras import KerasRep

__all__ = ["FORMATS", "Conversion", "Format", "Written", "convert"]

FLOAT16_TOLERANCE = 1e-2
"""The share of an output's scale by which weights in float16 may change it."""


@dataclass(frozen=True)
class Written:
    """One artefact that a conversion wrote.

    Attributes:
        format: what it is.
        path: where it lies: a folder of a SavedModel, else a file.
        bytes: its size.
        accuracy: the comparison with ONNX Runtime, if it was made.
        operators: of a .tflite file, how often each operator is in it.
        floats: of a quantised .tflite file, what computes with floats, and why.
        obstacle: why a comparison could not be made.
    """

    format: Format
    path: Path
    bytes: int
    accuracy: Accuracy | None = None
    operators: Mapping[str, int] | None = None
    floats: tuple[FloatOperator, ...] = ()
    obstacle: OnnxTfError | None = None

    @property
    def unchecked(self) -> str:
        """Why a comparison that is made by default could not be; empty otherwise."""
        return "" if self.obstacle is None else str(self.obstacle)


@dataclass(frozen=True)
class Conversion:
    """What a conversion made.

    Attributes:
        rep: the model, to run or to export again; where a .keras file alone was written, what holds its ``model``.
        artifacts: what was written, in order.
        seconds: how long loading, converting and writing took.
        timings: how long each step took, by its name, in seconds; the checks included.
    """

    rep: TensorflowRep | KerasRep
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
    input_names: Sequence[str] = (),
    output_names: Sequence[str] = (),
    freeze: bool = False,
    allow_flex: bool = False,
    allow_custom_ops: bool = False,
    int64_as_int32: bool = False,
    nms: Literal["model", "padded"] = "model",
    dequantize: bool = False,
    overwrite: bool = True,
    check: Any = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Conversion:
    """Convert a model and write it as a SavedModel, as .tflite files, as a .keras file, or as several of them.

    Args:
        model: see :func:`onnx_tf.prepare`, which also takes the options from ``layout`` to ``output_names``.
        path: the SavedModel's folder, or a file whose name ends in ``.tflite`` or ``.keras``. With ``formats`` it is
            a folder, and gets ``saved_model/``, ``NAME_float32.tflite``, ``NAME_float16.tflite`` and ``NAME.keras``.
        formats: ``"saved_model"``, ``"tflite"`` and ``"keras"``; by default the one that the path's name tells.
        tflite: in which precisions the weights of .tflite files are stored: ``"float32"`` and
            ``"float16"``; by default both with ``formats``, else float32. A model that is quantised becomes
            ``"integer_quant"``, which computes with its own integers, where nothing else is asked for.
        layout: see :func:`onnx_tf.prepare`.
        channels_last_inputs: see :func:`onnx_tf.prepare`.
        channels_last_outputs: see :func:`onnx_tf.prepare`.
        batch_size: see :func:`onnx_tf.prepare`.
        input_shapes: see :func:`onnx_tf.prepare`.
        input_names: see :func:`onnx_tf.prepare`.
        output_names: see :func:`onnx_tf.prepare`.
        freeze: bake the weights of a SavedModel into the graph as constants.
        allow_flex: write TensorFlow's operators into .tflite files where LiteRT has none.
        allow_custom_ops: write custom operators there where there is neither.
        int64_as_int32: let .tflite files compute 64-bit integers in 32 bits where LiteRT has kernels for these alone,
            also where it is not known that they fit: one operator for a division instead of about 28. Inputs and
            outputs stay int64. Without it results are exact, whatever the numbers.
        nms: ``"padded"`` gives each NonMaxSuppression in .tflite files as many rows as it can select, for runtimes
            without dynamic shapes: those it did select first, then zeros, and so do all outputs that come from it.
            One more output, called as its result with ``_count`` behind it, int32[1], tells how many count.
        dequantize: write quantised models in floats, as others are: their numbers are the same, computed in floats.
        overwrite: replace what is there already.
        check: compare what was written with ONNX Runtime: on random inputs, in shapes that ONNX
            Runtime accepts, if true; on the given inputs, as :meth:`TensorflowRep.run` takes them. By default .tflite
            and .keras files are compared if ONNX Runtime is there and runs the model, and SavedModels are not.
        progress: called with a word or two whenever a step begins.

    Raises:
        OnnxTfError: the model, an operator or the path is not fit for it; nothing was written.
        CheckError: all was written, but a check that was asked for could not be made.
    """
    start = time.perf_counter()
    edits = {
        "batch_size": batch_size,
        "input_shapes": input_shapes,
        "input_names": input_names,
        "output_names": output_names,
    }
    orders = {"channels_last_inputs": channels_last_inputs, "channels_last_outputs": channels_last_outputs}
    options = Options.of(layout=layout, **orders, **edits)
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
    )
    gc.collect()  # the model that was looked at refers to itself
    paths = ready.paths
    reference = functools.partial(edited_source, model, Options.of(**edits))
    kinds = [{precision: paths[precision] for precision in kind if precision in paths} for kind in (FLOATS, INTEGERS)]
    with contextlib.ExitStack() as stack:
        run = _Run(model, options, reference, ready.check, progress)
        if "keras" in paths:
            run.write_keras(stack.enter_context(written_file(paths["keras"])), paths["keras"])
        for files in filter(None, kinds):
            allowed = {"allow_flex": allow_flex, "allow_custom_ops": allow_custom_ops}
            temporary = {key: stack.enter_context(written_file(file)) for key, file in files.items()}
            chosen = litert(
                int64_as_int32=int64_as_int32,
                padded_selections=nms == "padded",
                quantized=not set(files).isdisjoint(INTEGERS),
            )
            run.write_tflite(temporary, files, allowed, chosen)
        if "saved_model" in paths:
            run.write_saved_model(paths["saved_model"], freeze=freeze, overwrite=overwrite)
    written = [replace(run.written[kind], path=paths[kind]) for kind in paths]
    run.raise_failed_check(written)
    return Conversion(run.rep, tuple(written), time.perf_counter() - start - run.checking, run.timings)


class _Run:
    """The steps that the formats share."""

    def __init__(
        self,
        model: ModelSource,
        options: Options,
        reference: Callable[[], ModelSource],
        check: bool | Mapping[str, Any] | None,
        progress: Callable[[str], None],
    ) -> None:
        self.model, self.options, self.reference, self.progress = model, options, reference, progress
        self.check = check
        self.rep: TensorflowRep | KerasRep
        self.written: dict[str, Written] = {}
        self.timings: dict[str, float] = {}
        self.checking = 0.0

    def _convert(self, target: Target) -> TensorflowRep:
        source, options = self._begun(target)
        rep = TensorflowRep(lower(source, options), functools.partial(lower, source, options))
        self._done(rep)
        return rep

    def _begun(self, target: Target) -> tuple[ModelSource, Options]:
        self.progress("Converting")
        source = self.model.clone() if isinstance(self.model, ir.Model) else self.model
        return source, replace(self.options, target=target)

    def _done(self, rep: TensorflowRep | KerasRep) -> None:
        self.rep = rep
        for step, seconds in rep.timings.items():  # of all formats, where several are written
            self.timings[step] = self.timings.get(step, 0.0) + seconds

    def write_keras(self, file: Path, target: Path) -> None:
        """Write a file that becomes the target later."""
        from onnx_tf.export.keras import build, write_keras  # Keras is imported for who asks for it

        rep = build(*self._begun(KERAS))
        self._done(rep)
        self.progress("Writing .keras")
        start = time.perf_counter()
        with refused(target):
            write_keras(rep.model, file)
        self.timings["keras"] = time.perf_counter() - start
        written = Written("keras", file, file.stat().st_size)
        compare = functools.partial(compare_keras, interface=rep.interface)
        self.written["keras"] = self._checked_file(written, compare, file, ".keras")

    def write_tflite(
        self,
        files: Mapping[Precision, Path],
        targets: Mapping[Precision, Path],
        allowed: Mapping[str, bool],
        target: Target,
    ) -> None:
        """Write files that become the targets later."""
        rep = self._convert(target)
        self.progress(f"Writing .tflite ({', '.join(files)})")
        start = time.perf_counter()
        metadata = {"producer": "onnx-tf", "version": __version__, **source_digest(self.model)}
        for precision, content in tflite_files(rep.tf_module, list(files), metadata=metadata, **allowed):
            file, found = files[precision], operators(content)
            with refused(targets[precision]):
                file.write_bytes(content)
            floats = float_operators(content)
            self.written[precision] = Written("tflite", file, len(content), operators=found, floats=floats)
        self.timings["litert"] = time.perf_counter() - start
        for precision, file in files.items():
            written = self.written[precision]
            tolerance = OfScale(single=FLOAT16_TOLERANCE if precision == "float16" else OfScale().single)
            # Where weights alone are integers, what is computed of them are the same floats.
            rounds = precision in INTEGERS and "QUANTIZE" in (written.operators or {})
            steps = output_steps(file.read_bytes()) if rounds else None
            compare = functools.partial(compare_tflite, rep=rep, tolerance=tolerance, steps=steps)
            self.written[precision] = self._checked_file(written, compare, file, f".tflite ({precision})")

    def _checked_file(self, written: Written, compare: Callable[..., Accuracy], file: Path, what: str) -> Written:
        """Return what is told of a file that is compared unless the user does not want it."""
        if self.check is False:
            return written
        try:
            if self.check is None:
                _refuse_check(written)
            accuracy = self._checked(compare, file, what)
        except OnnxTfError as error:
            return replace(written, obstacle=error)
        return replace(written, accuracy=accuracy)

    def raise_failed_check(self, written: Sequence[Written]) -> None:
        """Say what could not be compared though it was asked for; all is written by now.

        Raises:
            CheckError: there is such an artefact.
        """
        failed = [artifact for artifact in written if artifact.obstacle is not None]
        if failed and self.check not in (None, False):
            cause = failed[0].obstacle
            assert cause is not None
            places = ", ".join(str(artifact.path) for artifact in failed)
            verb = "is" if len(failed) == 1 else "are"
            raise CheckError(f"{places} {verb} written, but not verified: {cause.marked}") from cause

    def write_saved_model(self, path: Path, *, freeze: bool, overwrite: bool) -> None:
        rep = self._convert(SAVED_MODEL)
        self.progress("Writing SavedModel")
        start = time.perf_counter()
        rep.export_graph(path, freeze=freeze, overwrite=overwrite)
        self.timings["write"] = time.perf_counter() - start
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        written = Written("saved_model", path, size)
        if self.check is not None:
            written = self._checked_file(written, functools.partial(compare_saved_model, rep=rep), path, "SavedModel")
        self.written["saved_model"] = written

    def _checked(self, compare: Callable[..., Accuracy], path: Path, what: str) -> Accuracy:
        self.progress(f"Checking {what}")
        start = time.perf_counter()
        feed = None if self.check in (None, True) else self.check
        accuracy = compare(path, model=self.reference(), feed=feed)
        seconds = time.perf_counter() - start
        self.checking += seconds
        self.timings["check"] = self.timings.get("check", 0.0) + seconds
        return accuracy


def _refuse_check(written: Written) -> None:
    """Raise what keeps a file from being compared here: it is written nevertheless, unless a check is asked for."""
    if not has_onnx_runtime():
        raise OnnxTfError("ONNX Runtime is not installed")
    foreign = foreign_operators(written.operators or {})
    if foreign:
        raise OnnxTfError(f"the Python packages of LiteRT and TensorFlow have no kernel for {', '.join(foreign)}")
