"""Scores of classifiers and regressors: post-transforms, labels, and rows of features.

The formulas are those of ONNX Runtime; the standard does not state them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

POST_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
"""The transforms in the order in which ai.onnx.ml 5 numbers them."""


def as_rows(x: tf.Tensor, dtype: tf.DType | None = None) -> tf.Tensor:
    """Return features as [N, F]; a 1-D tensor is one row."""
    x = x if dtype is None else tf.cast(x, dtype)
    if x.shape.rank not in (1, 2):
        raise ValueError(f"features must be a tensor of rank 1 or 2, got rank {x.shape.rank}")
    return x[tf.newaxis] if x.shape.rank == 1 else x


def transformed(scores: tf.Tensor, name: str) -> tf.Tensor:
    """Apply a post-transform to each row of scores.

    Raises:
        ValueError: there is no such transform.
    """
    if name not in POST_TRANSFORMS:
        raise ValueError(f"post_transform is one of {', '.join(POST_TRANSFORMS)}, got {name!r}")
    if name == "SOFTMAX":
        return tf.nn.softmax(scores)
    if name == "LOGISTIC":
        return tf.sigmoid(scores)
    if name == "SOFTMAX_ZERO":
        return _softmax_zero(scores)
    return probit(scores) if name == "PROBIT" else scores


def probit(p: tf.Tensor) -> tf.Tensor:
    """Return the quantile of the normal distribution, by Winitzki's approximation of erfinv."""
    x = 2 * p - 1
    log = tf.math.log((1 - x) * (1 + x))
    half = 2 / (np.float32(3.14159) * np.float32(0.147)) + 0.5 * log
    root = tf.sqrt(tf.sqrt(half * half - log / 0.147) - half)
    return 1.41421356 * tf.where(x < 0, -root, root)


def with_second_class(score: tf.Tensor, transform: str, *, complement: bool) -> tf.Tensor:
    """Return the scores of two classes, [N, 2], from that of the second, [N, 1].

    Args:
        score: the score of the positive class.
        transform: the node's post-transform; the softmaxes have no effect.
        complement: whether the first score is 1 - score, else it is -score.
    """
    if transform == "PROBIT":
        return tf.concat([probit(score), tf.zeros_like(score)], 1)
    if transform == "LOGISTIC":
        return tf.sigmoid(tf.concat([-score, score], 1))
    return tf.concat([1 - score if complement else -score, score], 1)


def labels_of(strings: Sequence[str] | None, integers: Sequence[int] | None) -> tf.Tensor:
    """Return the class labels, string or int64.

    Raises:
        ValueError: there are none.
    """
    if strings:
        return tf.constant(list(strings), tf.string)
    if integers:
        return tf.constant(list(integers), tf.int64)
    raise ValueError("class labels are missing: give them as strings or as integers")


def default_binary_labels(labels: tf.Tensor) -> tf.Tensor:
    """Return the labels of a yes-or-no answer where the classes have no two names."""
    return tf.constant(["0", "1"] if labels.dtype == tf.string else [0, 1], labels.dtype)


def first_argmax(scores: tf.Tensor) -> tf.Tensor:
    """Return the index of each row's largest score; of equal ones the first, NaN never wins."""
    return tf.argmax(tf.where(tf.math.is_nan(scores), scores.dtype.min, scores), axis=1)


def _softmax_zero(scores: tf.Tensor) -> tf.Tensor:
    """Return the softmax of each row [N, classes]; scores of 0 take no part in the sum."""
    largest = tf.reduce_max(scores, axis=1, keepdims=True)
    is_zero = tf.abs(scores) <= 1e-7
    exponentials = tf.exp(scores - largest)
    total = tf.reduce_sum(tf.where(is_zero, tf.zeros_like(scores), exponentials), axis=1, keepdims=True)
    return tf.where(is_zero, scores * tf.exp(-largest), exponentials) / total
