#!/bin/sh
# TensorFlow 2.21.0: where the crops of batch_to_space come through a Reshape of a constant and its operand is a constant,
# grappler's constant folding loses the Squeeze behind it, and the result has an axis too many. With constant folding off
# it is right. Seen:
#     constant folding on: (2, 1, 5, 3)
#     constant folding off: (2, 5, 3)
# Exits with 0 while this is so.
set -eu
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install -q tensorflow==2.21.0
shape() {
    TF_CPP_MIN_LOG_LEVEL=3 "$venv/bin/python" - "$1" 2>/dev/null <<'PYTHON'
import sys

import numpy as np
import tensorflow as tf

tf.config.optimizer.set_experimental_options({"constant_folding": sys.argv[1] == "on"})
rng = np.random.default_rng(0)
filters = tf.constant(rng.standard_normal((1, 3, 3, 1)), tf.float32)
data = tf.constant(rng.standard_normal((2, 5, 3)), tf.float32)


@tf.function(autograph=False)
def convolved():
    crops = tf.reshape(tf.constant([0, 0, 0, 1]), [2, 2])
    x = tf.concat([tf.zeros([2, 4, 3]), data], 1)
    y = tf.space_to_batch(tf.expand_dims(x, 1), [1, 2], crops)
    y = tf.nn.depthwise_conv2d(y, filters, [1, 1, 1, 1], "VALID")
    y = tf.squeeze(tf.batch_to_space(y, [1, 2], crops), 1)
    return tf.reshape(tf.transpose(tf.transpose(y, [0, 2, 1]), [0, 2, 1]), [2, 5, 3])


print(convolved().numpy().shape)
PYTHON
}
on=$(shape on)
off=$(shape off)
echo "constant folding on: $on"
echo "constant folding off: $off"
[ "$on" = "(2, 1, 5, 3)" ] && [ "$off" = "(2, 5, 3)" ]
