#!/bin/sh
# TensorFlow 2.21.0 with oneDNN (TF_ENABLE_ONEDNN_OPTS=1, the default on x86 processors with AVX512_VNNI): a convolution
# over an empty batch has the shape of its input instead of its own; without oneDNN it is right. Seen:
#     TF_ENABLE_ONEDNN_OPTS=1: (0, 5, 5, 3)
#     TF_ENABLE_ONEDNN_OPTS=0: (0, 3, 3, 4)
# Exits with 0 while this is so.
set -eu
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install -q tensorflow==2.21.0
shape() {
    TF_ENABLE_ONEDNN_OPTS=$1 TF_CPP_MIN_LOG_LEVEL=3 "$venv/bin/python" -c '
import tensorflow as tf
print(tf.nn.conv2d(tf.zeros([0, 5, 5, 3]), tf.zeros([3, 3, 3, 4]), 1, "VALID").shape)' 2>/dev/null
}
with=$(shape 1)
without=$(shape 0)
echo "TF_ENABLE_ONEDNN_OPTS=1: $with"
echo "TF_ENABLE_ONEDNN_OPTS=0: $without"
[ "$with" = "(0, 5, 5, 3)" ] && [ "$without" = "(0, 3, 3, 4)" ]
