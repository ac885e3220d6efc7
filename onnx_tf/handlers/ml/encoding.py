"""Categories and labels to numbers and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from onnx_tf.handlers._attributes import given
from onnx_tf.handlers._lookup import index_in, look_up
from onnx_tf.registry import onnx_op

DOMAIN = "ai.onnx.ml"


@onnx_op("CategoryMapper", domain=DOMAIN)
def category_mapper(
    x: tf.Tensor,
    *,
    cats_int64s: Sequence[int] | None,
    cats_strings: Sequence[str] | None,
    default_int64: int,
    default_string: str,
) -> tf.Tensor:
    if x.dtype == tf.string:
        return look_up(x, cats_strings, cats_int64s, default_int64, tf.int64, of_duplicates="last")
    return look_up(x, cats_int64s, cats_strings, default_string, tf.string, of_duplicates="last")


@onnx_op("LabelEncoder", domain=DOMAIN)
def label_encoder_1(
    x: tf.Tensor, *, classes_strings: Sequence[str] | None, default_int64: int, default_string: str
) -> tf.Tensor:
    (classes_strings,) = given(classes_strings=classes_strings)
    numbers = range(len(classes_strings))
    if x.dtype == tf.string:
        return look_up(x, classes_strings, list(numbers), default_int64, tf.int64, of_duplicates="last")
    return look_up(x, np.array(numbers, np.int64), classes_strings, default_string, tf.string)


@onnx_op("LabelEncoder", since=2, domain=DOMAIN)
def label_encoder_2(
    x: tf.Tensor,
    *,
    keys_floats: Sequence[float] | None,
    keys_int64s: Sequence[int] | None,
    keys_strings: Sequence[str] | None,
    values_floats: Sequence[float] | None,
    values_int64s: Sequence[int] | None,
    values_strings: Sequence[str] | None,
    default_float: float,
    default_int64: int,
    default_string: str,
) -> tf.Tensor:
    keys = _first_present(keys_strings, keys_int64s, keys_floats)
    if values_strings is not None:
        return look_up(x, keys, values_strings, default_string, tf.string)
    if values_int64s is not None:
        return look_up(x, keys, values_int64s, default_int64, tf.int64)
    return look_up(x, keys, _first_present(values_floats), default_float, tf.float32)


@onnx_op("LabelEncoder", since=4, domain=DOMAIN)
def label_encoder_4(
    x: tf.Tensor,
    *,
    keys_floats: Sequence[float] | None,
    keys_int64s: Sequence[int] | None,
    keys_strings: Sequence[str] | None,
    keys_tensor: np.ndarray | None,
    values_floats: Sequence[float] | None,
    values_int64s: Sequence[int] | None,
    values_strings: Sequence[str] | None,
    values_tensor: np.ndarray | None,
    default_float: float,
    default_int64: int,
    default_string: str,
    default_tensor: np.ndarray | None,
) -> tf.Tensor:
    if values_tensor is None:
        dtype = tf.string if values_strings is not None else tf.float32 if values_int64s is None else tf.int64
        values = _first_present(values_strings, values_int64s, values_floats)
    else:
        values, dtype = values_tensor.reshape(-1), tf.as_dtype(values_tensor.dtype)
    keys = _first_present(keys_strings, keys_int64s, keys_floats, keys_tensor)
    if default_tensor is not None:
        default = default_tensor.reshape(-1)[0]
    elif dtype == tf.string:
        default = default_string
    else:
        default = default_float if dtype.is_floating else default_int64
    return look_up(x, np.reshape(keys, -1), values, default, dtype)


@onnx_op("OneHotEncoder", domain=DOMAIN)
def one_hot_encoder(
    x: tf.Tensor, *, cats_int64s: Sequence[int] | None, cats_strings: Sequence[str] | None, zeros: int
) -> tf.Tensor:
    if x.dtype == tf.string:
        categories = _first_present(cats_strings)
    else:
        categories, x = _first_present(cats_int64s), tf.cast(x, tf.int64)
    index, found = index_in(x, categories, of_duplicates="last")
    if not zeros:
        tf.debugging.Assert(tf.reduce_all(found), ["an input of OneHotEncoder is none of its categories", x])
    return tf.one_hot(tf.where(found, index, -1), len(categories), dtype=tf.float32)


def _first_present(*tables: Sequence[Any] | np.ndarray | None) -> Sequence[Any] | np.ndarray:
    """Return the first table that the node has."""
    for table in tables:
        if table is not None:
            return table
    raise ValueError("the table of keys or values is missing: one of the attributes must be set")
