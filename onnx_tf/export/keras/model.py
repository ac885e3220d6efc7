"""A lowered model as a Keras Functional, and the file of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx_ir as ir
import tensorflow as tf

from onnx_tf.attributes import node_attributes
from onnx_tf.check.interface import Interface
from onnx_tf.errors import ConversionError, ExportError, UnsupportedError, UnsupportedNode
from onnx_tf.export.keras._place import (
    BUILDERS,
    DTYPES,
    Drawn,
    Names,
    Place,
    RefusedError,
    TiedTable,
    floats,
    is_constant,
)
from onnx_tf.export.keras.nested import MAX_DEPTH, nested_model
from onnx_tf.export.keras.steps import Step, depth_of, needed
from onnx_tf.layout import LayoutReport
from onnx_tf.model.loading import ModelSource
from onnx_tf.options import Options
from onnx_tf.origins import node_origin
from onnx_tf.passes.settle_shapes import SIZES
from onnx_tf.pipeline import lower
from onnx_tf.registry import BARRIER_DOMAIN, INTERNAL_DOMAINS
from onnx_tf.value_types import NamedTypes, ValueType

__all__ = ["Form", "KerasRep", "build", "write_keras"]

MAX_SIZES = 64
"""Longer integer vectors are no shapes."""

_SAME_ELEMENTS = ("Reshape", "Squeeze", "Unsqueeze")

LAST_STEP = "keep roundings"


@dataclass(frozen=True)
class Form:
    """What a node became.

    Attributes:
        node: its name.
        op_type: its operator.
        kind: ``"layer"`` where layers compute it, ``"op"`` where one operation does, else ``"several"``.
    """

    node: str
    op_type: str
    kind: str


@dataclass(frozen=True)
class KerasRep:
    """A model in Keras.

    Attributes:
        model: the ``keras.Model``.
        interface: the ONNX names, dtypes and orders of its inputs and outputs.
        layout_report: which memory order each value has.
        timings: how long each step of the conversion took, by its name, in seconds.
        steps: the calls of layers and operations that the model consists of, in the order of the ONNX nodes.
        forms: for each node that is computed, in order, what it became.
    """

    model: Any
    interface: Interface
    layout_report: LayoutReport
    timings: Mapping[str, float]
    steps: tuple[Step, ...] = ()
    forms: Sequence[Form] = ()

    @property
    def layer_share(self) -> float:
        """The share of the nodes that are computed which became layers; 1 where none is."""
        return sum(form.kind == "layer" for form in self.forms) / len(self.forms) if self.forms else 1.0

    @property
    def inputs(self) -> NamedTypes:
        """The ONNX names of the inputs, in graph order, with their dtypes, shapes and orders."""
        pairs = [(str(value.name), ValueType.of(value)) for value in self.interface.inputs]
        return NamedTypes(pairs, self.interface.channels_last_inputs)

    @property
    def outputs(self) -> NamedTypes:
        """The ONNX names of the outputs, in graph order, with their dtypes, shapes and orders."""
        specs = self.interface.outputs
        pairs = [(name, ValueType(spec.dtype.name, _spec_dims(spec.shape))) for name, spec in specs.items()]
        return NamedTypes(pairs, self.interface.channels_last_outputs)


def build(source: ModelSource, options: Options) -> KerasRep:
    """Return a model in Keras.

    Args:
        source: see :func:`onnx_tf.prepare`.
        options: those of a conversion whose target is Keras.

    Raises:
        UnsupportedError: Keras has no form of some nodes; it lists all of them.
        ExportError: an input is no tensor that Keras has.
        OnnxTfError: see :func:`onnx_tf.prepare`.
    """
    lowered = lower(source, options, handlers=BUILDERS, until=LAST_STEP)
    model = lowered.model
    if not lowered.outputs:
        raise ExportError("the model has no outputs, which every Keras model has: write another format")
    report = lowered.layout_report
    # Models of the same names must not get numbers behind them.
    drawn = Drawn(
        Names(), training=options.training, unrolled=bool(options.rewriting.unroll_rnn), tied=tied_tables(model.graph)
    )
    walk = _Walk(model, drawn)
    outputs = walk.outputs(lowered.outputs)
    results, name = list(outputs.values()), _model_name(model)
    steps = needed(drawn.trace.steps, results)
    if depth_of(steps) > MAX_DEPTH:
        functional = nested_model(steps, drawn.inputs, results, name)
    else:
        functional = keras.Model(_alone(drawn.inputs), _alone(results), name=name)
    specs = {name: tf.TensorSpec(tensor.shape, tensor.dtype) for name, tensor in outputs.items()}
    dtypes = {name: v.dtype for name, v in zip(lowered.outputs, model.graph.outputs, strict=False)}
    interface = Interface(
        tuple(model.graph.inputs), specs, dtypes, report.channels_last_inputs, report.channels_last_outputs
    )
    return KerasRep(functional, interface, report, lowered.timings, tuple(steps), walk.forms_in(steps))


def _spec_dims(shape: tf.TensorShape) -> tuple[int | None, ...] | None:
    return None if shape.rank is None else tuple(shape.as_list())


def _alone(tensors: Sequence[Any]) -> Any:
    return tensors[0] if len(tensors) == 1 else list(tensors)


def _model_name(model: ir.Model) -> str:
    return Names().take(model.graph.name or "model")


class _Walk:
    """One walk over the nodes in order; what cannot be built is collected, to be refused at once."""

    def __init__(self, model: ir.Model, drawn: Drawn) -> None:
        self.graph, self.drawn = model.graph, drawn
        self.values: dict[ir.Value, Any] = {}
        self.refused: list[UnsupportedNode] = []
        self._forms: list[tuple[Form, list[Any]]] = []
        self._labels = _labels(model.graph)
        self._names = {value: drawn.names.take(str(value.name)) for value in self.graph.inputs}
        self._output_names = [drawn.names.take(str(value.name)) for value in self.graph.outputs]

    def outputs(self, names: Sequence[str]) -> dict[str, Any]:
        """Return the tensor of each output by its ONNX name."""
        self.drawn.inputs = [self._input(value) for value in self.graph.inputs]
        self.drawn.added(self.drawn.inputs)
        for node in self.graph:
            self._build(node)
        if self.refused:
            raise UnsupportedError(self.refused)
        found = {}
        for name, own, value in zip(names, self._output_names, self.graph.outputs, strict=False):
            if name not in found:
                tensor = self._output(value)
                # Keras takes int8 for a way to quantize layers; those of other dtypes than floats cast nothing.
                dtype = tensor.dtype if floats(tensor) else None
                found[name] = keras.layers.Identity(name=own, dtype=dtype)(tensor)
                self.drawn.trace.add("", found[name])
        return found

    def _output(self, value: ir.Value) -> Any:
        try:
            return Place(str(value.name), self.drawn).tensor(self._value(value))
        except RefusedError as refusal:
            raise ExportError(f"output {value.name!r}: {refusal}; write another format") from refusal

    def _input(self, value: ir.Value) -> Any:
        if not isinstance(value.type, ir.TensorType) or value.shape is None or value.dtype is None:
            raise ExportError(f"input {value.name!r} is no tensor of known rank: Keras has no such inputs")
        if value.dtype is ir.DataType.STRING:
            raise ExportError(f"input {value.name!r} holds strings: Keras has no operations of them")
        if value.dtype not in DTYPES:
            raise ExportError(f"input {value.name!r} is {value.dtype.name}: Keras has no such dtype")
        shape = tuple(n if isinstance(n, int) else None for n in value.shape)
        tensor = keras.Input(name=self._names[value], dtype=value.dtype.numpy().name, batch_shape=shape)
        self.values[value] = tensor
        self.drawn.record(tensor, _dims(value))
        self.drawn.trace.add("", tensor)
        return tensor

    def _value(self, value: ir.Value | None) -> Any:
        if value is None:
            return None
        if value not in self.values:
            tensor = value.const_value
            if tensor is None:
                raise _MissingError
            if tensor.dtype not in DTYPES:
                return tensor.numpy()  # for those that make floats of it, or refuse it
            self.values[value] = tensor.numpy()
        return self.values[value]

    def _build(self, node: ir.Node) -> None:
        handler = BUILDERS.find(node.domain, node.op_type, node.version or 1)
        name = node_origin(node) or str(node.name)
        uses = [bool(o.name) and (bool(o.uses()) or o.is_graph_output()) for o in node.outputs]
        try:
            inputs = [self._value(value) for value in node.inputs]
        except _MissingError:
            return  # what it needs is refused
        if handler is None:
            self._refuse(node, BUILDERS.advice)
            return
        given = [None if value is None else _dims(value) for value in node.inputs]
        sizes = [None if value is None else _elements(value) for value in node.inputs]
        constants = tuple(id(value) for value in inputs if is_constant(value) and value.ndim)
        place = Place(
            self._labels.get(node, str(node.name)), self.drawn, uses, given, _dims(node.outputs[0]), sizes, constants
        )
        try:
            results = handler.function(place, *inputs, **node_attributes(node, handler))
        except RefusedError as refusal:
            self._refuse(node, str(refusal))
            return
        except Exception as error:
            raise ConversionError(
                f"{type(error).__name__}: {error}", step="build", node=name, op=node.op_type, domain=node.domain
            ) from error
        results = results if isinstance(results, (tuple, list)) else (results,)
        for value, result in zip(node.outputs, results, strict=False):
            if value.name and value.dtype is not None and not _has_dtype(result, value.dtype):
                self._refuse(node, f"Keras computes it as {result.dtype}, and the model as {value.dtype.name}")
                return
        self._take_note(name, node, [r for r in results if isinstance(r, keras.KerasTensor)])
        for value, result in zip(node.outputs, results, strict=False):
            self.values[value] = found = self._named(place, result)
            dims = _dims(value)
            # What the file declares of an output need not be what is computed.
            if not is_constant(found) and dims is not None and not value.is_graph_output():
                self.drawn.record(found, dims)

    def _take_note(self, name: str, node: ir.Node, results: Sequence[Any]) -> None:
        made = self.drawn.added(results)
        if made and node.domain != BARRIER_DOMAIN:
            are_layers = all(isinstance(operation, keras.layers.Layer) for operation in made)
            kind = "layer" if are_layers else "op" if len(made) == 1 else "several"
            self._forms.append((Form(name, node.op_type, kind), made))

    def forms_in(self, steps: Sequence[Step]) -> list[Form]:
        """Return what became of the nodes that the model needs: not of those that compute shapes alone."""
        used = {id(step.operation) for step in steps}
        return [form for form, made in self._forms if any(id(operation) in used for operation in made)]

    def _named(self, place: Place, result: Any) -> Any:
        """Give the last operation of a node the node's name, so that people find it."""
        if is_constant(result):
            return result
        if not isinstance(result, keras.KerasTensor):
            return np.asarray(result)  # of constants alone
        self.drawn.trace.add(place.name, result)
        operation = result._keras_history.operation
        if not isinstance(operation, keras.layers.Layer) and operation not in self.drawn.named:
            operation.name = self.drawn.names.take(place.name)
            self.drawn.named.add(operation)
        return result

    def _refuse(self, node: ir.Node, why: str) -> None:
        name = node_origin(node) or str(node.name)
        domain = "" if node.domain in INTERNAL_DOMAINS else node.domain
        self.refused.append(UnsupportedNode(name, node.op_type, domain, node.version, why))


