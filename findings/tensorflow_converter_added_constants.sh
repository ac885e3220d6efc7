#!/bin/sh
# TensorFlow 2.21.0.
#
# The converter of .tflite files adds constants first that are added one after the other: (x + 1e8) + -1e8, which rounds
# x, becomes x itself. Where the constants broadcast against each other their sum is stored, which can be far larger than
# they are. Differences, (x + 1e8) - 1e8, are left as they are. Seen:
#     (x + 1e8) + -1e8 of 1.25: 1.25 in LiteRT, 0.0 computed eagerly
#     (x + 1e8) - 1e8 of 1.25: 0.0 in LiteRT, 0.0 computed eagerly
#     constants of 17408 bytes in all: a file of more than 53248
# Exits with 0 while this is so.
set -eu
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install -q tensorflow==2.21.0 ai-edge-litert==2.1.2
cd "$venv"
TF_CPP_MIN_LOG_LEVEL=3 "$venv/bin/python" - <<'PYTHON'
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter


def file_of(function, *shape):
    traced = tf.function(function, input_signature=[tf.TensorSpec(shape, tf.float32)], autograph=False)
    module = tf.Module()
    module.traced = traced
    concrete = traced.get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], module).convert()


def seen(label, function):
    content = file_of(function, 1)
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    x = np.array([1.25], np.float32)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    found = float(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
    expected = float(function(tf.constant(x))[0])
    print(f"{label} of 1.25: {found} in LiteRT, {expected} computed eagerly")
    return found, expected


added = seen("(x + 1e8) + -1e8", lambda x: (x + 1e8) + tf.constant(-1e8))
subtracted = seen("(x + 1e8) - 1e8", lambda x: (x + 1e8) - 1e8)
a, b = (np.random.default_rng(0).random(shape, np.float32) for shape in ((1, 4, 16, 16), (13, 1, 16, 16)))
size = len(file_of(lambda x: (x + a) + b, 13, 4, 16, 16))
large = size > 53248
print(f"constants of {a.nbytes + b.nbytes} bytes in all: a file of {'more' if large else 'less'} than 53248")
raise SystemExit(not (added == (1.25, 0.0) and subtracted == (0.0, 0.0) and large))
PYTHON
