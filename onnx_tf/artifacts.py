"""What a conversion writes, and the steps that its formats share."""

from __future__ import annotations

import functools
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx_ir as ir

from onnx_tf import __version__
from onnx_tf.backend_rep import TensorflowRep
from onnx_tf.check.accuracy import Accuracy, compare_frozen_graph, compare_keras, compare_saved_model, compare_tflite
from onnx_tf.check.compare import FLOAT16_WEIGHTS, NARROW_PRODUCTS, OfScale
from onnx_tf.check.expected import Expected, expected_of
from onnx_tf.check.interface import Interface
from onnx_tf.check.strictness import Strictness
from onnx_tf.check.verdict import Verdict
from onnx_tf.errors import CheckError, OnnxTfError, UnsupportedNode
from onnx_tf.export.flatbuffer import foreign_operators, operators
from onnx_tf.export.frozen_graph import write_frozen_graph
from onnx_tf.export.integers.file import FloatOperator, float_operators, output_steps
from onnx_tf.export.paths import KERAS as OF_KERAS
from onnx_tf.export.paths import Format
from onnx_tf.export.post_training.files import QuantizedFile
from onnx_tf.export.post_training.kinds import is_made_of_floats
from onnx_tf.export.precisions import INTEGERS, FileKind
from onnx_tf.export.readers import fitted
from onnx_tf.export.signatures import Signatures
from onnx_tf.export.tflite import tflite_files
from onnx_tf.export.writing import refused
from onnx_tf.model.digest import source_digest
from onnx_tf.model.loading import ModelSource
from onnx_tf.options import Options
from onnx_tf.pipeline import lower
from onnx_tf.quantizing import Quantizing
from onnx_tf.readers import LITERT, Reader
from onnx_tf.rewriting import left_over
from onnx_tf.targets import KERAS, SAVED_MODEL, Target

if TYPE_CHECKING:
    from onnx_tf.export.keras import KerasRep

__all__ = ["Run", "Written"]


@dataclass(frozen=True)
class Written:
    """One artefact that a conversion wrote.

    Attributes:
        format: what it is.
        path: where it lies: a folder of a SavedModel, else a file.
        bytes: its size.
        accuracy: the comparison with the reference, if it was made.
        operators: of a .tflite file, how often each operator is in it.
        floats: of a quantised .tflite file, what computes with floats, and why.
        obstacle: why a comparison could not be made.
        verdict: of a .tflite file that is quantised by data or by its weights, how far it is from ONNX Runtime.
        quantized: of one that is quantised by data, what the quantiser tells.
        part: which part of a model it is, from 1 on, and how many there are; the last one has the comparison of all.
        elsewhere: of a .tflite file for a target that leaves nodes to something else, those nodes.
        compute: the dtype that convolutions and products of matrices are computed in, if that is another than theirs.
        names: of a frozen graph, the operations whose names are not those of the model, by these.
    """

    format: Format
    path: Path
    bytes: int
    accuracy: Accuracy | None = None
    operators: Mapping[str, int] | None = None
    floats: tuple[FloatOperator, ...] = ()
    obstacle: OnnxTfError | None = None
    verdict: Verdict | None = None
    quantized: QuantizedFile | None = None
    part: tuple[int, int] | None = None
    elsewhere: tuple[UnsupportedNode, ...] = ()
    compute: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def unchecked(self) -> str:
        """Why a comparison that is made by default could not be; empty otherwise."""
        return "" if self.obstacle is None else str(self.obstacle)


