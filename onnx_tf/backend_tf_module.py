"""The ``tf.Module`` that computes an ONNX model: it owns the weights and walks the plan."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from onnx_tf.dtypes import carried, to_tf
from onnx_tf.errors import ModelError
from onnx_tf.runtime.feeding import is_map, map_spec
from onnx_tf.runtime.frozen import without_casts
from onnx_tf.runtime.graph import BoundGraph, Slot
from onnx_tf.runtime.initial_values import initial_value
from onnx_tf.runtime.ranks import UnknownRankError
from onnx_tf.runtime.scopes import scope_name
from onnx_tf.runtime.weights import Role, weights_of
from onnx_tf.values import OptionalValue, TensorSequence

__all__ = ["BackendTFModule", "input_spec"]


class BackendTFModule(tf.Module):
    """An ONNX graph as TensorFlow operations over variables.

    Call it with one tensor per graph input, by position or by keyword, or with one dict by ONNX
    name; it returns a dict of outputs by ONNX name, in graph order. It can be traced, exported,
    and differentiated with ``tf.GradientTape``. A model prepared for training trains when it is
    called: its Dropouts drop. ``compute`` is the function that is run and exported.

    Attributes:
        graph: the bound graph.
        weights: the variables, by ONNX initializer name.
        is_static: whether one trace serves all inputs: whether no input is a sequence or optional.
        is_training: whether the model was prepared for training.
        weight_bytes: how many bytes its weights and constants take.
    """

    def __init__(self, graph: BoundGraph, name: str | None = None) -> None:
        super().__init__(name=name)
        self.graph = dataclasses.replace(graph, constants={})
        self.weights: dict[str, tf.Variable] = {}
        constants: dict[Slot, np.ndarray] = {}
        variables: dict[Slot, str] = {}
        self.weight_bytes = 0
        for slot, weight in weights_of(graph).items():
            self.weight_bytes += weight.tensor.nbytes
            if weight.role is Role.CONSTANT:
                # A copy: a tensor of a parsed file keeps the whole file in memory.
                constants[slot] = carried(np.array(weight.tensor.numpy()))
                continue
            variables[slot] = weight.name
            self.weights[weight.name] = tf.Variable(
                initial_value(carried(weight.tensor.numpy())),
                trainable=weight.role is Role.PARAMETER,
                name=scope_name(weight.name),
                dtype=to_tf(weight.tensor.dtype),
            )
            if isinstance(weight.tensor, ir.ExternalTensor):
                weight.tensor.release()
        # Proxies: TensorFlow would track plain dicts, and takes strings alone for their keys.
        self._constants, self._variables = MappingProxyType(constants), MappingProxyType(variables)
        self.input_names = tuple(str(value.name) for value in graph.inputs)
        self.output_names = tuple(str(value.name) for value in graph.outputs)
        specs = [input_spec(value) for value in graph.inputs]
        # A list or an optional is traced for what is given: more is static then than its spec tells.
        self.is_static = not any(isinstance(spec, (TensorSequence.Spec, OptionalValue.Spec)) for spec in specs)
        self._signature = specs if self.is_static else None
        self.compute = self._traceable(self.graph.serving(), self._signature)
        self.is_training = any(node.context.training for node in graph.all_nodes())
        self._train = self._traceable(self.graph, self._signature) if self.is_training else self.compute

    def __call__(self, /, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Compute the outputs.

        Raises:
            TypeError: a wrong number of inputs, or an unknown or missing name.
        """
        if len(args) == 1 and not kwargs and isinstance(args[0], Mapping):
            return self(**args[0])
        names = self.input_names
        feed = dict(zip(names, args, strict=False)) | kwargs
        if len(args) > len(names) or len(feed) < len(args) + len(kwargs) or feed.keys() != set(names):
            raise TypeError(f"the model takes {list(names)}, got {len(args)} by position and {list(kwargs)} by name")
        return self._train(*[feed[name] for name in names])

    def concrete(self, *, freeze: bool = False, training: bool = False) -> Any:
        """Return ``compute`` as one concrete function: whatever calls it shares its constants.

        Args:
            freeze: trace it anew, with the present values of the variables as constants.
            training: return what a call of the module computes instead, which trains if the model was prepared for it.
        """
        compute = self._train if training else self.compute
        if freeze:
            graph, weights = self._frozen()
            compute = self._traceable(graph, self._signature, weights)
        specs = [] if self.is_static else [input_spec(value) for value in self.graph.inputs]
        return compute.get_concrete_function(*specs)

    def frozen(self) -> Callable[..., dict[str, Any]]:
        """Return what computes the outputs within a trace, of the weights as they are now, as constants."""
        return functools.partial(self._compute, *self._frozen())

    def input_specs(self) -> dict[str, tf.TypeSpec]:
        """Return the spec of each input by ONNX name, with as much of its shape as is traced."""
        return dict(zip(self.input_names, self.concrete().structured_input_signature[0], strict=True))

    def _frozen(self) -> tuple[BoundGraph, dict[Slot, np.ndarray]]:
        return without_casts(self.graph.serving(frozen=True), self._values())

    def _values(self) -> dict[Slot, np.ndarray]:
        return {slot: self.weights[name].numpy() for slot, name in self._variables.items()}

    def let_go(self) -> None:
        """Free the memory of the variables: nothing can be computed any more, all else can be told as before."""
        for variable in self.weights.values():
            nothing = tf.zeros([0], variable.dtype)
            tf.raw_ops.AssignVariableOp(resource=variable.handle, value=nothing, validate_shape=False)

    def computed_with(self, inputs: Sequence[Any], weights: Mapping[str, Any]) -> dict[str, Any]:
        """Return the outputs within a trace, with tensors in the places of some weights.

        Args:
            inputs: in order.
            weights: the tensors, by the names of the weights.
        """
        graph = self.graph.serving()
        given = {slot: weights[name] for slot, name in self._variables.items() if name in weights}
        return self._results(graph, self._environment(graph, None, inputs) | given)

    def probe(self, names: Sequence[str], *, freeze: bool = False) -> Callable[..., dict[str, Any]]:
        """Return a ``tf.function`` of the inputs that gives ONNX values of the main graph by name.

        Args:
            names: of values in ``graph.held``, which also says how the axes of each lie.
            freeze: see :meth:`concrete`.
        """
        graph, frozen = self.graph.serving(frozen=freeze), self._values() if freeze else None

        def compute(*inputs: Any) -> dict[str, Any]:
            environment = self._environment(graph, frozen, inputs)
            slots = [self.graph.held[name].slot for name in names]
            graph(environment, slots)
            return {name: _read(environment[slot]) for name, slot in zip(names, slots, strict=True)}

        traced: Callable[..., dict[str, Any]] = tf.function(compute, autograph=False)
        return traced

    def _traceable(
        self,
        graph: BoundGraph,
        signature: Sequence[tf.TypeSpec] | None,
        frozen: Mapping[Slot, np.ndarray] | None = None,
    ) -> Any:
        return tf.function(functools.partial(self._compute, graph, frozen), input_signature=signature, autograph=False)

    def _compute(self, graph: BoundGraph, frozen: Mapping[Slot, np.ndarray] | None, *inputs: Any) -> dict[str, Any]:
        return self._results(graph, self._environment(graph, frozen, inputs))

    def _results(self, graph: BoundGraph, environment: dict[Slot, Any]) -> dict[str, Any]:
        graph.budget.begin_trace(graph.size)
        try:
            results = graph(environment)
        except UnknownRankError as error:
            raise error.advising(dict(zip(graph.input_slots, graph.inputs, strict=True))) from error
        return {
            name: tf.identity(result, name=scope_name(name)) if tf.is_tensor(result) else result
            for name, result in zip(self.output_names, results, strict=True)
        }

    def _environment(
        self, graph: BoundGraph, frozen: Mapping[Slot, np.ndarray] | None, inputs: Sequence[Any]
    ) -> dict[Slot, Any]:
        """Return what is known before the first node: inputs, weights and constants."""
        environment: dict[Slot, Any] = dict(zip(graph.input_slots, inputs, strict=True))
        if frozen is None:
            environment |= {slot: self.weights[name] for slot, name in self._variables.items()}
        else:
            names = {slot: label for node in graph.nodes for slot, label in node.labels.items()} | dict(self._variables)
            environment |= {slot: tf.constant(a, name=scope_name(names[slot])) for slot, a in frozen.items()}
        for slot, array in self._constants.items():
            environment[slot] = tf.constant(array)
        return environment


def _read(value: Any) -> Any:
    return tf.convert_to_tensor(value) if isinstance(value, tf.Variable) else value


def input_spec(value: ir.Value) -> tf.TypeSpec:
    """Return the ``tf.TypeSpec`` of a graph input; a symbolic dim is ``None``."""
    if is_map(value):
        return map_spec(value)
    if value.dtype is None:
        raise ModelError(f"graph input {value.name!r} states no dtype: export the model again")
    shape = tf.TensorShape(None if value.shape is None else [d if isinstance(d, int) else None for d in value.shape])
    kind = value.type.elem_type if isinstance(value.type, ir.OptionalType) else value.type
    spec: Any = tf.TensorSpec(shape, to_tf(value.dtype), name=scope_name(str(value.name)))
    if isinstance(kind, ir.SequenceType):
        items, order = tf.TensorSpec([], tf.variant), tf.TensorSpec([None], tf.int32)
        spec = TensorSequence.Spec(items=items, order=order, dtype=spec.dtype, shape=shape)
    if isinstance(value.type, ir.OptionalType):
        spec = OptionalValue.Spec(flag=tf.TensorSpec([], tf.bool), element=spec)
    return spec
