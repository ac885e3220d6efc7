"""Elementwise arithmetic."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.registry import onnx_op, register_table

register_table(
    {
        "Abs": tf.abs,
        "Exp": tf.exp,
        "Identity": tf.identity,
        "Neg": tf.negative,
        "Relu": tf.nn.relu,
        "Sigmoid": tf.sigmoid,
        "Sqrt": tf.sqrt,
        "Tanh": tf.tanh,
    }
)
register_table({"Add": tf.add, "Mul": tf.multiply, "Sub": tf.subtract}, since=7)


@onnx_op("LeakyRelu")
def leaky_relu(x, *, alpha):
    return tf.where(x < 0, x * tf.cast(alpha, x.dtype), x)
