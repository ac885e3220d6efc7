"""Normalization for LiteRT: its own operator for neighbours, and none that computes statistics."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers import normalization
from onnx_tf.handlers._combined import MAX_WRITTEN_OUT
from onnx_tf.handlers._layout import channels_last_op
from onnx_tf.handlers._tensors import rank_of
from onnx_tf.handlers.group_normalization import by_sums, register_group_normalization

register_group_normalization(by_sums, target="litert")


@channels_last_op("LRN", target="litert")
def lrn(x: tf.Tensor, *, alpha: float, beta: float, bias: float, size: int) -> tf.Tensor:
    below, _ = normalization.neighbours(x, size)
    if size % 2 and rank_of(x) == 4 and x.dtype == tf.float32 and below <= MAX_WRITTEN_OUT:
        return tf.nn.local_response_normalization(x, below, bias, alpha / size, beta)
    return normalization.lrn(x, alpha=alpha, beta=beta, bias=bias, size=size)