class Run:
    """The steps that the formats share.

    Where it lets go, reps lose their weights once all is written that is made of them: comparisons need none.
    """

    def __init__(
        self,
        model: ModelSource,
        options: Options,
        reference: Callable[[], ModelSource],
        check: bool | Mapping[str, Any] | None,
        progress: Callable[[str], None],
        strictness: Strictness | None = None,
        reader: Reader = LITERT,
        *,
        lets_go: bool = False,
    ) -> None:
        self.reader, self.lets_go = reader, lets_go
        self.model, self.options, self.reference, self.progress = model, options, reference, progress
        self.strictness = strictness or Strictness()
        self.check = check
        self.quantizing: Quantizing | None = None
        self.rep: TensorflowRep | KerasRep
        self.written: dict[str, Written] = {}
        self.timings: dict[str, float] = {}
        self.checking = 0.0
        self._known: dict[bool | None, Expected] = {}

    def _convert(self, target: Target, *, training: bool = False) -> TensorflowRep:
        source, options = self._begun(target)
        options = replace(options, training=training)
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

    def _let_go(self, rep: TensorflowRep) -> None:
        if self.lets_go:
            rep.tf_module.let_go()

    def write_keras(self, files: Mapping[Format, Sequence[Path]], targets: Mapping[Format, Path]) -> None:
        """Write files that become the targets later."""
        from onnx_tf.export.keras import build  # Keras is imported for who asks for it
        from onnx_tf.export.keras_files import compared_parts, write_files

        rep = build(*self._begun(KERAS))
        self._done(rep)
        for kind, own in files.items():
            what = OF_KERAS[kind]
            self.progress(f"Writing {what}")
            start = time.perf_counter()
            with refused(targets[kind]):
                write_files(kind, rep, own, self.reference, targets[kind].name)
            self.timings[kind] = time.perf_counter() - start
            written = Written(kind, own[0], sum(file.stat().st_size for file in own))
            with compared_parts(kind, rep, own) as parts:
                compare = functools.partial(compare_keras, interface=rep.interface, weights=parts[1])
                self.written[kind] = self._checked_file(written, compare, parts[0], what, rep.interface)

    def write_tflite(
        self,
        files: Mapping[FileKind, Path],
        targets: Mapping[FileKind, Path],
        allowed: Mapping[str, bool],
        target: Target,
    ) -> None:
        """Write files that become the targets later."""
        rep = self._convert(target)
        self.progress(f"Writing .tflite ({', '.join(files)})")
        start = time.perf_counter()
        metadata = {"producer": "onnx-tf", "version": __version__, **source_digest(self.model)}
        how = None if self.quantizing is None else self.quantizing.post_training(Interface.of(rep))
        for precision, content in tflite_files(
            rep.tf_module, list(files), post_training=how, metadata=metadata, advice=self.reader.advice, **allowed
        ):
            fit = fitted(content, self.reader, rep.tf_module.graph)
            content, file = fit.content, files[precision]
            with refused(targets[precision]):
                file.write_bytes(content)
            floats, found = float_operators(content), operators(content)
            if left := left_over(self.options.rewriting, found):
                warnings.warn(
                    f"{targets[precision].name} still has {', '.join(left)}: operators that compute it as a part of "
                    "theirs stay what they are",
                    stacklevel=2,
                )
            self.written[precision] = Written(
                "tflite", file, len(content), operators=found, floats=floats, elsewhere=fit.elsewhere
            )
            del content, fit  # as large as all weights
        self.timings["litert"] = time.perf_counter() - start
        self._let_go(rep)
        for precision, file in files.items():
            written = self.written[precision]
            if how is not None and is_made_of_floats(precision):
                self.written[precision] = self._judged(written, precision, file, rep)
                continue
            tolerance = FLOAT16_WEIGHTS if precision == "float16" else None
            # Where weights alone are integers, what is computed of them are the same floats.
            rounds = precision in INTEGERS and "QUANTIZE" in (written.operators or {})
            steps = output_steps(file.read_bytes()) if rounds else None
            compare = functools.partial(compare_tflite, rep=rep, tolerance=tolerance, steps=steps)
            self.written[precision] = self._checked_file(
                written,
                compare,
                file,
                f".tflite ({precision})",
                Interface.of(rep),
                optimized=None if steps is None else False,
            )

    def _judged(self, written: Written, kind: str, file: Path, rep: TensorflowRep) -> Written:
        """Return what is told of a file that is quantised, compared unless the user does not want it."""
        assert self.quantizing is not None
        written = replace(written, quantized=self.quantizing.made.get(kind))
        if self.check is False:
            return written
        self.progress(f"Checking .tflite ({kind})")
        start = time.perf_counter()
        try:
            if self.check is None:
                _refuse_check(written)
            return replace(written, verdict=self.quantizing.verdict(file, Interface.of(rep)))
        except OnnxTfError as error:
            return replace(written, obstacle=error)
        finally:
            self.checking += time.perf_counter() - start

    def _checked_file(
        self,
        written: Written,
        compare: Callable[..., Accuracy],
        file: Path,
        what: str,
        interface: Interface,
        *,
        optimized: bool | None = None,
    ) -> Written:
        """Return what is told of an artefact that is compared unless the user does not want it."""
        if self.check is False:
            return written
        self.progress(f"Checking {what}")
        start = time.perf_counter()
        try:
            if self.check is None:
                _refuse_check(written)
            _refuse_dtypes(written, interface)
            accuracy = compare(file, expected=self._expected(interface, optimized))
        except OnnxTfError as error:
            return replace(written, obstacle=error)
        finally:
            seconds = time.perf_counter() - start
            self.checking += seconds
            self.timings["check"] = self.timings.get("check", 0.0) + seconds
        return replace(written, accuracy=accuracy)

    def _expected(self, interface: Interface, optimized: bool | None) -> Expected:
        """Return what the model's outputs are to be, the same for all artefacts that are compared alike."""
        if optimized not in self._known:
            feed = self.check if isinstance(self.check, Mapping) else None
            self._known[optimized] = expected_of(
                interface, self.reference(), feed, optimized=optimized, strictness=self.strictness
            )
        return self._known[optimized]

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

    def write_saved_model(self, path: Path, signatures: Signatures, *, overwrite: bool) -> None:
        """Write a folder, whole or not at all."""
        rep = self._convert(SAVED_MODEL, training=signatures.is_training)
        self.progress("Writing SavedModel")
        start = time.perf_counter()
        rep.export_graph(
            path,
            freeze=signatures.freeze,
            signatures=signatures.names,
            intermediate_names=signatures.intermediate_names,
            overwrite=overwrite,
        )
        self.timings["write"] = time.perf_counter() - start
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        written = Written("saved_model", path, size, compute=self.options.rewriting.compute)
        self._let_go(rep)
        compare = functools.partial(compare_saved_model, rep=rep, tolerance=self._tolerance)
        self.written["saved_model"] = self._checked_file(written, compare, path, "SavedModel", Interface.of(rep))

    @property
    def _tolerance(self) -> OfScale | None:
        return NARROW_PRODUCTS.get(str(self.options.rewriting.compute))

    def write_frozen_graph(self, file: Path, target: Path) -> None:
        """Write a file that becomes the target later."""
        rep = self._convert(SAVED_MODEL)
        self.progress("Writing frozen graph")
        start = time.perf_counter()
        with refused(target):
            names = write_frozen_graph(rep.tf_module, file)
        self.timings["frozen_graph"] = time.perf_counter() - start
        self._let_go(rep)
        size, computed = file.stat().st_size, self.options.rewriting.compute
        written = Written("frozen_graph", file, size, compute=computed, names=names.changed)
        compare = functools.partial(compare_frozen_graph, rep=rep, tolerance=self._tolerance)
        self.written["frozen_graph"] = self._checked_file(written, compare, file, "frozen graph", Interface.of(rep))


def _refuse_dtypes(written: Written, interface: Interface) -> None:
    """Raise what keeps a file from being compared anywhere."""
    dtypes = [*(value.dtype for value in interface.inputs), *interface.dtypes.values()]
    if written.format not in ("saved_model", "frozen_graph") and ir.DataType.BFLOAT16 in dtypes:
        raise CheckError("what runs the file takes no inputs and gives no outputs of bfloat16")


def _refuse_check(written: Written) -> None:
    """Raise what keeps a file from being compared here: it is written nevertheless, unless a check is asked for."""
    foreign = foreign_operators(written.operators or {})
    if foreign:
        raise CheckError(f"the Python packages of LiteRT and TensorFlow have no kernel for {', '.join(foreign)}")
