"""Find tensors' elements in a constant table, without a stateful TensorFlow hash table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from onnx_tf.handlers._ranks import select

HASH_RANGE = (1 << 63) - 1

MAX_COMPARED_KEYS = 64
"""Up to so many keys an element is compared with each."""


def index_in(
    x: tf.Tensor, keys: Sequence[Any] | np.ndarray, *, of_duplicates: Literal["first", "last"] = "first"
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return where each element stands in the keys (int64) and whether it is there at all.

    Binary search on sorted numbers, or on the fingerprints of strings: a string's neighbours in
    that order are then compared as strings, so that the answer is exact. NaN equals NaN.

    Args:
        x: a tensor of any shape.
        keys: strings if ``x`` holds strings, else numbers that the dtype of ``x`` can hold.
        of_duplicates: which of several equal keys counts.
    """
    if x.dtype == tf.string:
        table = np.array([key if isinstance(key, bytes) else str(key).encode() for key in keys], object)
    else:
        table = np.asarray(keys).astype(x.dtype.as_numpy_dtype)
    if table.size == 0:
        return tf.zeros(tf.shape(x), tf.int64), tf.zeros(tf.shape(x), tf.bool)
    distinct, positions = _distinct(table, of_duplicates)
    flat = tf.reshape(x, [-1])
    if x.dtype == tf.string:
        found_at, found = _search_strings(flat, distinct)
    else:
        found_at, found = _search_numbers(flat, distinct)
    index = tf.gather(tf.constant(positions, tf.int64), found_at)
    shape = tf.shape(x)
    index, found = tf.reshape(index, shape), tf.reshape(found, shape)
    index.set_shape(x.shape)
    found.set_shape(x.shape)
    return index, found


def look_up(x: tf.Tensor, keys: Any, values: Any, default: Any, dtype: tf.DType, **options: Any) -> tf.Tensor:
    """Return the value at each element's place among the keys, or the default."""
    index, found = index_in(x, keys, **options)
    if len(values) == 0:
        return tf.fill(tf.shape(x), tf.constant(default, dtype))
    return select(found, tf.gather(tf.constant(values, dtype), index), tf.constant(default, dtype))


def _distinct(table: np.ndarray, of_duplicates: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the different elements of a 1-D table and their positions in it."""
    order = range(len(table)) if of_duplicates == "first" else range(len(table) - 1, -1, -1)
    chosen: dict[Any, int] = {}
    for position in order:
        key = table[position]
        # NaN is not equal to itself: one key stands for all of them.
        chosen.setdefault(key if key == key else "nan", position)
    positions = np.array(list(chosen.values()), np.int64)
    return table[positions], positions


def _search_numbers(x: tf.Tensor, keys: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
    """Return for each element of a vector its position in the keys, and whether it is there."""
    is_nan = keys != keys
    order = np.argsort(keys, kind="stable")[: len(keys) - int(is_nan.sum())]
    index = tf.zeros(tf.shape(x), tf.int64)
    found = tf.zeros(tf.shape(x), tf.bool)
    if order.size:
        wide = {2: tf.float32} if x.dtype.is_floating else {1: tf.int32, 2: tf.int32}
        y = tf.cast(x, wide.get(x.dtype.size, x.dtype))
        ordered = tf.constant(keys[order], y.dtype)
        at = tf.minimum(_first_not_below(ordered, y), len(order) - 1)
        index = tf.gather(tf.constant(order, tf.int64), at)
        found = tf.gather(ordered, at) == y
    if is_nan.any():
        missing = tf.math.is_nan(x)
        index = select(missing, tf.constant(np.flatnonzero(is_nan)[0], tf.int64), index)
        found = found | missing
    return index, found


def _first_not_below(ordered: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Return for each element of a vector where the first of the ordered keys stands that is not below it."""
    if ordered.shape[0] > MAX_COMPARED_KEYS:
        return tf.searchsorted(ordered, x)
    # LiteRT has no binary search, and of few keys it is no faster than to compare them all.
    return tf.reduce_sum(tf.cast(ordered < x[:, tf.newaxis], tf.int32), 1)


def _search_strings(x: tf.Tensor, keys: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
    """Return for each string of a vector its position in the keys, and whether it is there."""
    if len(keys) <= MAX_COMPARED_KEYS:  # LiteRT compares strings, and has no fingerprints
        equal = tf.reshape(x, [-1, 1]) == tf.constant(keys[np.newaxis], tf.string)
        return tf.argmax(tf.cast(equal, tf.int32), 1), tf.reduce_any(equal, 1)
    # Fingerprints are computed while tracing: they are the same wherever the graph runs.
    with tf.init_scope():
        hashes = tf.strings.to_hash_bucket_fast(tf.constant(keys, tf.string), HASH_RANGE).numpy()
    order = np.argsort(hashes, kind="stable")
    at = tf.searchsorted(tf.constant(hashes[order]), tf.strings.to_hash_bucket_fast(x, HASH_RANGE))
    index = tf.zeros(tf.shape(x), tf.int64)
    found = tf.zeros(tf.shape(x), tf.bool)
    _, counts = np.unique(hashes, return_counts=True)
    for step in range(counts.max()):  # 1, unless two keys share a 63-bit fingerprint
        candidate = tf.gather(tf.constant(order, tf.int64), tf.minimum(at + step, len(order) - 1))
        match = tf.gather(tf.constant(keys, tf.string), candidate) == x
        index = select(match, candidate, index)
        found = found | match
    return index, found
