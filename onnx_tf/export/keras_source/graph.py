"""The calls of a model's source: its steps, with the weights that belong to no layer as what they are."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from keras import layers, ops

from onnx_tf.export.keras._place import Names
from onnx_tf.export.keras.steps import Step, scope_of, uses_of
from onnx_tf.export.keras_source.calls import (
    Argument,
    Call,
    Value,
    call_of_layer,
    call_of_operation,
    is_layer,
    layer_config,
)

__all__ = ["ANCHOR", "Graph", "graph_of", "scopes_of"]

ANCHOR = "anchor"
"""Stands for any tensor: layers are of a model only where they take one."""

MAX_WRITTEN = {"f": 4}
"""Arrays of more floats are weights, and so are others of more than 16 elements."""


class Graph:
    """What is called to compute a model's outputs.

    Attributes:
        inputs: the calls of ``keras.Input``'s layers, as steps.
        calls: all other calls, each behind those whose results it takes.
        outputs: the values that the model gives.
        arrays: by layer's name, the values of those weights that no layer of the model holds.
        layers: the layer that a call makes.
        constants: by ``id``, the arrays that are weights, which are kept, and their values.
    """

    def __init__(self, inputs: Sequence[Step], outputs: Sequence[Any]) -> None:
        self.inputs = list(inputs)
        self.outputs = [Value(id(tensor)) for tensor in outputs]
        self.calls: list[Call] = []
        self._made = 0
        self.arrays: dict[str, np.ndarray] = {}
        self.layers: dict[Call, Any] = {}
        self.constants: dict[int, tuple[np.ndarray, Value]] = {}

    def value(self) -> Value:
        """Return a value that no tensor of the model is."""
        self._made += 1
        return Value(-self._made)

    def add(self, call: Call, layer: Any = None) -> None:
        """Add a call, and the layer that it makes where that holds its weights."""
        self.calls.append(call)
        if layer is not None:
            self.layers[call] = layer


def graph_of(steps: Sequence[Step], outputs: Sequence[Any]) -> Graph:
    """Return the calls of a model.

    Args:
        steps: those from the inputs to the outputs.
        outputs: the model's output tensors.

    Raises:
        ExportError: something has no form in source.
    """
    inputs = [step for step in steps if isinstance(step.operation, layers.InputLayer)]
    graph, uses = Graph(inputs, outputs), uses_of(steps)
    names = Names()
    counts: dict[int, int] = {}
    for step in steps:
        names.take(step.operation.name)
        counts[id(step.operation)] = counts.get(id(step.operation), 0) + 1
    covered = set(inputs)
    for step in steps:
        if step in covered:
            continue
        if _is_table_of_one_row(step):
            covered.update(_add_weight(graph, step, uses))
        elif is_layer(step):
            _add_layer(graph, step, counts[id(step.operation)] > 1)
        else:
            _add_operation(graph, step, names)
    graph.calls = _needed(graph)
    return graph


def _is_table_of_one_row(step: Step) -> bool:
    """Tell whether a step is a weight that belongs to no layer, see ``Place``."""
    return isinstance(step.operation, layers.Embedding) and step.operation.input_dim == 1 and not step.inputs[0].shape


def _add_weight(graph: Graph, step: Step, uses: Mapping[int, Sequence[Step]]) -> list[Step]:
    """Add a weight, and return the steps that it stands for besides its own."""
    layer, (tensor,) = step.operation, step.outputs
    users = uses.get(id(tensor), [])
    is_shaped = len(users) == 1 and type(users[0].operation).__name__ == "Reshape" and not is_layer(users[0])
    shape = tuple(users[0].outputs[0].shape) if is_shaped else tuple(tensor.shape)
    output = Value(id(users[0].outputs[0] if is_shaped else tensor))
    place = users[0].place if is_shaped else step.place
    graph.add(_weight(layer.name, shape, layer.dtype_policy.name, bool(layer.trainable), output, place))
    graph.arrays[layer.name] = np.asarray(ops.convert_to_numpy(layer.embeddings)).reshape(shape)
    return [users[0]] if is_shaped else []


def _weight(name: str, shape: tuple[int, ...], dtype: str, trainable: bool, output: Value, place: str) -> Call:
    config = (
        Argument("shape", shape),
        Argument("dtype", dtype, "float32", False),
        Argument("trainable", trainable, True, False),
    )
    return Call("Weight", config, (Argument("", ANCHOR),), (output,), name, place)


def _add_layer(graph: Graph, step: Step, is_shared: bool) -> None:
    """Add the call of a layer; one that is called several times is made by a call of its own."""
    layer = step.operation
    if not is_shared:
        graph.add(call_of_layer(step), layer)
        return
    made = Value(id(layer))
    if not any(made in call.outputs for call in graph.calls):
        rank = len(step.inputs[0].shape)
        function = f"layers.{type(layer).__name__}"
        graph.add(Call(function, layer_config(layer, rank), (), (made,), layer.name, step.place), layer)
    graph.add(call_of_layer(step, function=made))


def _add_operation(graph: Graph, step: Step, names: Names) -> None:
    """Add the call of an operation; arrays of many elements that it takes are weights."""
    call = call_of_operation(step)
    operands = []
    for argument in call.operands:
        value = argument.value
        if isinstance(value, np.ndarray) and value.size > MAX_WRITTEN.get(value.dtype.kind, 16):
            value = _as_weight(graph, step, value, names)
        operands.append(Argument(argument.name, value, argument.default, argument.positional, argument.spreads))
    graph.add(Call(call.function, None, tuple(operands), call.outputs, "", call.place))


def _as_weight(graph: Graph, step: Step, array: np.ndarray, names: Names) -> Value:
    """Return the value of an array, which is one weight wherever it is taken."""
    if id(array) in graph.constants:
        return graph.constants[id(array)][1]
    is_known = array.dtype.kind == "f" or array.dtype.name in ("bfloat16", "int32", "int64")
    stored = array if is_known else array.astype(np.int64 if array.dtype.itemsize > 2 else np.int32)
    name = names.take(f"{step.place or step.operation.name}_constant")
    value = graph.value()
    graph.arrays[name] = stored
    graph.add(_weight(name, tuple(array.shape), stored.dtype.name, False, value, step.place))
    if stored.dtype != array.dtype:
        arguments = (Argument("x", value), Argument("dtype", array.dtype.name))
        value = graph.value()
        graph.add(Call("ops.cast", None, arguments, (value,), "", step.place))
    graph.constants[id(array)] = (array, value)
    return value


def _needed(graph: Graph) -> list[Call]:
    wanted, found = set(graph.outputs), []
    for call in reversed(graph.calls):
        if not wanted.isdisjoint(call.outputs):
            found.append(call)
            wanted.update(call.inputs)
    return found[::-1]


def scopes_of(graph: Graph) -> dict[Call, tuple[str, ...]]:
    """Return the scope of each call.

    What depends on no input lies where it is used; what several scopes use and no layer of theirs computes lies
    around them.
    """
    scopes = {call: scope_of(call.place) for call in graph.calls}
    makers = {value: call for call in graph.calls for value in call.outputs}
    users: dict[Call, list[Call]] = {call: [] for call in graph.calls}
    for call in graph.calls:
        for value in call.inputs:
            if value in makers:
                users[makers[value]].append(call)
    free = set()
    for call in graph.calls:
        if all(makers.get(value) in free for value in call.inputs) and call.layer in ("", *graph.arrays):
            free.add(call)
    for call in reversed(graph.calls):
        if call in free and users[call]:
            scopes[call] = _common(scopes[user] for user in users[call])
    for call in graph.calls:
        around = _common([scopes[call], *(scopes[user] for user in users[call])])
        if len(around) < len(scopes[call]) and not call.layer:
            inner = scopes[call][: len(around) + 1]
            own = (scopes[makers[value]] for value in call.inputs if value in makers)
            if not any(scope[: len(inner)] == inner for scope in own):
                scopes[call] = around
    return scopes


def _common(scopes: Any) -> tuple[str, ...]:
    columns = itertools.takewhile(lambda parts: len(set(parts)) == 1, zip(*scopes, strict=False))
    return tuple(parts[0] for parts in columns)
