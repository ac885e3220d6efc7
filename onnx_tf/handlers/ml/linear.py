"""Linear classifiers and regressors."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from onnx_tf.handlers.ml._scores import (
    as_rows,
    first_argmax,
    labels_of,
    transformed,
    with_second_class,
)
from onnx_tf.registry import onnx_op

DOMAIN = "ai.onnx.ml"


@onnx_op("LinearClassifier", domain=DOMAIN)
def linear_classifier(
    x: tf.Tensor,
    *,
    coefficients: Sequence[float],
    intercepts: Sequence[float] | None,
    classlabels_ints: Sequence[int] | None,
    classlabels_strings: Sequence[str] | None,
    multi_class: int,
    post_transform: str,
) -> tuple[tf.Tensor, tf.Tensor]:
    labels = labels_of(classlabels_strings, classlabels_ints)
    x = as_rows(x, tf.float32)
    scores = _affine(x, coefficients, intercepts, len(intercepts or ()) or _rows(coefficients, x))
    if scores.shape[1] > 1:
        return tf.gather(labels, first_argmax(scores)), transformed(scores, post_transform)
    if labels.shape[0] != 2:
        raise ValueError(f"one score tells two classes apart, got {labels.shape[0]} class labels")
    return tf.where(scores[:, 0] > 0, labels[1], labels[0]), with_second_class(scores, post_transform, complement=True)


@onnx_op("LinearRegressor", domain=DOMAIN)
def linear_regressor(
    x: tf.Tensor,
    *,
    coefficients: Sequence[float] | None,
    intercepts: Sequence[float] | None,
    targets: int,
    post_transform: str,
) -> tf.Tensor:
    x = as_rows(x, tf.float32)
    scores = _affine(x, coefficients, intercepts if len(intercepts or ()) == targets else None, targets)
    return transformed(scores, post_transform if targets > 1 or post_transform == "PROBIT" else "NONE")


def _affine(
    x: tf.Tensor, coefficients: Sequence[float] | None, intercepts: Sequence[float] | None, count: int
) -> tf.Tensor:
    """Return the scores [N, count] of rows [N, F]."""
    if not coefficients:
        raise ValueError("coefficients are missing")
    weights = tf.reshape(tf.constant(coefficients, tf.float32), [count, -1])
    scores = tf.matmul(x, weights, transpose_b=True)
    return scores if not intercepts else scores + tf.constant(intercepts, tf.float32)


def _rows(coefficients: Sequence[float], x: tf.Tensor) -> int:
    """Return how many rows of as many coefficients as features there are."""
    if x.shape[1] is None:
        raise ValueError("without intercepts the number of features must be known: state it in the input's shape")
    return len(coefficients) // x.shape[1]