def _labels(graph: ir.Graph) -> dict[ir.Node, str]:
    """Return names of ONNX nodes that none has any more: for the last of those that compute them."""
    taken = {node.name for node in graph}
    last = {node_origin(node): node for node in graph}
    return {node: origin for origin, node in last.items() if origin and origin not in taken}


def _dims(value: ir.Value) -> list[int | str] | None:
    """Return the dimensions of a value; those without a name get one."""
    if value.shape is None:
        return None
    return [n if isinstance(n, int) else str(n.value or f"{value.name}.{i}") for i, n in enumerate(value.shape)]


def _has_dtype(result: Any, dtype: ir.DataType) -> bool:
    if dtype is ir.DataType.STRING or not hasattr(result, "dtype"):
        return True
    return np.dtype(dtype.numpy()).name == keras.backend.standardize_dtype(result.dtype)


def _elements(value: ir.Value) -> Sequence[int | str] | None:
    """Return the elements of an integer scalar or vector, if they are known."""
    tensor = value.const_value
    if tensor is None:
        node = value.producer()
        if SIZES not in value.meta and node is not None and node.op_type in _SAME_ELEMENTS and node.inputs[0]:
            return _elements(node.inputs[0])  # made after they were found, of one that it stands for
        found: Sequence[int | str] | None = value.meta.get(SIZES)
        return found
    is_short = tensor.dtype.is_integer() and len(tensor.shape) < 2 and tensor.size <= MAX_SIZES
    return tensor.numpy().reshape(-1).tolist() if is_short else None


def tied_tables(graph: ir.Graph) -> list[TiedTable]:
    """Return the embedding tables that are, transposed, the constant matrix of a product too."""
    tables = _matrices(n.inputs[0] for n in graph if n.op_type == "Gather")
    matrices = _matrices(n.inputs[1] for n in graph if n.op_type in ("MatMul", "Gemm", "Dense"))
    return [
        TiedTable(a.numpy(), b.numpy())
        for a, b in itertools.product(tables, matrices)
        if tuple(a.shape) == tuple(b.shape)[::-1] and np.array_equal(a.numpy(), b.numpy().T)
    ]


def _matrices(values: Iterable[ir.Value | None]) -> list[ir.TensorProtocol]:
    tensors = (value.const_value for value in dict.fromkeys(values) if value is not None)
    return [t for t in tensors if t is not None and len(t.shape) == 2 and t.dtype.is_floating_point()]


class _MissingError(Exception):
    """A value of a node that was refused."""


def write_keras(model: Any, path: Path) -> None:
    """Write a model as a .keras file.

    Raises:
        ExportError: Keras refuses it.
    """
    try:
        model.save(path)
    except (ValueError, TypeError) as error:
        raise ExportError(f"Keras cannot save this model: {str(error).splitlines()[0]}") from error
