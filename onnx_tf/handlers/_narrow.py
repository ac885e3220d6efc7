"""Numbers of less than 16 bits as TensorFlow computes them: see :mod:`onnx_tf.dtypes`."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
import tensorflow as tf

from onnx_tf.dtypes import is_carried
from onnx_tf.handlers._ranks import select

FLOAT8E8M0_NAN = 255


def is_bits(dtype: ir.DataType) -> bool:
    """Return whether tensors of a dtype are carried as the bits of their elements, not as values."""
    return is_carried(dtype) and dtype.is_floating_point()


def is_narrow_integer(dtype: ir.DataType) -> bool:
    """Return whether tensors of a dtype are carried as 8-bit integers of the same value."""
    return is_carried(dtype) and not dtype.is_floating_point()


def decode(bits: tf.Tensor, dtype: ir.DataType, out: tf.DType = tf.float32) -> tf.Tensor:
    """Return the values of narrow floats as float32 (exact), or as another floating-point dtype."""
    table = tf.constant(_values(dtype), tf.float64 if out == tf.float64 else tf.float32)
    return tf.cast(tf.gather(table, tf.cast(bits, tf.int32)), out)


def encode(x: tf.Tensor, dtype: ir.DataType, *, saturate: bool = True, round_mode: str = "up") -> tf.Tensor:
    """Return the bits of the narrow floats nearest to numbers (ties to even).

    Args:
        x: floating-point or integer numbers.
        dtype: the narrow floating-point dtype.
        saturate: whether numbers out of range become the largest finite one; otherwise they become
            infinity or NaN, whichever the dtype has.
        round_mode: ``"up"``, ``"down"`` or ``"nearest"``, for float8e8m0 only.
    """
    if x.dtype not in (tf.float32, tf.float64):
        x = tf.cast(x, tf.float32 if x.dtype in (tf.float16, tf.bfloat16) else tf.float64)
    if dtype is ir.DataType.FLOAT8E8M0:
        return _encode_power_of_two(tf.cast(x, tf.float64), saturate, round_mode)
    form = _form(dtype)
    magnitude = tf.abs(x)
    midpoints = tf.constant((form.magnitudes[:-1] + form.magnitudes[1:]) / 2, x.dtype)
    below, reached = _count(midpoints, magnitude, "left"), _count(midpoints, magnitude, "right")
    code = select(below == reached, below, below + below % 2)
    code = select(code > form.largest, form.largest if saturate else form.overflow, code)
    code = select(tf.math.is_nan(x), form.nan, code)
    sign = tf.cast(tf.bitcast(x, tf.int64 if x.dtype == tf.float64 else tf.int32) < 0, tf.int32) * form.sign
    if not form.has_negative_zero:  # the bits of minus zero stand for NaN
        sign = select((code == 0) | (code == form.nan), 0, sign)
    return tf.cast(code | sign, tf.uint8)


def wrap(x: tf.Tensor, dtype: ir.DataType) -> tf.Tensor:
    """Return integers with all but the lowest bits of a narrow integer dtype discarded."""
    bits = dtype.bitwidth
    low = tf.bitwise.bitwise_and(tf.cast(x, tf.int32), (1 << bits) - 1)
    if dtype.is_signed():
        half = 1 << (bits - 1)
        return tf.cast(tf.bitwise.bitwise_xor(low, half) - half, tf.int8)
    return tf.cast(low, tf.uint8)


@dataclass(frozen=True)
class _Form:
    """A narrow floating-point format.

    Attributes:
        magnitudes: the finite values from zero up, by code, and the next one if the format went on.
        largest: the code of the largest finite value.
        overflow: the code of infinity, or else of NaN.
        nan: the code of NaN, of minus zero where the format has no NaN.
        sign: the sign bit.
        has_negative_zero: whether the sign bit alone is minus zero, not NaN.
    """

    magnitudes: np.ndarray
    largest: int
    overflow: int
    nan: int
    sign: int
    has_negative_zero: bool


@functools.cache
def _form(dtype: ir.DataType) -> _Form:
    sign = 1 << (dtype.bitwidth - 1)
    values = _values(dtype)
    finite = values[:sign][np.isfinite(values[:sign])]
    with np.errstate(invalid="ignore"):
        special = np.array([np.nan, np.inf], np.float32).astype(dtype.numpy()).view(np.uint8)
    return _Form(
        magnitudes=np.append(finite, 2 * finite[-1] - finite[-2]),
        largest=len(finite) - 1,
        overflow=int(special[1]),
        nan=int(special[0]),
        sign=sign,
        has_negative_zero=not np.isnan(values[sign]),
    )


@functools.cache
def _values(dtype: ir.DataType) -> np.ndarray:
    return np.arange(1 << dtype.bitwidth, dtype=np.uint8).view(dtype.numpy()).astype(np.float64)


def _encode_power_of_two(x: tf.Tensor, saturate: bool, round_mode: str) -> tf.Tensor:
    """Return the bits of the float8e8m0 numbers, powers of two, of float64 numbers."""
    powers = _values(ir.DataType.FLOAT8E8M0)[:FLOAT8E8M0_NAN]
    magnitude = tf.abs(x)
    if round_mode == "up":
        code = _count(tf.constant(powers), magnitude, "left")
    elif round_mode == "down":
        code = _count(tf.constant(powers), magnitude, "right") - 1
    elif round_mode == "nearest":
        code = _count(tf.constant(powers * 1.5), magnitude, "right")
    else:
        raise ValueError(f"round_mode is {round_mode!r}: 'up', 'down' or 'nearest' is expected")
    if saturate:
        code = tf.clip_by_value(code, 0, FLOAT8E8M0_NAN - 1)
    else:
        code = select((magnitude < powers[0]) | (code >= FLOAT8E8M0_NAN), FLOAT8E8M0_NAN, code)
    return tf.cast(select(tf.math.is_nan(x), FLOAT8E8M0_NAN, code), tf.uint8)


def _count(boundaries: tf.Tensor, x: tf.Tensor, side: str) -> tf.Tensor:
    """Return how many of the ascending boundaries are below x, and with "right" also equal to it."""
    return tf.reshape(tf.searchsorted(boundaries, tf.reshape(x, [-1]), side), tf.shape(x))
