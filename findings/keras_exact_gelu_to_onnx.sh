#!/bin/sh
# Keras 3.15.1 on TensorFlow 2.21.0, tf2onnx 1.17.0, ONNX Runtime 1.24.4.
#
# A Keras model with the exact GELU is exported as ONNX without an error. TensorFlow computes it by Erfc, which tf2onnx
# leaves in the file as an operator of ONNX's own domain, where there is none; ONNX Runtime does not load the file. Seen:
#     exact operators: Mul Neg Mul Erfc Mul , loads: False
#     approximate operators: Mul Pow Mul Add Mul Tanh Add Mul , loads: True
# The approximate GELU, and a model that was loaded, called and exported, are right. A loaded model must be called once:
#     ValueError: The model provided has never called.
# Exits with 0 while this is so.
set -eu
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install -q tensorflow==2.21.0 keras==3.15.1 tf2onnx==1.17.0 onnxruntime==1.24.4
cd "$venv"
TF_CPP_MIN_LOG_LEVEL=3 "$venv/bin/python" - <<'PYTHON'
import keras
import numpy as np
import onnx
import onnxruntime


def exported(approximate, called):
    x = keras.Input((4,))
    model = keras.Model(x, keras.ops.gelu(x, approximate=approximate))
    model.save("model.keras")
    model = keras.saving.load_model("model.keras")
    if called:
        model(np.zeros((1, 4), np.float32))
    model.export("model.onnx", format="onnx", verbose=False)
    operators = [node.op_type for node in onnx.load("model.onnx").graph.node]
    try:
        onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
        loads = True
    except Exception:
        loads = False
    print("approximate" if approximate else "exact", "operators:", *operators, ", loads:", loads)
    return "Erfc" in operators, loads


exact, approximate = exported(False, True), exported(True, True)
try:
    exported(True, False)
    message = ""
except ValueError as error:
    message = str(error)
print("ValueError:", message)
raise SystemExit(not (exact == (True, False) and approximate == (False, True) and "never called" in message))
PYTHON
