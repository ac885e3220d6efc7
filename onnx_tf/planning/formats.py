"""What would become of each format: the steps of a conversion up to where it writes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import onnx_ir as ir

from onnx_tf.backend_rep import TensorflowRep
from onnx_tf.check.interface import Interface
from onnx_tf.edits import edit
from onnx_tf.errors import OnnxTfError, either
from onnx_tf.export.frozen_graph import OperationNames
from onnx_tf.export.litert_support import unsupported_nodes
from onnx_tf.export.paths import KERAS as OF_KERAS
from onnx_tf.export.post_training.kinds import CALIBRATED, Quantization, is_full
from onnx_tf.export.precisions import INTEGERS
from onnx_tf.export.saved_model import check_frozen_size, python_keywords
from onnx_tf.export.signatures import Signatures
from onnx_tf.export.tflite import refuse_unsupported
from onnx_tf.options import Options
from onnx_tf.pipeline import lower
from onnx_tf.planning import approximations, sizes
from onnx_tf.planning.interfaces import Side, differences, specs_of
from onnx_tf.planning.results import PlannedArtifact
from onnx_tf.readers import Reader
from onnx_tf.runtime.signature import flat_names
from onnx_tf.targets import KERAS, SAVED_MODEL, Target, litert

if TYPE_CHECKING:
    from onnx_tf.conversion import Conversion
    from onnx_tf.export.keras import KerasRep

__all__ = ["Planner"]


@dataclass(frozen=True, eq=False)
class Planner:
    """A model and what is asked for.

    Attributes:
        model: the model as it was loaded.
        options: how it is converted.
        signatures: those of a SavedModel.
        has_integers: whether .tflite files keep the integers that a quantised model has.
        quantization: how others are quantised.
        forms: options of LiteRT's target.
        reader: what .tflite files are for.
        convert: converts to a precision of .tflite files in a folder that goes away: what other readers than LiteRT's
            interpreter take is known of the operators in a file alone.
        allowed: whether .tflite files may have operators that are not LiteRT's own.
        progress: called with a word or two whenever something is tried.
    """

    model: ir.Model
    options: Options
    signatures: Signatures
    has_integers: bool
    quantization: Quantization
    forms: Mapping[str, bool]
    reader: Reader
    convert: Callable[[Any], Conversion]
    allowed: Mapping[str, bool]
    progress: Callable[[str], None]

    def artifact(self, kind: str) -> PlannedArtifact:
        """Return what would become of a format, or of a precision of .tflite files."""
        of_format: Any = {"saved_model": self._saved_model, "frozen_graph": self._frozen_graph}.get(kind)
        if of_format is None:
            of_format = functools.partial(self._keras if kind in OF_KERAS else self._tflite, kind)
        found: PlannedArtifact = of_format()
        if not found.fits:
            return found
        of_all = approximations.of_all(self._inferred, self.options.rewriting.compute)
        return replace(found, approximated=(*of_all, *found.approximated))

    def _saved_model(self) -> PlannedArtifact:
        try:
            rep = self._rep(SAVED_MODEL, training=self.signatures.is_training)
            if self.signatures.freeze:
                variables = either("with freeze=False", "without --freeze")
                check_frozen_size(rep.tf_module, f"keep the weights as variables, {variables}")
            if self.signatures.intermediate_names:
                rep.check_observable(self.signatures.intermediate_names)
        except OnnxTfError as error:
            return PlannedArtifact("saved_model", error=error)
        keys = python_keywords(flat_names(rep.tf_module.input_specs()))
        calls = tuple(f"Python code calls input {name!r} of a signature {key!r}" for name, key in keys.items())
        found = self._of_module("saved_model", rep)
        more = self.signatures.names[1:]
        added = (f"signatures are added: {', '.join(more)}",) if more else ()
        return replace(found, changes=(*found.changes, *calls, *added))

    def _frozen_graph(self) -> PlannedArtifact:
        try:
            rep = self._rep(SAVED_MODEL)
            check_frozen_size(rep.tf_module, "write a SavedModel, whose variables may be larger")
        except OnnxTfError as error:
            return PlannedArtifact("frozen_graph", error=error)
        module = rep.tf_module
        names = OperationNames.of(flat_names(module.input_specs()), flat_names(module.concrete().structured_outputs))
        return self._of_module("frozen_graph", rep, names)

    def _of_module(self, kind: Any, rep: TensorflowRep, names: OperationNames | None = None) -> PlannedArtifact:
        module, sides = rep.tf_module, self._sides(rep)
        if names is not None:
            sides = [replace(s, names=own) for s, own in zip(sides, (names.inputs, names.outputs), strict=True)]
        weights, constants = sizes.variable_bytes(module), sizes.constant_bytes(module.concrete().graph)
        size = weights + module.concrete().graph.as_graph_def().ByteSize()
        if kind == "saved_model":
            copies, frozen = 1 + len(self.signatures.names), self.signatures.freeze == "both"
            size = sizes.saved_model_bytes(module, copies, frozen=frozen)
        memory = weights + constants + sizes.graph_peak(module)
        return PlannedArtifact(kind, **differences(sides), bytes=size, memory=memory)

    def _tflite(self, kind: Any) -> PlannedArtifact:
        quantized = self.has_integers and kind in INTEGERS
        try:
            rep = self._rep(litert(quantized=quantized, **self.forms))
            refuse_unsupported(rep.tf_module, [kind], advice=self.reader.advice, **self.allowed)
        except OnnxTfError as error:
            return PlannedArtifact("tflite", kind, error=error)
        module = rep.tf_module
        foreign = unsupported_nodes(module.graph, module.concrete().graph, advice="")
        flex = tuple(foreign) if self.allowed["allow_flex"] else ()
        sides = self._sides(rep)
        if is_full(kind) and not self.has_integers:
            sides = [
                replace(s, floats=dtype) for s, dtype in zip(sides, self.quantization.interface(kind), strict=True)
            ]
        size = sizes.tflite_bytes(module, "float32" if quantized else kind, widened=not quantized)
        exact = approximations.of_tflite(
            self._inferred, kind, int64_as_int32=self.forms["int64_as_int32"], has_integers=self.has_integers
        )
        planned = PlannedArtifact(
            "tflite",
            kind,
            flex=flex,
            custom=tuple(foreign) if foreign and not flex else (),
            approximated=tuple(exact),
            **differences(sides),
            bytes=size,
            memory=size + sizes.graph_peak(module),
            unknown=tuple(self._unknown(kind, quantized)),
        )
        return planned if self.reader.is_litert else self._for_reader(kind, planned)

    def _for_reader(self, kind: Any, planned: PlannedArtifact) -> PlannedArtifact:
        """Return what is known of a file once it is made for a reader."""
        self.progress(f"Trying {self.reader.name}")
        try:
            (written,) = self.convert(kind).artifacts
        except OnnxTfError as error:
            return PlannedArtifact("tflite", kind, error=error)
        taken, given = (tuple(map(self._carried, values)) for values in (planned.inputs, planned.outputs))
        changed = [
            f"{what} {new['name']!r} is {new['dtype']}, not {old['dtype']}"
            for what, news, olds in (("input", taken, planned.inputs), ("output", given, planned.outputs))
            for new, old in zip(news, olds, strict=True)
            if new != old
        ]
        return replace(
            planned,
            inputs=taken,
            outputs=given,
            changes=(*planned.changes, *changed),
            elsewhere=written.elsewhere,
            bytes=written.bytes,
            unknown=(),
        )

    def _carried(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return an input or output as a file for the reader has it."""
        carriers = {one.lower(): other.lower() for one, other in self.reader.carriers.items()}
        narrow = {"int64": "int32"} if self.reader.narrows else {}
        return value | {"dtype": (carriers | narrow).get(value["dtype"], value["dtype"])}

    def _unknown(self, kind: str, quantized: bool) -> Iterator[str]:
        if quantized:
            yield "which nodes stay in floats: convert lists them"
        elif kind in CALIBRATED:
            yield "how far integers are off, and which nodes stay in floats: convert lists them"
        if kind in CALIBRATED and is_full(kind) and not quantized:
            yield "whether all nodes have kernels of integers: convert refuses those that have none, by node"

    def _keras(self, kind: Any) -> PlannedArtifact:
        try:
            rep = self._keras_rep()
        except OnnxTfError as error:
            return PlannedArtifact(kind, error=error)
        interface, weights = rep.interface, sum(w.numpy().nbytes for w in rep.model.weights)
        taken, given = self._onnx("inputs"), self._onnx("outputs")
        names = [
            {str(value.name): tensor.name for value, tensor in zip(taken, rep.model.inputs, strict=True)},
            dict(zip(interface.outputs, rep.model.output_names, strict=True)),
        ]
        sides = [
            Side("input", taken, self._input_specs(rep), interface.channels_last_inputs, names[0]),
            Side("output", given, interface.outputs, interface.channels_last_outputs, names[1]),
        ]
        own = sum(v.const_value.nbytes for v in self.model.graph.initializers.values() if v.const_value is not None)
        return PlannedArtifact(
            kind,
            **differences(sides),
            bytes=sizes.keras_bytes(weights, rep.steps) + (own if kind == "weights" else 0),
            memory=weights + sizes.keras_peak(rep.steps),
        )

    def _input_specs(self, rep: KerasRep) -> dict[str, Any]:
        from onnx_tf.backend_tf_module import input_spec

        return {str(value.name): input_spec(value) for value in rep.interface.inputs}

    def _sides(self, rep: TensorflowRep) -> list[Side]:
        interface, module = Interface.of(rep), rep.tf_module
        outputs = specs_of(module.concrete().structured_outputs)
        return [
            Side("input", self._onnx("inputs"), module.input_specs(), interface.channels_last_inputs),
            Side("output", self._onnx("outputs"), outputs, interface.channels_last_outputs),
        ]

    def _onnx(self, side: str) -> tuple[ir.Value, ...]:
        graph = self._edited.graph
        return tuple(v for v in getattr(graph, side) if side == "outputs" or not v.is_initializer())

    @functools.cached_property
    def _edited(self) -> ir.Model:
        return edit(self.model, self.options)

    @functools.cached_property
    def _inferred(self) -> ir.Model:
        return lower(self.model.clone(), self.options, until="infer shapes").model

    @functools.lru_cache(maxsize=4)  # noqa: B019  (a planner lives as long as its plan)
    def _rep(self, target: Target, *, training: bool = False) -> TensorflowRep:
        self.progress(f"Trying {target.name}")
        return TensorflowRep(lower(self.model.clone(), replace(self.options, target=target, training=training)))

    @functools.lru_cache(maxsize=1)  # noqa: B019
    def _keras_rep(self) -> KerasRep:
        from onnx_tf.export.keras import build  # Keras is imported for who asks for it

        self.progress("Trying keras")
        return build(self.model.clone(), replace(self.options, target=KERAS))
