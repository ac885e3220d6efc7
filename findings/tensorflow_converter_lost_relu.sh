#!/bin/sh
# TensorFlow 2.21.0: tf.lite.TFLiteConverter, with matrices that are both computed.
#
# The converter makes a dense layer of a product of matrices and gives it the ReLU that follows, then makes
# BATCH_MATMUL of it again, which has no activation: the ReLU is gone. A product with transpose_b stays a dense
# layer, unless a Transpose comes right before it. Seen:
#     relu(matmul(x, w)): BATCH_MATMUL, least output -8.0
#     relu(matmul(x, transpose(w), transpose_b=True)): BATCH_MATMUL, least output -8.0
#     relu(matmul(x, v, transpose_b=True)): FULLY_CONNECTED, least output 0.0
# Exits with 0 while this is so.
set -eu
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install -q tensorflow==2.21.0
TF_CPP_MIN_LOG_LEVEL=3 "$venv/bin/python" - 2>/dev/null <<'PYTHON'
import numpy as np
import tensorflow as tf

MATRIX = tf.TensorSpec([4, 4], tf.float32)
x, w = np.full((4, 4), -1, np.float32), np.full((4, 4), 2, np.float32)


def converted(product):
    def function(x, w):
        return tf.nn.relu(product(x, w))

    concrete = tf.function(function).get_concrete_function(MATRIX, MATRIX)
    content = tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert()
    interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    for detail, array in zip(interpreter.get_input_details(), (x, w)):
        interpreter.set_tensor(detail["index"], array)
    interpreter.invoke()
    operators = [op["op_name"] for op in interpreter._get_ops_details()]
    kind = "BATCH_MATMUL" if "BATCH_MATMUL" in operators else "FULLY_CONNECTED"
    return kind, float(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).min())


cases = {
    "relu(matmul(x, w))": lambda x, w: tf.matmul(x, w),
    "relu(matmul(x, transpose(w), transpose_b=True))": lambda x, w: tf.matmul(x, tf.transpose(w), transpose_b=True),
    "relu(matmul(x, v, transpose_b=True))": lambda x, w: tf.matmul(x, w, transpose_b=True),
}
found = {text: converted(product) for text, product in cases.items()}
for text, (kind, least) in found.items():
    print(f"{text}: {kind}, least output {least}")
expected = [("BATCH_MATMUL", -8.0), ("BATCH_MATMUL", -8.0), ("FULLY_CONNECTED", 0.0)]
raise SystemExit(list(found.values()) != expected)
PYTHON
