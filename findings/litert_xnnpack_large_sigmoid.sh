#!/bin/sh
# ai-edge-litert 2.3.0 with its XNNPACK delegate, on a processor with AVX-512; file made by TensorFlow 2.21.0.
#
# LOGISTIC of large numbers, which is 1, is NaN with XNNPACK; the interpreter's own kernel is right. Seen:
#     x 100, 1e20, 1e30: with XNNPACK 1, 1, nan; without 1, 1, 1
# Exits with 0 while this is so.
set -eu
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install -q tensorflow==2.21.0 ai-edge-litert==2.3.0
TF_CPP_MIN_LOG_LEVEL=3 "$venv/bin/python" - <<'PYTHON'
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType

X = np.array([[100, 1e20, 1e30]], np.float32)
function = tf.function(tf.sigmoid, autograph=False).get_concrete_function(tf.TensorSpec([1, 3]))
content = tf.lite.TFLiteConverter.from_concrete_functions([function]).convert()


def computed(**how):
    interpreter = Interpreter(model_content=content, **how)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], X)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]


with_it = computed()
without = computed(experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
print("with XNNPACK", with_it, "without", without)
raise SystemExit(not (np.isnan(with_it[2]) and (with_it[:2] == 1).all() and (without == 1).all()))
PYTHON
