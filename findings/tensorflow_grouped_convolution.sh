#!/bin/sh
# TensorFlow 2.21.0 on a CPU, without oneDNN (TF_ENABLE_ONEDNN_OPTS=0, and the default on processors without VNNI).
#
# tf.nn.conv2d takes filters for groups of channels, and computes them op by op. In a tf.function with a bias behind it
# the same call is an error, as grappler merges both into a kernel that knows no groups; and it has no gradient. Seen:
#     op by op (1, 4, 4, 8)
#     traced: Fused conv implementation does not support grouped convolutions for now.
#     gradient: Gradients for grouped convolutions are not supported on CPU. [...]
# Exits with 0 while this is so.
set -eu
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install -q tensorflow==2.21.0
TF_ENABLE_ONEDNN_OPTS=0 TF_CPP_MIN_LOG_LEVEL=3 "$venv/bin/python" - <<'PYTHON'
import tensorflow as tf

x, filters, bias = tf.ones([1, 4, 4, 8]), tf.ones([3, 3, 4, 8]), tf.ones([8])


def convolved(x):
    return tf.nn.bias_add(tf.nn.conv2d(x, filters, 1, "SAME"), bias)


def failure(function):
    try:
        function()
    except tf.errors.OpError as error:
        return str(error)
    return ""


def gradient():
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = convolved(x)
    return tape.gradient(y, x)


print("op by op", convolved(x).shape)
found = {"traced": failure(lambda: tf.function(convolved, autograph=False)(x)), "gradient": failure(gradient)}
for name, message in found.items():
    told = [line for line in message.splitlines() if "grouped convolutions" in line]
    print(f"{name}: {told[0][-300:] if told else message or 'no error'}")
raise SystemExit(not all("grouped convolutions" in message for message in found.values()))
PYTHON
