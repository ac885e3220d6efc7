"""String operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from onnx_tf.handlers._lookup import index_in
from onnx_tf.handlers._ranks import broadcasting
from onnx_tf.handlers._tensors import dims_of, reshaped
from onnx_tf.registry import NodeContext, onnx_op

ASCII_LOCALES = ("C", "POSIX")
"""Locales in which only ASCII letters have another case."""


Grams: TypeAlias = "dict[tuple[Any, ...], int]"
"""N-grams of strings or integers, and the number of each."""


@onnx_op("RegexFullMatch", since=20)
def regex_full_match(x: tf.Tensor, *, pattern: str | None) -> tf.Tensor:
    return tf.strings.regex_full_match(x, pattern)


@onnx_op("StringConcat", since=20)
def string_concat(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    return broadcasting(lambda x, y: tf.raw_ops.Add(x=x, y=y))(x, y)  # tf.strings.join does not broadcast


@onnx_op("StringNormalizer", since=10)
def string_normalizer(
    x: tf.Tensor,
    *,
    case_change_action: str,
    is_case_sensitive: int,
    locale: str | None,
    stopwords: Sequence[str] | None,
) -> tf.Tensor:
    """Limits: the locale C changes the case of ASCII letters only, any other that of all letters alike."""
    encoding = "" if locale in ASCII_LOCALES else "utf-8"
    if case_change_action not in ("LOWER", "UPPER", "NONE"):
        raise ValueError(f"case_change_action is LOWER, UPPER or NONE, got {case_change_action!r}")
    if x.shape.rank not in (1, 2) or (x.shape.rank == 2 and x.shape[0] not in (1, None)):
        raise ValueError(f"the shape must be [C] or [1, C], got {x.shape}")
    words = tf.reshape(x, [-1])
    change = {"LOWER": tf.strings.lower, "UPPER": tf.strings.upper}.get(case_change_action)
    cased = words if change is None else change(words, encoding=encoding)
    if not stopwords:
        return tf.reshape(cased, tf.shape(x))
    compared, excluded = words, tf.constant(stopwords)
    if not is_case_sensitive:
        fold = tf.strings.upper if case_change_action == "UPPER" else tf.strings.lower
        compared, excluded = fold(words, encoding=encoding), fold(excluded, encoding=encoding)
    dropped = tf.reduce_any(compared[:, tf.newaxis] == excluded, axis=1)
    kept = tf.boolean_mask(cased, ~dropped)
    # Without any word left the result is one empty string.
    kept = tf.concat([kept, tf.fill([tf.cast(tf.size(kept) == 0, tf.int32)], "")], 0)
    return kept if x.shape.rank == 1 else kept[tf.newaxis]


@onnx_op("StringSplit", since=20)
def string_split(x: tf.Tensor, *, delimiter: str | None, maxsplit: int | None) -> tuple[tf.Tensor, tf.Tensor]:
    flat = tf.reshape(x, [-1])
    pieces = tf.strings.split(flat, delimiter or None, maxsplit=-1 if maxsplit is None else maxsplit)
    if delimiter:
        # An empty string has no pieces in ONNX Runtime, and one in TensorFlow.
        is_piece = pieces.with_values(tf.repeat(flat != "", pieces.row_lengths()))
        pieces = tf.ragged.boolean_mask(pieces, is_piece)
    else:
        # TensorFlow may add an empty rest when it stops at maxsplit.
        pieces = tf.ragged.boolean_mask(pieces, pieces != "")
    counts, dims = pieces.row_lengths(), dims_of(x)
    padded = pieces.to_tensor(default_value="")
    width = tf.shape(padded, out_type=tf.int64)[1]
    return reshaped(padded, [*dims, width]), reshaped(counts, dims)


@onnx_op("TfIdfVectorizer", since=9)
def tf_idf_vectorizer(
    x: tf.Tensor,
    *,
    max_gram_length: int,
    max_skip_count: int,
    min_gram_length: int,
    mode: str,
    ngram_counts: Sequence[int],
    ngram_indexes: Sequence[int],
    pool_int64s: Sequence[int] | None,
    pool_strings: Sequence[str] | None,
    weights: Sequence[float] | None,
    context: NodeContext,
) -> tf.Tensor:
    if mode not in ("TF", "IDF", "TFIDF"):
        raise ValueError(f"mode is TF, IDF or TFIDF, got {mode!r}")
    pool = pool_strings or pool_int64s
    if pool is None:
        raise ValueError("the pool of n-grams is missing: one of pool_strings and pool_int64s must be set")
    grams = _pooled_grams(pool, ngram_counts, min_gram_length, max_gram_length)
    rows = tf.reshape(x, [1, -1]) if x.shape.rank in (0, 1) else x
    width = max(ngram_indexes) + 1
    longest = max(map(len, grams), default=1)
    # Rows have no room for wider gaps, and single tokens have none.
    skips = max_skip_count if rows.shape[1] is None else min(max_skip_count, rows.shape[1])
    skips = skips if longest > 1 else 0
    context.budget.write_out((skips + 1) * longest)
    count = _gram_counts(rows, grams, ngram_indexes, skips, longest, width)
    if mode == "IDF":
        count = tf.cast(count > 0, tf.float32)
    if mode != "TF" and weights:
        of_columns = np.zeros(width, np.float32)
        of_columns[list(ngram_indexes)] = weights
        count *= of_columns
    return count[0] if x.shape.rank in (0, 1) else count


def _pooled_grams(pool: Sequence[str] | Sequence[int], starts: Sequence[int], shortest: int, longest: int) -> Grams:
    """Return the n-grams of the wanted lengths, as tuples, with their numbers in the pool."""
    grams, number = {}, 0
    for length, (start, end) in enumerate(zip(starts, [*starts[1:], len(pool)], strict=True), 1):
        for at in range(start, end, length):
            if shortest <= length <= longest:
                grams[tuple(pool[at : at + length])] = number
            number += 1
    return grams


def _gram_counts(
    rows: tf.Tensor, grams: Grams, columns: Sequence[int], max_skip_count: int, longest: int, width: int
) -> tf.Tensor:
    """Return how often each column's n-gram stands in each row, [N, width].

    A gram is found token by token: its prefix has a number, and prefix number and next token make
    the key of the longer prefix, so that all windows of all rows are looked up at once.
    """
    vocabulary = sorted({token for gram in grams for token in gram})
    token_number = {token: i for i, token in enumerate(vocabulary)}
    number, known = index_in(rows, vocabulary)
    tokens = tf.where(known, number, -1)
    prefixes = {length: _prefixes(grams, length, token_number) for length in range(1, longest + 1)}
    total = tf.zeros([tf.shape(rows)[0], width], tf.float32)
    for skip in range(1, max_skip_count + 2):
        found = tf.zeros(tf.shape(tokens)[:1], tf.int64)[:, tf.newaxis] + tf.zeros_like(tokens)
        for length in range(1, longest + 1):
            offset = (length - 1) * skip
            shifted = tokens[:, offset:]
            before = found[:, : tf.shape(shifted)[1]]
            keys, gram_of_prefix = prefixes[length]
            at, present = index_in(before * len(vocabulary) + shifted, keys)
            found = tf.where(present & (before >= 0) & (shifted >= 0), at, -1)
            if length == 1 and skip > 1:
                continue  # single tokens have no gaps: they count once
            total += _counted(found, gram_of_prefix, columns, width)
    return total


def _prefixes(grams: Grams, length: int, token_number: Mapping[Any, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the keys of all prefixes of a length, and the pooled gram of each (-1 for none)."""
    shorter = {prefix: i for i, prefix in enumerate(_distinct_prefixes(grams, length - 1))}
    prefixes = _distinct_prefixes(grams, length)
    keys = [shorter[prefix[:-1]] * len(token_number) + token_number[prefix[-1]] for prefix in prefixes]
    return np.array(keys, np.int64), np.array([grams.get(prefix, -1) for prefix in prefixes], np.int64)


def _distinct_prefixes(grams: Grams, length: int) -> list[tuple[Any, ...]]:
    """Return all beginnings of n-grams of a length, in order."""
    return sorted({gram[:length] for gram in grams if len(gram) >= length}) or ([()] if length == 0 else [])


def _counted(found: tf.Tensor, gram_of_prefix: np.ndarray, columns: Sequence[int], width: int) -> tf.Tensor:
    """Return for each row how often each column was found, [N, width], from prefix numbers [N, places]."""
    if not (gram_of_prefix >= 0).any():
        return tf.constant(0.0)
    column = np.where(gram_of_prefix >= 0, np.array(columns, np.int64)[gram_of_prefix], -1)
    hit = tf.where(found >= 0, tf.gather(tf.constant(column), tf.maximum(found, 0)), -1)
    row = tf.range(tf.shape(hit, out_type=tf.int64)[0])[:, tf.newaxis]
    rows = tf.shape(hit, out_type=tf.int64)[0]
    segments = tf.where(hit >= 0, row * width + hit, -1)  # negative segments are dropped
    ones = tf.ones(tf.shape(segments), tf.float32)
    return tf.reshape(tf.math.unsorted_segment_sum(ones, segments, rows * width), [rows, width])
