#!/bin/sh
# TensorFlow 2.21.0 with oneDNN (TF_ENABLE_ONEDNN_OPTS=1, the default on x86 processors with AVX512_VNNI): the softmax of
# a vector with one NaN is NaN there and 0 everywhere else; without oneDNN it is NaN all along. Seen:
#     TF_ENABLE_ONEDNN_OPTS=1: [[ 0. nan  0.  0.]]
#     TF_ENABLE_ONEDNN_OPTS=0: [[nan nan nan nan]]
# Exits with 0 while this is so.
set -eu
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install -q tensorflow==2.21.0
softmax() {
    TF_ENABLE_ONEDNN_OPTS=$1 TF_CPP_MIN_LOG_LEVEL=3 "$venv/bin/python" -c '
import tensorflow as tf
print(tf.function(tf.nn.softmax)(tf.constant([[1.0, float("nan"), 2.0, 3.0]])).numpy())' 2>/dev/null
}
with=$(softmax 1)
without=$(softmax 0)
echo "TF_ENABLE_ONEDNN_OPTS=1: $with"
echo "TF_ENABLE_ONEDNN_OPTS=0: $without"
[ "$with" = "[[ 0. nan  0.  0.]]" ] && [ "$without" = "[[nan nan nan nan]]" ]
