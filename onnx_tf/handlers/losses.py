"""Losses of classifiers."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers._ranks import select
from onnx_tf.handlers._tensors import dims_of, product, rank_of, reshaped, widened
from onnx_tf.registry import onnx_op


@onnx_op("NegativeLogLikelihoodLoss", since=12)
def negative_log_likelihood_loss(
    log_probabilities: tf.Tensor,
    target: tf.Tensor,
    weight: tf.Tensor | None = None,
    *,
    ignore_index: int | None,
    reduction: str,
) -> tf.Tensor:
    return _loss(log_probabilities, target, weight, ignore_index, reduction)


@onnx_op("SoftmaxCrossEntropyLoss", since=12)
def softmax_cross_entropy_loss(
    scores: tf.Tensor, target: tf.Tensor, weight: tf.Tensor | None = None, *, ignore_index: int | None, reduction: str
) -> tuple[tf.Tensor, tf.Tensor]:
    flat = widened(lambda wide: tf.nn.log_softmax(wide, axis=1), _flat(scores))
    log_probabilities = reshaped(flat, dims_of(scores))
    return _loss(log_probabilities, target, weight, ignore_index, reduction), log_probabilities


def _flat(scores: tf.Tensor) -> tf.Tensor:
    """Return N, C, d... as N, C, all else: LiteRT transposes few axes."""
    batch, classes, *rest = dims_of(scores)
    return reshaped(scores, [batch, classes, product(rest)])


def _loss(
    log_probabilities: tf.Tensor, target: tf.Tensor, weight: tf.Tensor | None, ignore_index: int | None, reduction: str
) -> tf.Tensor:
    """Return the loss of log-probabilities N, C, d... for targets N, d..., weighted by class."""

    def loss(log_probabilities: tf.Tensor, weight: tf.Tensor | None) -> tf.Tensor:
        batch, classes, *rest = dims_of(log_probabilities)
        classes_last = reshaped(tf.transpose(_flat(log_probabilities), [0, 2, 1]), [batch, *rest, classes])
        is_kept = tf.ones_like(target, tf.bool) if ignore_index is None else target != ignore_index
        # An ignored target need not be a class at all.
        named = select(is_kept, target, tf.zeros_like(target))
        scale = tf.cast(is_kept, classes_last.dtype)
        if weight is not None:
            scale *= tf.gather(weight, named)
        chosen = tf.gather(classes_last, named, batch_dims=rank_of(target))
        each = select(is_kept, -chosen * scale, tf.zeros_like(scale))
        if reduction == "none":
            return each
        return tf.reduce_sum(each) / tf.reduce_sum(scale) if reduction == "mean" else tf.reduce_sum(each)

    return widened(loss, log_probabilities, weight)
