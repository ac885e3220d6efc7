"""Operators that make a tensor from attributes, a shape or bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from onnx_tf.dtypes import carried, to_tf
from onnx_tf.handlers._attributes import given
from onnx_tf.handlers._tensors import dims_of, exact_quotient, scalar, static_value, vector
from onnx_tf.registry import onnx_op


@onnx_op("Constant")
def constant_1(*, value: np.ndarray) -> tf.Tensor:
    return tf.constant(carried(value))


@onnx_op("Constant", since=11)
def constant_11(*, value: np.ndarray | None, sparse_value: np.ndarray | None) -> tf.Tensor:
    (present,) = given(value=value if sparse_value is None else sparse_value)
    return tf.constant(carried(present))


@onnx_op("Constant", since=12)
def constant_12(
    *,
    value: np.ndarray | None,
    sparse_value: np.ndarray | None,
    value_float: float | None,
    value_floats: Sequence[float] | None,
    value_int: int | None,
    value_ints: Sequence[int] | None,
    value_string: str | None,
    value_strings: Sequence[str] | None,
) -> tf.Tensor:
    dtypes: dict[tf.DType, tuple[Any, Any]] = {
        tf.float32: (value_float, value_floats),
        tf.int64: (value_int, value_ints),
        tf.string: (value_string, value_strings),
    }
    for dtype, (one, several) in dtypes.items():
        if one is not None:
            return tf.constant(one, dtype)
        if several is not None:
            return tf.constant(several, dtype, shape=[len(several)])
    return constant_11(value=value, sparse_value=sparse_value)


@onnx_op("ConstantOfShape", since=9)
def constant_of_shape(shape: tf.Tensor, *, value: np.ndarray | None) -> tf.Tensor:
    return tf.fill(
        vector(shape, "input"), tf.constant(0.0) if value is None else tf.reshape(tf.constant(carried(value)), [])
    )


@onnx_op("EyeLike", since=9)
def eye_like(x: tf.Tensor, *, dtype: int | None, k: int) -> tf.Tensor:
    rows, columns = dims_of(x)
    on_diagonal = tf.range(columns, dtype=tf.int64) == tf.range(rows, dtype=tf.int64)[:, None] + k
    return tf.cast(on_diagonal, x.dtype if dtype is None else to_tf(dtype))


@onnx_op("Range", since=11)
def range_11(start: tf.Tensor, limit: tf.Tensor, delta: tf.Tensor) -> tf.Tensor:
    return _range(start, limit, delta, start.dtype)


@onnx_op("Range", since=27)
def range_27(start: tf.Tensor, limit: tf.Tensor, delta: tf.Tensor, *, stash_type: int) -> tf.Tensor:
    is_stashed = start.dtype in (tf.float16, tf.bfloat16)
    return _range(start, limit, delta, to_tf(stash_type) if is_stashed else start.dtype)


def _range(start: tf.Tensor, limit: float, delta: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Return the range between scalars, counted in ``dtype``, in the dtype of its start."""
    first, last, step = [tf.cast(scalar(bound), dtype) for bound in (start, limit, delta)]
    if not dtype.is_integer:
        # TensorFlow adds the step up; ONNX multiplies, which rounds differently.
        count = tf.cast(tf.maximum(tf.math.ceil(exact_quotient(last - first, step)), 0), tf.int64)
        return tf.cast(first + tf.cast(tf.range(count), dtype) * step, start.dtype)
    if dtype not in (tf.int32, tf.int64):
        return tf.cast(_range(start, limit, delta, tf.int64), start.dtype)
    known = static_value(step)
    # A range in the wrong direction is empty in ONNX, and an error in TensorFlow.
    if known is None:
        last = tf.where(step > 0, tf.maximum(first, last), tf.minimum(first, last))
    else:
        last = tf.maximum(first, last) if known > 0 else tf.minimum(first, last)
    return tf.range(first, last, step)
