#!/bin/sh
# TensorFlow 2.21.0 with oneDNN (TF_ENABLE_ONEDNN_OPTS=1, the default on x86 processors with AVX512_VNNI): a product of
# matrices [2, 0] and [0, 3] is zeros, but with a bias the two are merged, and that ends the process. Seen:
#     terminate called after throwing an instance of 'dnnl::error'
#       what():  could not create a primitive descriptor for the inner product forward propagation primitive.
# Exits with 0 while this is so.
set -eu
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install -q tensorflow==2.21.0
if TF_ENABLE_ONEDNN_OPTS=1 TF_CPP_MIN_LOG_LEVEL=3 "$venv/bin/python" -c '
import tensorflow as tf
merged = tf.function(lambda x: tf.nn.bias_add(tf.matmul(x, tf.zeros([0, 3])), tf.ones([3])), autograph=False)
print(merged(tf.zeros([2, 0])).numpy())'; then
    echo "right"
    exit 1
else
    echo "the process ended with $?"
fi
