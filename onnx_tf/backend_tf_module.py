"""The ``tf.Module`` that computes an ONNX model: it owns the weights and walks the plan."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from onnx_tf.dtypes import carried, is_carried, to_tf
from onnx_tf.feeding import is_map, map_spec
from onnx_tf.plan import BoundGraph, scope_name
from onnx_tf.values import OptionalValue, TensorSequence

__all__ = ["BackendTFModule", "input_spec"]

MIN_VARIABLE_ELEMENTS = 16
"""Floating-point initializers of fewer elements stay constants: epsilons, scales, small tables."""

MAX_CONSTANT_BYTES = 1 << 28
"""Other initializers, quantised weights above all, stay constants up to this total, the smallest
first; TensorFlow dequantises constants once. Then they are variables that are not trainable: a
graph holds 2 GB at most."""


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
    """

    def __init__(self, graph: BoundGraph, name: str | None = None) -> None:
        super().__init__(name=name)
        self.graph = dataclasses.replace(graph, constants={})
        self.weights: dict[str, tf.Variable] = {}
        self._constants: dict[str, np.ndarray] = {}
        is_training = any(node.context.training for node in graph.all_nodes())
        variables = _variables(graph.constants) | (_parameters(graph) if is_training else set())
        statistics = _statistics(graph)
        for key, tensor in graph.constants.items():
            if key in variables:
                is_float = tensor.dtype.is_floating_point() and not is_carried(tensor.dtype)
                trainable = is_float and key not in statistics
                self.weights[key] = tf.Variable(
                    carried(tensor.numpy()), trainable=trainable, name=scope_name(key), dtype=to_tf(tensor.dtype)
                )
                _release(tensor)
            else:
                # A copy: a tensor of a parsed file keeps the whole file in memory.
                self._constants[key] = carried(np.array(tensor.numpy()))
        self.input_names = tuple(str(value.name) for value in graph.inputs)
        self.output_names = tuple(str(value.name) for value in graph.outputs)
        specs = [input_spec(value) for value in graph.inputs]
        # A list or an optional is traced for what is given: more is static then than its spec tells.
        self.is_static = not any(isinstance(spec, (TensorSequence.Spec, OptionalValue.Spec)) for spec in specs)
        signature = specs if self.is_static else None
        self.compute = self._traceable(self.graph.serving(), signature)
        self._train = self._traceable(self.graph, signature) if is_training else self.compute

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

    def frozen(self) -> Callable[..., dict[str, Any]]:
        """Return what ``compute`` traces, with the present values of the variables as constants.

        It is no ``tf.function``: what calls it holds the constants once.
        """
        values = {key: variable.numpy() for key, variable in self.weights.items()}
        return functools.partial(self._compute, self.graph.serving(frozen=True), values)

    def _traceable(self, graph: BoundGraph, signature: Sequence[tf.TypeSpec] | None) -> Any:
        return tf.function(functools.partial(self._compute, graph, None), input_signature=signature, autograph=False)

    def _compute(self, graph: BoundGraph, frozen: Mapping[str, np.ndarray] | None, *inputs: Any) -> dict[str, Any]:
        environment: dict[str, Any] = dict(self.weights)
        if frozen is not None:
            environment = {key: tf.constant(array, name=scope_name(key)) for key, array in frozen.items()}
        environment.update(zip(self.input_names, inputs, strict=True))
        for key, array in self._constants.items():
            environment[key] = tf.constant(array)
        results = graph(environment)
        return {
            name: tf.identity(result, name=scope_name(name)) if tf.is_tensor(result) else result
            for name, result in zip(self.output_names, results, strict=True)
        }


def input_spec(value: ir.Value) -> tf.TypeSpec:
    """Return the ``tf.TypeSpec`` of a graph input; a symbolic dim is ``None``."""
    if is_map(value):
        return map_spec(value)
    if value.dtype is None:
        raise ValueError(f"graph input {value.name!r} states no dtype")
    shape = tf.TensorShape(None if value.shape is None else [d if isinstance(d, int) else None for d in value.shape])
    kind = value.type.elem_type if isinstance(value.type, ir.OptionalType) else value.type
    spec: Any = tf.TensorSpec(shape, to_tf(value.dtype), name=scope_name(str(value.name)))
    if isinstance(kind, ir.SequenceType):
        items, order = tf.TensorSpec([], tf.variant), tf.TensorSpec([None], tf.int32)
        spec = TensorSequence.Spec(items=items, order=order, dtype=spec.dtype, shape=shape)
    if isinstance(value.type, ir.OptionalType):
        spec = OptionalValue.Spec(flag=tf.TensorSpec([], tf.bool), element=spec)
    return spec


def _parameters(graph: BoundGraph) -> set[str]:
    """Return the names of all initializers that training changes: of floats, scalars excepted.

    What decides the shape of a result stays constant.
    """
    fixed = {name for node in graph.all_nodes() if node.context.op_type in _SIZED_BY_FLOATS for name in node.inputs[1:]}
    return {
        key
        for key, tensor in graph.constants.items()
        if tensor.dtype.is_floating_point() and tensor.dtype.bitwidth >= 16 and len(tensor.shape) and key not in fixed
    }


_SIZED_BY_FLOATS = ("Resize", "Upsample")


def _statistics(graph: BoundGraph) -> set[str | None]:
    """Return the names of the means and variances that BatchNormalizations take: no gradient moves them."""
    nodes = (node for node in graph.all_nodes() if node.context.op_type == "BatchNormalization")
    return {name for node in nodes for name in node.inputs[3:5]}


def _variables(tensors: Mapping[str, ir.TensorProtocol]) -> set[str]:
    """Return the names of the initializers that become variables."""
    floats = {key for key, t in tensors.items() if t.dtype.is_floating_point() and t.dtype.bitwidth >= 16}
    variables = {key for key in floats if int(np.prod(tensors[key].shape.numpy())) >= MIN_VARIABLE_ELEMENTS}
    total = 0
    for key in sorted(tensors.keys() - floats, key=lambda key: (tensors[key].nbytes, key)):
        if tensors[key].dtype is not ir.DataType.STRING:
            total += tensors[key].nbytes
            if total > MAX_CONSTANT_BYTES:
                variables.add(key)
    return variables


def _release(tensor: ir.TensorProtocol) -> None:
    if isinstance(tensor, ir.ExternalTensor):
        tensor.release()
