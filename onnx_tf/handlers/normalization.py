"""Normalization over batch, instance, group or layer."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers._layout import channels_last_op, to_channels_last
from onnx_tf.handlers._tensors import computed_in, rank_of


@channels_last_op("BatchNormalization")
def batch_normalization_1(x, scale, b, mean, var, *, epsilon, is_test, momentum, spatial, context):
    return _batch_normalization(x, scale, b, mean, var, epsilon, momentum, context, spatial, training=not is_test)


@channels_last_op("BatchNormalization", since=7)
def batch_normalization_7(x, scale, b, mean, var, *, epsilon, momentum, spatial, context):
    return _batch_normalization(x, scale, b, mean, var, epsilon, momentum, context, spatial)


@channels_last_op("BatchNormalization", since=9)
def batch_normalization_9(x, scale, b, mean, var, *, epsilon, momentum, context):
    return _batch_normalization(x, scale, b, mean, var, epsilon, momentum, context)


@channels_last_op("BatchNormalization", since=14)
def batch_normalization_14(x, scale, b, mean, var, *, epsilon, momentum, training_mode):
    if not training_mode:
        return _normalized(x, scale, b, mean, var, epsilon)
    current_mean, current_var = _moments(x, list(range(rank_of(x) - 1)))
    running = (_running(mean, current_mean, momentum), _running(var, current_var, momentum))
    return _normalized(x, scale, b, current_mean, current_var, epsilon), *running


def _batch_normalization(x, scale, b, mean, var, epsilon, momentum, context, spatial=1, training=True):
    axes = list(range(rank_of(x) - 1)) if spatial else [0]
    if not spatial:
        scale, b, mean, var = (to_channels_last(t[tf.newaxis])[0] for t in (scale, b, mean, var))
    # Before opset 14 a node trains where its statistics are wanted.
    if not training or not any(context.outputs[1:]):
        return _normalized(x, scale, b, mean, var, epsilon)
    saved_mean, saved_var = _moments(x, axes)
    running = (_running(mean, saved_mean, momentum), _running(var, saved_var, momentum))
    return _normalized(x, scale, b, saved_mean, saved_var, epsilon), *running, saved_mean, saved_var


def _normalized(x, scale, b, mean, var, epsilon):
    if x.shape.rank == 4 and all(t.dtype == tf.float32 and t.shape.rank == 1 for t in (x, scale, b, mean, var)):
        return tf.raw_ops.FusedBatchNormV3(
            x=x, scale=scale, offset=b, mean=mean, variance=var, epsilon=epsilon, is_training=False
        )[0]
    wide = tf.float64 if x.dtype == tf.float64 else tf.float32
    scale, b, mean, var = (tf.cast(t, wide) for t in (scale, b, mean, var))
    factor = scale * tf.math.rsqrt(var + epsilon)
    return tf.cast((tf.cast(x, wide) - mean) * factor + b, x.dtype)


def _moments(x, axes):
    wide = tf.float64 if x.dtype == tf.float64 else tf.float32
    return tf.nn.moments(tf.cast(x, wide), axes)


def _running(old, current, momentum):
    return computed_in(current.dtype, lambda a, c: a * momentum + c * (1 - momentum), old, current)
