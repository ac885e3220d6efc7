"""Losses of classifiers."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers._tensors import HALVES, permutation_to_last, rank_of
from onnx_tf.registry import onnx_op


@onnx_op("NegativeLogLikelihoodLoss", since=12)
def negative_log_likelihood_loss(log_probabilities, target, weight=None, *, ignore_index, reduction):
    return _loss(log_probabilities, target, weight, ignore_index, reduction)


@onnx_op("SoftmaxCrossEntropyLoss", since=12)
def softmax_cross_entropy_loss(scores, target, weight=None, *, ignore_index, reduction):
    wide = tf.cast(scores, tf.float32) if scores.dtype in HALVES else scores
    log_probabilities = tf.cast(tf.nn.log_softmax(wide, axis=1), scores.dtype)
    return _loss(log_probabilities, target, weight, ignore_index, reduction), log_probabilities


def _loss(log_probabilities, target, weight, ignore_index, reduction):
    classes_last = tf.transpose(log_probabilities, permutation_to_last(1, rank_of(log_probabilities)))
    if classes_last.dtype in HALVES:
        classes_last = tf.cast(classes_last, tf.float32)
    is_kept = tf.ones_like(target, tf.bool) if ignore_index is None else target != ignore_index
    # An ignored target need not be a class at all.
    target = tf.where(is_kept, target, tf.zeros_like(target))
    scale = tf.cast(is_kept, classes_last.dtype)
    if weight is not None:
        scale *= tf.gather(tf.cast(weight, scale.dtype), target)
    chosen = tf.gather(classes_last, target, batch_dims=rank_of(target))
    loss = tf.where(is_kept, -chosen * scale, tf.zeros_like(scale))
    if reduction == "sum":
        loss = tf.reduce_sum(loss)
    elif reduction == "mean":
        loss = tf.reduce_sum(loss) / tf.reduce_sum(scale)
    return tf.cast(loss, log_probabilities.dtype)
