"""Operators that rescale, select and replace features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from onnx_tf.handlers._tensors import shaped
from onnx_tf.handlers.ml._scores import as_rows
from onnx_tf.registry import onnx_op

DOMAIN = "ai.onnx.ml"


@onnx_op("ArrayFeatureExtractor", domain=DOMAIN)
def array_feature_extractor(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    selected = tf.gather(x, tf.reshape(y, [-1]), axis=-1)
    return selected[tf.newaxis] if x.shape.rank == 1 else selected


@onnx_op("Binarizer", domain=DOMAIN)
def binarizer(x: tf.Tensor, *, threshold: float) -> tf.Tensor:
    limit = np.float32(threshold)
    # An integer passes a fractional threshold when it passes its floor, and floor is exact.
    limit = tf.constant(limit if x.dtype.is_floating else np.floor(limit), x.dtype)
    return tf.cast(x > limit, x.dtype)


@onnx_op("FeatureVectorizer", domain=DOMAIN)
def feature_vectorizer(*inputs: tf.Tensor, inputdimensions: Sequence[int] | None) -> tf.Tensor:
    rows = [_flat_rows(x) for x in inputs]
    widths = inputdimensions or [row.shape[1] for row in rows]
    return tf.concat([_to_width(row, width) for row, width in zip(rows, widths, strict=True)], axis=1)


@onnx_op("Imputer", domain=DOMAIN)
def imputer(
    x: tf.Tensor,
    *,
    imputed_value_floats: Sequence[float] | None,
    imputed_value_int64s: Sequence[int] | None,
    replaced_value_float: float,
    replaced_value_int64: int,
) -> tf.Tensor:
    if x.dtype.is_floating:
        imputed, replaced = imputed_value_floats, replaced_value_float
    else:
        imputed, replaced = imputed_value_int64s, replaced_value_int64
    if not imputed:
        raise ValueError(f"an imputed value for {x.dtype.name} is missing")
    is_replaced = tf.math.is_nan(x) if replaced != replaced else x == tf.constant(replaced, x.dtype)
    # One value per feature, or the first for all.
    values = imputed if x.shape[-1] in (None, len(imputed)) else imputed[:1]
    return tf.where(is_replaced, tf.constant(values, x.dtype), x)


@onnx_op("Normalizer", domain=DOMAIN)
def normalizer(x: tf.Tensor, *, norm: str) -> tf.Tensor:
    y = tf.cast(x, tf.float32)
    if norm == "MAX":
        divisor = tf.reduce_max(y, axis=-1, keepdims=True)
    elif norm == "L1":
        divisor = tf.reduce_sum(tf.abs(y), axis=-1, keepdims=True)
    elif norm == "L2":
        squares = tf.cast(x * x, tf.float32)
        total = tf.reduce_sum(squares, axis=-1, keepdims=True)
        root = tf.sqrt(tf.math.divide_no_nan(squares, total))
        return tf.where(total == 0, y, tf.where(y < 0, -root, root))
    else:
        raise ValueError(f"norm is one of MAX, L1, L2, got {norm!r}")
    return tf.where(divisor == 0, y, y / tf.where(divisor == 0, tf.ones_like(divisor), divisor))


@onnx_op("Scaler", domain=DOMAIN)
def scaler(x: tf.Tensor, *, scale: Sequence[float] | None, offset: Sequence[float] | None) -> tf.Tensor:
    x = x if x.dtype.is_floating else tf.cast(x, tf.float32)
    shifted = x if not offset else x - tf.constant(offset, x.dtype)
    return tf.cast(shifted if not scale else shifted * tf.constant(scale, x.dtype), tf.float32)


def _flat_rows(x: tf.Tensor) -> tf.Tensor:
    """Return features of any rank as float32 [N, F]."""
    x = tf.cast(x, tf.float32)
    if x.shape.rank in (1, 2):
        return as_rows(x)
    width = int(np.prod(x.shape[1:].as_list()))
    return tf.reshape(x, [-1, width])


def _to_width(rows: tf.Tensor, width: int) -> tf.Tensor:
    """Return rows [N, F] cut or filled with zeros to a width."""
    rows = rows[:, :width]
    if rows.shape[1] == width:
        return rows
    missing = width - tf.shape(rows)[1]
    padded = tf.pad(rows, [[0, 0], [0, missing]])
    return shaped(padded, [None, width])
