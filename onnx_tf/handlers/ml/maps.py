"""Maps to tensors and tensors to maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from onnx_tf.handlers._lookup import index_in
from onnx_tf.handlers.ml._scores import as_rows, labels_of
from onnx_tf.registry import onnx_op
from onnx_tf.values import Map, MapSequence

DOMAIN = "ai.onnx.ml"


@onnx_op("ZipMap", domain=DOMAIN)
def zip_map(
    x: tf.Tensor, *, classlabels_int64s: Sequence[int] | None, classlabels_strings: Sequence[str] | None
) -> MapSequence:
    keys = labels_of(classlabels_strings, classlabels_int64s)
    rows = as_rows(x)
    if rows.shape[1] not in (None, keys.shape[0]):
        raise ValueError(f"{keys.shape[0]} keys for {rows.shape[1]} columns: there must be one key per column")
    return MapSequence(keys, rows)


@onnx_op("CastMap", domain=DOMAIN)
def cast_map(x: Map, *, cast_to: str, map_form: str, max_map: int) -> tf.Tensor:
    _check_is_map(x)
    dtypes = {"TO_FLOAT": tf.float32, "TO_INT64": tf.int64, "TO_STRING": tf.string}
    if cast_to not in dtypes:
        raise ValueError(f"cast_to is one of {', '.join(dtypes)}, got {cast_to!r}")
    dtype = dtypes[cast_to]
    order = tf.argsort(x.keys)
    keys, values = tf.gather(x.keys, order), _cast(tf.gather(x.values, order), dtype)
    if map_form == "DENSE":
        return values[tf.newaxis]
    if map_form != "SPARSE":
        raise ValueError(f"map_form is DENSE or SPARSE, got {map_form!r}")
    # One slot more takes what lies beyond the form: ONNX drops it.
    slots = tf.where(keys < max_map, keys, max_map)
    absent = tf.fill([max_map + 1], tf.constant("0.f" if dtype == tf.string else 0, dtype))
    return tf.tensor_scatter_nd_update(absent, slots[:, tf.newaxis], values)[tf.newaxis, :max_map]


@onnx_op("DictVectorizer", domain=DOMAIN)
def dict_vectorizer(
    x: Map, *, int64_vocabulary: Sequence[int] | None, string_vocabulary: Sequence[str] | None
) -> tf.Tensor:
    _check_is_map(x)
    keys = string_vocabulary or int64_vocabulary or ()
    vocabulary = labels_of(string_vocabulary, int64_vocabulary)
    if x.keys.dtype != vocabulary.dtype:
        raise ValueError(f"the map has {x.keys.dtype.name} keys, the vocabulary is {vocabulary.dtype.name}")
    size = int(vocabulary.shape[0])
    # A vocabulary may name a key twice, a map cannot: its keys are looked up, not its slots.
    first, _ = index_in(vocabulary, keys)
    at, known = index_in(x.keys, keys)
    slots = tf.where(known, at, size)
    zero = tf.constant("" if x.values.dtype == tf.string else 0, x.values.dtype)
    row = tf.tensor_scatter_nd_update(tf.fill([size + 1], zero), slots[:, tf.newaxis], x.values)
    return tf.gather(row, first)[tf.newaxis]


def _check_is_map(x: Any) -> None:
    if not isinstance(x, Map):
        raise ValueError("the input must be a map: state its type in the model's input as map(key type, value type)")


def _cast(values: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Return the values of a map in another dtype, numbers as strings of six decimals."""
    if values.dtype == dtype:
        return values
    if values.dtype == tf.string:
        return tf.strings.to_number(values, dtype)
    return tf.strings.as_string(values, precision=6) if dtype == tf.string else tf.cast(values, dtype)
