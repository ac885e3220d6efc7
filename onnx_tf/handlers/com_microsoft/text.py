"""Text operators of ONNX Runtime."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers._tensors import as_shape, dims_of
from onnx_tf.registry import onnx_op

BREAK, END = "\x1e", "\x1f"
"""Control characters that mark where tokens begin and end; texts do not hold them."""
START_MARK, END_MARK = "\x02", "\x03"


@onnx_op("Tokenizer", domain="com.microsoft")
def tokenizer(x, *, mark, mincharnum, pad_value, separators=None, tokenexp=None):
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
    return tf.reshape(padded, as_shape([*dims_of(x), tf.shape(padded)[1]]))


def _matches(text: tf.Tensor, expression: str) -> tf.RaggedTensor:
    marked = tf.strings.regex_replace(text, f"({expression})", rf"{BREAK}\1{END}")
    # What stands between the end of a match and the next one, and before the first, goes.
    joined = tf.strings.regex_replace(marked, f"(^|{END})[^{BREAK}{END}]*({BREAK}|$)", BREAK)
    return tf.strings.split(joined, BREAK)
