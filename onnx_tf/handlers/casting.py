"""Conversions between dtypes."""

from __future__ import annotations

import onnx_ir as ir
import tensorflow as tf

from onnx_tf.handlers._cast import convert, onnx_dtype, reinterpret
from onnx_tf.registry import NodeContext, onnx_op


@onnx_op("Cast")
def cast_1(x: tf.Tensor, *, to: str, context: NodeContext) -> tf.Tensor:
    return convert(x, onnx_dtype(x, context, 0), ir.DataType[to.upper()])


@onnx_op("Cast", since=6)
def cast_6(x: tf.Tensor, *, to: int, context: NodeContext) -> tf.Tensor:
    return convert(x, onnx_dtype(x, context, 0), ir.DataType(to))


@onnx_op("Cast", since=19)
def cast_19(x: tf.Tensor, *, to: int, saturate: int, context: NodeContext) -> tf.Tensor:
    return convert(x, onnx_dtype(x, context, 0), ir.DataType(to), saturate=bool(saturate))


@onnx_op("Cast", since=24)
def cast_24(x: tf.Tensor, *, to: int, saturate: int, round_mode: str, context: NodeContext) -> tf.Tensor:
    return convert(x, onnx_dtype(x, context, 0), ir.DataType(to), saturate=bool(saturate), round_mode=round_mode)


@onnx_op("CastLike", since=15)
def cast_like_15(x: tf.Tensor, like: tf.Tensor, *, context: NodeContext) -> tf.Tensor:
    return convert(x, onnx_dtype(x, context, 0), onnx_dtype(like, context, 1))


@onnx_op("CastLike", since=19)
def cast_like_19(x: tf.Tensor, like: tf.Tensor, *, saturate: int, context: NodeContext) -> tf.Tensor:
    return convert(x, onnx_dtype(x, context, 0), onnx_dtype(like, context, 1), saturate=bool(saturate))


@onnx_op("CastLike", since=24)
def cast_like_24(x: tf.Tensor, like: tf.Tensor, *, saturate: int, round_mode: str, context: NodeContext) -> tf.Tensor:
    source, target = onnx_dtype(x, context, 0), onnx_dtype(like, context, 1)
    return convert(x, source, target, saturate=bool(saturate), round_mode=round_mode)


@onnx_op("BitCast", since=26)
def bit_cast(x: tf.Tensor, *, to: int, context: NodeContext) -> tf.Tensor:
    return reinterpret(x, onnx_dtype(x, context, 0), ir.DataType(to))
