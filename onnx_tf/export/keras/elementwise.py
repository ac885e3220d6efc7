"""Arithmetic, comparisons and logic: operations, and sums of tensors of one shape as a layer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
from keras import layers, ops

from onnx_tf.export.keras._place import DTYPES, Place, floats, is_constant, keras_op, keras_table
from onnx_tf.export.keras._sums import added
from onnx_tf.registry import BARRIER_DOMAIN

keras_table(
    {
        "Abs": ops.abs,
        "Acos": ops.arccos,
        "Acosh": ops.arccosh,
        "And": ops.logical_and,
        "Asin": ops.arcsin,
        "Asinh": ops.arcsinh,
        "Atan": ops.arctan,
        "Atanh": ops.arctanh,
        "BitwiseAnd": ops.bitwise_and,
        "BitwiseNot": ops.bitwise_not,
        "BitwiseOr": ops.bitwise_or,
        "BitwiseXor": ops.bitwise_xor,
        "Ceil": ops.ceil,
        "Cos": ops.cos,
        "Cosh": ops.cosh,
        "Equal": ops.equal,
        "Erf": ops.erf,
        "Exp": ops.exp,
        "Floor": ops.floor,
        "Greater": ops.greater,
        "GreaterOrEqual": ops.greater_equal,
        "IsNaN": ops.isnan,
        "Less": ops.less,
        "LessOrEqual": ops.less_equal,
        "Log": ops.log,
        "Neg": ops.negative,
        "Not": ops.logical_not,
        "Or": ops.logical_or,
        "Reciprocal": ops.reciprocal,
        "Round": ops.round,
        "Sign": ops.sign,
        "Sin": ops.sin,
        "Sinh": ops.sinh,
        "Sqrt": ops.sqrt,
        "Tan": ops.tan,
        "Xor": ops.logical_xor,
    }
)


@keras_op("Barrier", domain=BARRIER_DOMAIN)
def barrier(place: Place, x: Any, *, variables_only: int) -> Any:
    # TensorFlow merges nothing across the two, and takes neither away.
    return ops.squeeze(ops.expand_dims(x, axis=0), axis=0)


def merged_by_layer(place: Place, layer: Callable[..., Any], a: Any, b: Any) -> Any:
    """Return what a layer makes of two tensors of one shape; ``None`` where they are not that."""
    if is_constant(a) or is_constant(b) or len(a.shape) < 2 or len(a.shape) != len(b.shape) or not floats(a):
        return None
    is_one = None not in a.shape and a.shape == b.shape
    named = place.given[0] is not None and place.given[:1] == place.given[1:2]
    return place.layer(layer, a, b) if is_one or named else None


def _multiplied_by_layer(place: Place, a: Any, b: Any) -> Any:
    """Return what a layer makes of two tensors that broadcast; ``None`` where it would not."""
    if is_constant(a) or is_constant(b) or not 1 < len(a.shape) == len(b.shape) or not floats(a):
        return None
    first = {a.shape[0], b.shape[0]} - {None}
    return place.layer(layers.Multiply, a, b) if len(first) < 2 else None


@keras_op("Mul", since=7)
def mul(place: Place, a: Any, b: Any) -> Any:
    for x, factor in ((a, b), (b, a)):
        if is_number(x, factor):
            return place.layer(layers.Rescaling, x, scale=factor.item())
    merged = _multiplied_by_layer(place, a, b)
    return ops.multiply(place.operand(a), place.operand(b)) if merged is None else merged


@keras_op("Sub", since=7)
def sub(place: Place, a: Any, b: Any) -> Any:
    if is_number(a, b):
        return place.layer(layers.Rescaling, a, scale=1.0, offset=-b.item())
    merged = merged_by_layer(place, layers.Subtract, a, b)
    return ops.subtract(place.operand(a), place.operand(b)) if merged is None else merged


def is_number(x: Any, number: Any) -> bool:
    """Tell whether a tensor is combined with one finite number that leaves its shape."""
    if is_constant(x) or not is_constant(number) or number.size != 1 or number.ndim > len(x.shape):
        return False
    return floats(x) and len(x.shape) > 0 and bool(np.isfinite(number).all())


@keras_op("Add", since=7)
def add(place: Place, a: Any, b: Any) -> Any:
    for x, offset in ((a, b), (b, a)):
        if is_number(x, offset):
            return place.layer(layers.Rescaling, x, scale=1.0, offset=offset.item())
    merged = merged_by_layer(place, layers.Add, a, b)
    return added(place.operand(a), place.operand(b)) if merged is None else merged


@keras_op("Div", since=7)
def div(place: Place, a: Any, b: Any) -> Any:
    x, y = place.operand(a), place.operand(b)
    if floats(a):
        return ops.divide(x, y)
    # Integers are rounded towards zero.
    quotient = ops.floor_divide(ops.abs(x), ops.abs(y))
    return ops.multiply(quotient, ops.multiply(ops.sign(x), ops.sign(y)))


@keras_op("Pow", since=7)
def power(place: Place, a: Any, b: Any) -> Any:
    if is_constant(b) and b.size == 1 and b.ndim <= len(a.shape) and b.item() in (2, 0.5) and floats(a):
        return ops.square(a) if b.item() == 2 else ops.sqrt(a)
    x, y = place.operand(a), place.operand(b)
    return ops.cast(ops.power(x, y), str(a.dtype))


@keras_op("Mod", since=10)
def mod(place: Place, a: Any, b: Any, *, fmod: int) -> Any:
    x, y = place.operand(a), place.operand(b)
    if not fmod:
        return ops.mod(x, y)
    return ops.multiply(ops.sign(x), ops.mod(ops.abs(x), ops.abs(y)))


@keras_op("IsInf")
def is_inf(place: Place, x: Any, *, detect_negative: int, detect_positive: int) -> Any:
    if not detect_negative or not detect_positive:
        place.refuse("Keras tells infinities of both signs alone")
    return ops.isinf(x)


def _folded(function: Callable[..., Any]) -> Callable[..., Any]:
    def build(place: Place, *inputs: Any) -> Any:
        return functools.reduce(function, map(place.operand, inputs))

    return build


for _op_type, _function in (("Max", ops.maximum), ("Min", ops.minimum), ("Sum", added)):
    keras_op(_op_type, since=8)(_folded(_function))


@keras_op("Mean", since=8)
def mean(place: Place, *inputs: Any) -> Any:
    return ops.divide(functools.reduce(added, map(place.operand, inputs)), len(inputs))


@keras_op("Where")
def where(place: Place, condition: Any, x: Any, y: Any) -> Any:
    return ops.where(*map(place.operand, (condition, x, y)))


@keras_op("Identity")
def identity(place: Place, x: Any) -> Any:
    return x


@keras_op("Cast")
def cast(place: Place, x: Any, *, to: int, saturate: int | None, round_mode: str | None) -> Any:
    kind = ir.DataType(to)
    if kind not in DTYPES or (is_constant(x) and ir.DataType.from_numpy(x.dtype) not in DTYPES):
        place.refuse(f"Keras has no dtype {kind.name}")
    name = kind.numpy().name
    return x if not is_constant(x) and x.dtype == name else ops.cast(place.tensor(x), name)
