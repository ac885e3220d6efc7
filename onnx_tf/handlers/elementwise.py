"""Elementwise arithmetic."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from onnx_tf.handlers._barrier import kept
from onnx_tf.handlers._broadcasting import register_binary
from onnx_tf.handlers._cast import onnx_dtype
from onnx_tf.handlers._narrow import decode, is_bits
from onnx_tf.handlers._ranks import broadcasting, select
from onnx_tf.handlers._tensors import computed_in, exact_quotient, static_value, widened
from onnx_tf.registry import BARRIER_DOMAIN, NodeContext, onnx_op, register_table


def _absolute(x: tf.Tensor) -> tf.Tensor:
    return x if x.dtype.is_unsigned else tf.abs(x)


def _sign(x: tf.Tensor) -> tf.Tensor:
    return tf.cast(x != 0, x.dtype) if x.dtype.is_unsigned else tf.sign(x)


def _erf(x: tf.Tensor) -> tf.Tensor:
    if x.dtype.is_integer:
        return computed_in(tf.float64, _erf, x)
    # In float64 TensorFlow's erf(inf) is NaN; erf(6) is 1.
    return tf.math.erf(tf.clip_by_value(x, -6, 6) if x.dtype == tf.float64 else x)


def _divide(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    if a.dtype.is_integer:
        return tf.truncatediv(a, b)
    divisor = static_value(b)
    if divisor is not None and divisor.all() and not _are_powers_of_two(divisor):
        return exact_quotient(a, b)
    return tf.realdiv(a, b)


def _are_powers_of_two(array: np.ndarray) -> bool:
    return bool((abs(np.frexp(array.astype(np.float64))[0]) == 0.5).all())


def power(x: tf.Tensor, exponent: tf.Tensor) -> tf.Tensor:
    """Return the power in the dtype of the base, whatever that of the exponent."""
    if x.dtype.is_integer and exponent.dtype.is_integer:
        return _integer_power(x, tf.cast(exponent, x.dtype))
    if x.dtype.is_integer:
        return computed_in(tf.float64, tf.pow, x, exponent)
    if static_value(exponent) is None and exponent.dtype in (tf.int32, tf.int64, tf.uint32, tf.uint64):
        return computed_in(tf.float64, tf.pow, x, exponent)
    return tf.pow(x, tf.cast(exponent, x.dtype))


def _integer_power(x: tf.Tensor, exponent: tf.Tensor) -> tf.Tensor:
    """Return the power of integers; of a negative exponent what its fraction is cut to."""
    value = static_value(exponent)
    if value is not None and (value >= 0).all():
        return tf.pow(x, exponent)
    one = tf.ones([], x.dtype)
    sign = select(tf.bitwise.bitwise_and(exponent, one) == 1, x, one)
    fraction = select(tf.abs(x) == one, sign, tf.zeros([], x.dtype))
    return select(exponent < 0, fraction, tf.pow(x, tf.maximum(exponent, 0)))


register_table(
    {
        "Abs": _absolute,
        "Ceil": tf.math.ceil,
        "Exp": tf.exp,
        "Floor": tf.math.floor,
        "Log": tf.math.log,
        "Neg": tf.negative,
        "Reciprocal": tf.math.reciprocal,
        "Sigmoid": tf.sigmoid,
        "Sqrt": tf.sqrt,
        "Tanh": tf.tanh,
    }
)
register_table(
    {"Acos": tf.acos, "Asin": tf.asin, "Atan": tf.atan, "Cos": tf.cos, "Sin": tf.sin, "Tan": tf.tan},
    since=7,
)
register_table(
    {
        "Acosh": tf.acosh,
        "Asinh": tf.asinh,
        "Atanh": tf.atanh,
        "Cosh": tf.cosh,
        "Erf": _erf,
        "Sign": _sign,
        "Sinh": tf.sinh,
    },
    since=9,
)
register_table({"Round": tf.round}, since=11)
register_binary(
    {
        "Add": tf.add,
        "Sub": tf.subtract,
        "Mul": tf.multiply,
        "Div": _divide,
        "Pow": power,
    }
)


@onnx_op("Identity")
def identity(x: Any) -> Any:
    return tf.identity(x) if isinstance(x, tf.Tensor | tf.Variable) else x


@onnx_op("Barrier", domain=BARRIER_DOMAIN)
def barrier(x: tf.Tensor, *, variables_only: int, context: NodeContext) -> tf.Tensor:
    return x if variables_only and context.frozen else kept(x)


def _folded(function: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    return lambda *inputs: functools.reduce(function, inputs)


@onnx_op("Max")
def maximum(*inputs: tf.Tensor) -> tf.Tensor:
    return broadcasting(_folded(tf.maximum))(*inputs)


@onnx_op("Min")
def minimum(*inputs: tf.Tensor) -> tf.Tensor:
    return broadcasting(_folded(tf.minimum))(*inputs)


@onnx_op("Sum")
def total(*inputs: tf.Tensor) -> tf.Tensor:
    return widened(broadcasting(_folded(tf.add)), *inputs)


@onnx_op("Mean")
def mean(*inputs: tf.Tensor) -> tf.Tensor:
    return widened(lambda *wide: broadcasting(_folded(tf.add))(*wide) / len(wide), *inputs)


@onnx_op("Clip")
def clip_1(x: tf.Tensor, *, min: float | None, max: float | None) -> tf.Tensor:  # noqa: A002
    return _clip(x, min, max)


@onnx_op("Clip", since=11)
def clip_11(x: tf.Tensor, low: tf.Tensor | None = None, high: tf.Tensor | None = None) -> tf.Tensor:
    return _clip(x, low, high)


def _clip(x: tf.Tensor, low: float | tf.Tensor | None, high: float | tf.Tensor | None) -> tf.Tensor:
    """Return x between two bounds; an absent one bounds nothing."""
    bounds = [None if bound is None else static_value(bound) for bound in (low, high)]
    if x.dtype in (tf.float32, tf.bfloat16) and bounds == [0, 6]:
        return tf.nn.relu6(x)
    low = x.dtype.min if low is None else tf.cast(low, x.dtype)
    high = x.dtype.max if high is None else tf.cast(high, x.dtype)
    return tf.minimum(tf.maximum(x, low), high)


@onnx_op("IsNaN", since=9)
def is_nan(x: tf.Tensor, *, context: NodeContext) -> tf.Tensor:
    return tf.math.is_nan(_floats(x, context))


@onnx_op("IsInf", since=10)
def is_inf(x: tf.Tensor, *, detect_negative: int, detect_positive: int, context: NodeContext) -> tf.Tensor:
    x = _floats(x, context)
    if detect_negative and detect_positive:
        return tf.math.is_inf(x)
    if not detect_negative and not detect_positive:
        return tf.zeros_like(x, tf.bool)
    return tf.equal(x, tf.constant(float("inf" if detect_positive else "-inf"), x.dtype))


def _floats(x: tf.Tensor, context: NodeContext) -> tf.Tensor:
    """Return the values of a float tensor of any width."""
    dtype = onnx_dtype(x, context, 0)
    return decode(x, dtype) if is_bits(dtype) else x


@onnx_op("Mod", since=10)
def mod(a: tf.Tensor, b: tf.Tensor, *, fmod: int) -> tf.Tensor:
    return broadcasting(functools.partial(_mod, fmod=fmod))(a, b)


def _mod(a: tf.Tensor, b: tf.Tensor, fmod: int) -> tf.Tensor:
    if not fmod:
        return tf.math.floormod(a, b)
    if a.dtype.is_unsigned:
        return tf.math.floormod(a, b)
    if a.dtype in (tf.int8, tf.int16):
        return computed_in(tf.int32, tf.truncatemod, a, b)
    return widened(_truncated_mod, a, b) if a.dtype.is_floating else tf.truncatemod(a, b)


def _truncated_mod(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Return the remainder with the sign of the dividend; TensorFlow's own has no gradient."""
    magnitude = tf.math.floormod(tf.abs(a), tf.abs(b))
    return select(a < 0, -magnitude, magnitude)


