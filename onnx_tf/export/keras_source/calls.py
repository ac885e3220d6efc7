"""The calls of a source, out of Keras's records of calls: of what, with which arguments, for which values."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from onnx_tf.errors import ExportError
from onnx_tf.export.keras.steps import Step

__all__ = ["INFIX", "Argument", "Call", "Value", "call_of_layer", "call_of_operation", "tensors_of"]

INFIX = {"ops.add": "+", "ops.subtract": "-", "ops.multiply": "*", "ops.divide": "/"}
"""Operations that have an operator in Python."""

SQUEEZED = ("kernel_size", "strides", "dilation_rate", "pool_size", "size", "padding", "cropping")
"""Arguments of which one number stands for the same one along each axis."""

OF_OTHERS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "strides": lambda known: known.get("pool_size"),
    "value_dim": lambda known: known["key_dim"],
    "attention_axes": lambda _: (1,),
}
"""Arguments without a default of their own: what they are where they are not given, by the others."""

LEFT_OUT = ("self", "args", "kwargs", "name", "dtype", "trainable", "seed", "data_format")


@dataclass(frozen=True)
class Value:
    """What a call gives and others take.

    Attributes:
        key: tells values apart: the ``id`` of a tensor or layer that the steps keep.
    """

    key: int


@dataclass(frozen=True)
class Argument:
    """One argument of a call.

    Attributes:
        name: the parameter's name, also where it is not written.
        value: a :class:`Value`, Python's own values and arrays, or tuples and lists of all of these.
        default: what it is where it is not given; ``inspect.Parameter.empty`` where it must be.
        positional: whether it is written without its name.
        spreads: whether it is a tuple that is written as several arguments.
    """

    name: str
    value: Any
    default: Any = inspect.Parameter.empty
    positional: bool = True
    spreads: bool = False


@dataclass(frozen=True, eq=False)
class Call:
    """A line of source: a layer made and called, or an operation called.

    Attributes:
        function: the layer's class or the operation, as in ``layers.Conv2D``; the value of a layer that is there.
        config: the arguments of the layer's class; ``None`` of an operation.
        operands: the arguments of the call.
        outputs: what it gives.
        layer: the layer's name; empty of an operation.
        place: the name of the ONNX node.
    """

    function: str | Value
    config: tuple[Argument, ...] | None
    operands: tuple[Argument, ...]
    outputs: tuple[Value, ...]
    layer: str
    place: str

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """All arguments."""
        return (*(self.config or ()), *self.operands)

    @property
    def inputs(self) -> list[Value]:
        """The values that it takes, in order."""
        again = [self.function] if isinstance(self.function, Value) else []
        return [*again, *(value for argument in self.arguments for value in tensors_of(argument.value))]


def tensors_of(value: Any) -> Iterator[Value]:
    """Yield the values in an argument, in order."""
    if isinstance(value, Value):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_of(item)


def call_of_layer(step: Step, config: tuple[Argument, ...] | None = None, function: str | Value = "") -> Call:
    """Return the call of a layer, which is also made there unless a value is it already."""
    layer = step.operation
    arguments = step.call.arguments
    given = [Argument("", _with_values(value)) for value in arguments.args]
    named = [
        Argument(key, _with_values(value), positional=False)
        for key, value in arguments.kwargs.items()
        if value is not None
    ]
    made = None if isinstance(function, Value) else layer_config(layer, _rank(step)) if config is None else config
    outputs = tuple(Value(id(tensor)) for tensor in step.outputs)
    name = "" if made is None else layer.name
    return Call(function or f"layers.{type(layer).__name__}", made, (*given, *named), outputs, name, step.place)


def _rank(step: Step) -> int | None:
    return len(step.inputs[0].shape) if step.inputs else None


def layer_config(layer: Any, rank: int | None) -> tuple[Argument, ...]:
    """Return the arguments of a layer's class, without initializers and without its name.

    Args:
        layer: the layer.
        rank: that of its first input.

    Raises:
        ExportError: one of them has no form in source.
    """
    known = layer.get_config()
    found = []
    for name, parameter in inspect.signature(type(layer).__init__).parameters.items():
        if name in LEFT_OUT or name.endswith("_initializer"):
            continue
        default, value = parameter.default, known.get(name, parameter.default)
        value, default = _plain(layer, name, value, rank), _plain(layer, name, default, rank)
        if default is None and name in OF_OTHERS:
            default = _plain(layer, name, OF_OTHERS[name](known), rank)
        positional = default is inspect.Parameter.empty and parameter.kind is not parameter.KEYWORD_ONLY
        found.append(Argument(name, value, default, positional))
    policy = layer.dtype_policy.name
    found.append(Argument("dtype", policy, "float32", False))
    found.append(Argument("trainable", bool(layer.trainable), True, False))
    return tuple(found)


def _plain(layer: Any, name: str, value: Any, rank: int | None) -> Any:
    """Return an argument of a layer as a person would write it."""
    if isinstance(value, dict):
        raise ExportError(f"layer {layer.name!r} has a {name} that has no form in source: {value.get('class_name')}")
    if name in ("activation", "recurrent_activation") and value == "linear":
        return None
    if name == "axis" and isinstance(value, (list, tuple)) and len(value) == 1:
        value = value[0]
    if name == "axis" and isinstance(value, int) and rank is not None and value == rank - 1:
        return -1
    if isinstance(value, (list, tuple)):
        value = tuple(_plain(layer, name, item, None) for item in value)
        if name in SQUEEZED and value and isinstance(value[0], int) and all(item == value[0] for item in value):
            return value[0]
    return value


def call_of_operation(step: Step) -> Call:
    """Return the call of a function of ``keras.ops``.

    Raises:
        ExportError: there is none.
    """
    operation, arguments = step.operation, step.call.arguments
    name = function_of(type(operation).__name__)
    given = [_with_values(value) for value in arguments.args]
    outputs = tuple(Value(id(tensor)) for tensor in step.outputs)
    if name == "get_item":
        return Call("[]", None, tuple(Argument("", value) for value in given), outputs, "", step.place)
    function = getattr(ops, name or "", None)
    if function is None:
        raise ExportError(f"node {step.place!r}: keras.ops has no function of {type(operation).__name__}")
    known = {key: _with_values(value) for key, value in {**_own(operation), **arguments.kwargs}.items()}
    found = []
    for key, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            found.append(Argument(key, tuple(given), spreads=True))
            given = []
        elif key in known:
            value = known.pop(key)
            value = value[0] if key == "axis" and isinstance(value, (tuple, list)) and len(value) == 1 else value
            found.append(Argument(key, value, parameter.default, parameter.default is parameter.empty))
        elif given:
            found.append(Argument(key, given.pop(0), parameter.default, True))
    if given:
        raise ExportError(f"node {step.place!r}: keras.ops.{name} takes fewer arguments than it was called with")
    return Call(f"ops.{name}", None, tuple(found), outputs, "", step.place)


def _own(operation: Any) -> Mapping[str, Any]:
    """Return the arguments with which an operation was made."""
    names = [n for n in inspect.signature(type(operation).__init__).parameters if n not in ("self", "name")]
    return {name: getattr(operation, name) for name in names if hasattr(operation, name)}


@functools.cache
def function_of(operation: str) -> str:
    """Return what ``keras.ops`` calls an operation, by the name of its class."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", operation).lower()


def _with_values(value: Any) -> Any:
    """Return an argument with a :class:`Value` for each tensor in it."""
    if isinstance(value, keras.KerasTensor):
        return Value(id(value))
    if isinstance(value, (tuple, list)):
        return type(value)(_with_values(item) for item in value)
    if isinstance(value, np.generic):
        return np.asarray(value)
    return np.asarray(ops.convert_to_numpy(value)) if ops.is_tensor(value) else value


def is_layer(step: Step) -> bool:
    """Tell whether a step calls a layer, no operation."""
    return isinstance(step.operation, layers.Layer)
