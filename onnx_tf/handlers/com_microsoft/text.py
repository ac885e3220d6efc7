"""Text operators of ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from onnx_tf.handlers._tensors import dims_of, reshaped
from onnx_tf.registry import onnx_op

BREAK, END = "\x1e", "\x1f"
"""Control characters that mark where tokens begin and end; texts do not hold them."""
START_MARK, END_MARK = "\x02", "\x03"


@onnx_op("Tokenizer", domain="com.microsoft")
def tokenizer(
    x: tf.Tensor,
    *,
    mark: int,
    mincharnum: int,
    pad_value: str,
    separators: Sequence[str] | None = None,
    tokenexp: str | None = None,
) -> tf.Tensor:
    """Tokens are matches of ``tokenexp``, or what the separators leave, or single characters."""
    flat = tf.reshape(x, [-1])
    if tokenexp:
        tokens = _matches(flat, tokenexp)
    elif not separators:
        raise ValueError("either separators or tokenexp must be set")
    elif tuple(separators) == ("",):
        tokens = tf.strings.unicode_split(flat, "UTF-8")
    else:
        text = flat
        for separator in separators:
            text = tf.strings.regex_replace(text, separator, BREAK)
        tokens = tf.strings.split(text, BREAK)
    long_enough = tf.strings.length(tokens, unit="UTF8_CHAR") >= max(1, mincharnum)
    tokens = tf.ragged.boolean_mask(tokens, long_enough)
    if mark:
        # A batch without any token has no marks either.
        some = tf.cast(tf.size(tokens.flat_values) > 0, tf.int32)
        fence = tf.fill([tf.shape(flat)[0], some], START_MARK), tf.fill([tf.shape(flat)[0], some], END_MARK)
        tokens = tf.concat([fence[0], tokens, fence[1]], 1)
    padded = tokens.to_tensor(default_value=pad_value)
    return reshaped(padded, [*dims_of(x), tf.shape(padded)[1]])


def _matches(text: tf.Tensor, expression: str) -> tf.RaggedTensor:
    """Return for each text of a vector the matches of an expression."""
    marked = tf.strings.regex_replace(text, f"({expression})", rf"{BREAK}\1{END}")
    # What stands between the end of a match and the next one, and before the first, goes.
    joined = tf.strings.regex_replace(marked, f"(^|{END})[^{BREAK}{END}]*({BREAK}|$)", BREAK)
    return tf.strings.split(joined, BREAK)


@onnx_op("MurmurHash3", domain="com.microsoft")
def murmur_hash_3(x: tf.Tensor, *, positive: int = 1, seed: int = 0) -> tf.Tensor:
    """Compute MurmurHash3_x86_32 by Austin Appleby, of the bytes of each string or number."""
    flat = tf.reshape(x, [-1])
    if x.dtype == tf.string:
        lengths = tf.cast(tf.strings.length(flat), tf.int64)
        longest = tf.reduce_max(tf.concat([lengths, [1]], 0))
        # What is missing of the last word reads as zeros, as the algorithm wants.
        data = tf.io.decode_raw(flat, tf.uint8, fixed_length=tf.cast(-(-longest // 4) * 4, tf.int32))
        words = tf.reshape(tf.cast(data, tf.int64), tf.stack([tf.shape(flat)[0], -1, 4]))
        words = tf.reduce_sum(words * tf.constant([1, 1 << 8, 1 << 16, 1 << 24], tf.int64), -1)
    else:
        words = tf.reshape(tf.cast(tf.bitcast(flat, tf.uint32), tf.int64), [-1, x.dtype.size // 4])
        lengths = tf.fill(tf.shape(flat), tf.constant(x.dtype.size, tf.int64))

    def step(index: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        word = _low(_rotated(_low(words[:, index] * 0xCC9E2D51), 15) * 0x1B873593)
        mixed = tf.bitwise.bitwise_xor(state, word)
        whole = tf.cast(index, tf.int64) < lengths // 4
        last = tf.cast(index, tf.int64) == lengths // 4
        following = _low(_rotated(mixed, 13) * 5 + 0xE6546B64)
        return index + 1, tf.where(whole, following, tf.where(last, mixed, state))

    start = tf.fill(tf.shape(flat), tf.constant(seed & 0xFFFFFFFF, tf.int64))
    _, state = tf.while_loop(lambda index, _: index < tf.shape(words)[1], step, (0, start))
    state = tf.bitwise.bitwise_xor(state, lengths)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        state = _low(tf.bitwise.bitwise_xor(state, tf.bitwise.right_shift(state, shift)) * factor)
    state = tf.bitwise.bitwise_xor(state, tf.bitwise.right_shift(state, 16))
    hashes = tf.cast(state, tf.uint32)
    return reshaped(hashes if positive else tf.bitcast(hashes, tf.int32), dims_of(x))


def _low(x: tf.Tensor) -> tf.Tensor:
    """Return the lower 32 bits of 64."""
    return tf.bitwise.bitwise_and(x, 0xFFFFFFFF)


def _rotated(x: tf.Tensor, bits: int) -> tf.Tensor:
    """Return 32 bits rotated to the left."""
    return tf.bitwise.bitwise_or(_low(tf.bitwise.left_shift(x, bits)), tf.bitwise.right_shift(x, 32 - bits))
