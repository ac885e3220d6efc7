#!/bin/sh
# TensorFlow 2.21.0 with oneDNN (TF_ENABLE_ONEDNN_OPTS=1, the default on x86 processors with AVX512_VNNI).
#
# Convolution, bias, sum and LeakyRelu are merged into one _MklNativeFusedConv2D with fused_ops
# [BiasAdd, Add, LeakyRelu]; the slope is not handed on, so 0.2 is taken whatever the graph says.
# Convolution, bias, sum and Mish (x * tanh(softplus(x))) are merged into [BiasAdd, Add, Mish], for which
# there is no kernel. Both hold for Conv3D too. Seen:
#     leaky_relu(0.01) off by 2.48e-01 of the scale
#     mish: UnimplementedError ... Fusion is not implemented: [BiasAdd,Add,Mish]
# Exits with 0 while this is so.
set -eu
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install -q tensorflow==2.21.0
TF_ENABLE_ONEDNN_OPTS=1 TF_CPP_MIN_LOG_LEVEL=3 "$venv/bin/python" - <<'PYTHON'
import numpy as np
import tensorflow as tf

rng = np.random.default_rng(0)
x = tf.constant(rng.standard_normal([1, 7, 7, 8]), tf.float32)
filters = tf.constant(rng.standard_normal([3, 3, 8, 8]) / 8, tf.float32)
bias = tf.constant(rng.standard_normal([8]), tf.float32)


def block(after):
    return lambda x: after(tf.nn.bias_add(tf.nn.conv2d(x, filters, 1, "SAME"), bias) + tf.nn.relu(x))


def traced(function):
    return tf.function(function, autograph=False)(x)


leaky = block(lambda y: tf.nn.leaky_relu(y, 0.01))
expected = leaky(x).numpy()
error = abs(traced(leaky).numpy() - expected).max() / abs(expected).max()
print(f"leaky_relu(0.01) off by {error:.2e} of the scale")
try:
    traced(block(lambda y: y * tf.tanh(tf.nn.softplus(y))))
    message = "right"
except tf.errors.UnimplementedError as raised:
    message = "UnimplementedError " + str(raised)
print("mish:", message.split("\n")[0])
raise SystemExit(not (error > 1e-2 and "Fusion is not implemented" in message))
PYTHON