@onnx_op("BitShift", since=11)
def bit_shift(x: tf.Tensor, amount: tf.Tensor, *, direction: str) -> tf.Tensor:
    """Shift by any amount; TensorFlow's own shifts clamp it to the width of the dtype."""
    return broadcasting(functools.partial(_shifted, direction=direction))(x, amount)


def _shifted(x: tf.Tensor, amount: tf.Tensor, direction: str) -> tf.Tensor:
    shift = {"LEFT": tf.bitwise.left_shift, "RIGHT": tf.bitwise.right_shift}[direction]
    bits = x.dtype.size * 8
    inside = (amount >= 0) & (amount < bits) if not x.dtype.is_unsigned else amount < bits
    outside = select(x < 0, -1, 0) if direction == "RIGHT" and not x.dtype.is_unsigned else 0
    safe = select(inside, amount, tf.zeros_like(amount))
    return select(inside, shift(x, safe), tf.cast(outside, x.dtype))


register_table(
    {
        "BitwiseAnd": broadcasting(tf.bitwise.bitwise_and),
        "BitwiseNot": tf.bitwise.invert,
        "BitwiseOr": broadcasting(tf.bitwise.bitwise_or),
        "BitwiseXor": broadcasting(tf.bitwise.bitwise_xor),
    },
    since=18,
)
