"""Conversion of tensors between any two ONNX dtypes."""

from __future__ import annotations

import onnx_ir as ir
import tensorflow as tf

from onnx_tf.dtypes import from_tf, to_tf
from onnx_tf.handlers._narrow import decode, encode, is_bits, is_narrow_integer, wrap
from onnx_tf.handlers._ranks import select
from onnx_tf.registry import NodeContext

WHOLE_NUMBER = r"\s*[+-]?[0-9]+\s*"


def onnx_dtype(tensor: tf.Tensor, context: NodeContext, index: int) -> ir.DataType:
    """Return the ONNX dtype of a node's input."""
    dtype = context.input_dtypes[index] if index < len(context.input_dtypes) else None
    return dtype if dtype is not None else from_tf(tensor.dtype)


def convert(
    x: tf.Tensor, source: ir.DataType, target: ir.DataType, *, saturate: bool = True, round_mode: str = "up"
) -> tf.Tensor:
    """Return a tensor of one ONNX dtype as another; see Cast for ``saturate`` and ``round_mode``."""
    if source == target:
        return tf.identity(x)
    if is_bits(source):
        x = decode(x, source, tf.float64 if target is ir.DataType.DOUBLE else tf.float32)
    if target is ir.DataType.STRING:
        return _to_string(x)
    if source is ir.DataType.STRING:
        x = _from_string(x, target)
    if is_bits(target):
        return encode(x, target, saturate=saturate, round_mode=round_mode)
    if is_narrow_integer(target):
        return wrap(_to_integer(x), target)
    return _to_number(x, to_tf(target))


def reinterpret(x: tf.Tensor, source: ir.DataType, target: ir.DataType) -> tf.Tensor:
    """Return the bits of a tensor as another ONNX dtype of the same width.

    Raises:
        ValueError: the widths differ.
    """
    if ir.DataType.STRING in (source, target) or source.bitwidth != target.bitwidth:
        raise ValueError(f"BitCast from {source.name} to {target.name}: dtypes of the same width are expected")
    if source is ir.DataType.BOOL:
        x = tf.cast(x, tf.uint8)
    if target is ir.DataType.BOOL:
        return tf.bitcast(x, tf.uint8) != 0
    if is_narrow_integer(target):
        return wrap(x, target)
    if is_narrow_integer(source):
        x = wrap(x, ir.DataType.UINT4 if source.bitwidth == 4 else ir.DataType.UINT2)
    return tf.bitcast(x, to_tf(target))


def _to_number(x: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    if dtype == tf.bool and x.dtype != tf.bool:
        return tf.not_equal(x, tf.zeros([], x.dtype))  # other readers of SavedModels know no Cast to bool
    if x.dtype.is_floating and dtype.is_integer and dtype not in (tf.int32, tf.int64, tf.uint64):
        x = _to_integer(x, tf.int64 if dtype == tf.uint32 else tf.int32)
    if x.dtype == tf.uint64 and dtype.is_integer:
        x = tf.bitcast(x, tf.int64)  # LiteRT casts no uint64
    if dtype == tf.uint64 and x.dtype.is_integer:
        return tf.bitcast(tf.cast(x, tf.int64), dtype)
    return tf.cast(x, dtype)


def _to_integer(x: tf.Tensor, dtype: tf.DType = tf.int32) -> tf.Tensor:
    # Through a wide integer, so that what does not fit loses its high bits on every platform.
    return tf.cast(x, dtype) if x.dtype.is_floating or x.dtype == tf.bool else x


def _to_string(x: tf.Tensor) -> tf.Tensor:
    if x.dtype == tf.bool:
        return tf.strings.as_string(tf.cast(x, tf.int32))
    if not x.dtype.is_floating:
        return tf.strings.as_string(x)
    if x.dtype != tf.float64:
        x = tf.cast(x, tf.float32)
    # ONNX Runtime writes eight significant digits, of double precision too.
    text = tf.strings.as_string(x, precision=8, shortest=True)
    text = select(tf.math.is_inf(x), select(x > 0, "INF", "-INF"), text)
    return select(tf.math.is_nan(x), "NaN", text)


def _from_string(x: tf.Tensor, target: ir.DataType) -> tf.Tensor:
    if target.is_floating_point():
        return tf.strings.to_number(x, tf.float64 if target is ir.DataType.DOUBLE else tf.float32)
    whole = tf.strings.regex_full_match(x, WHOLE_NUMBER)
    integer = tf.strings.to_number(select(whole, x, "0"), tf.int64)
    number = tf.strings.to_number(select(whole, "0", x), tf.float64)
    return select(whole, integer, tf.cast(number, tf.int64))
