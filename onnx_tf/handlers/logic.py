"""Comparison, boolean operators and choice by condition."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers._broadcasting import register_binary
from onnx_tf.handlers._ranks import broadcasting, select
from onnx_tf.registry import register_table

register_binary(
    {
        "And": tf.logical_and,
        "Equal": tf.equal,
        "Greater": tf.greater,
        "Less": tf.less,
        "Or": tf.logical_or,
        "Xor": tf.math.logical_xor,
    }
)
register_table({"Not": tf.logical_not})
register_table({"Where": select}, since=9)
register_table({"GreaterOrEqual": broadcasting(tf.greater_equal), "LessOrEqual": broadcasting(tf.less_equal)}, since=12)
