#!/usr/bin/env bash
# TensorFlow: the analyzer of .tflite files calls every operator fit for the GPU delegate.
#
# tf.lite.experimental.Analyzer.analyze(..., gpu_compatibility=True) is to name the operators that the GPU delegate does
# not take, as tensorflow/lite/tools/versioning/gpu_compatibility.cc lists those that it does. WHERE, UNIQUE and TOPK_V2
# are not among these, nor are 64-bit integers; the analyzer says of a file of them that it looks compatible.
#
# Seen with tensorflow 2.21.0 (Linux, x86-64, Python 3.11):
#   WHERE TOPK_V2: Your model looks compatible with GPU delegate on TFLite runtime version 2.21.0.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet tensorflow==2.21.0

TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - <<'PYTHON'
import contextlib
import io

import tensorflow as tf


@tf.function(input_signature=[tf.TensorSpec([4, 4], tf.float32)])
def selected(x):
    values, _ = tf.math.top_k(x, 2)
    return tf.where(x > 0), values


content = tf.lite.TFLiteConverter.from_concrete_functions([selected.get_concrete_function()]).convert()
said = io.StringIO()
with contextlib.redirect_stdout(said):
    tf.lite.experimental.Analyzer.analyze(model_content=content, gpu_compatibility=True)
lines = said.getvalue().splitlines()
operators = [name for name in ("WHERE", "TOPK_V2") if any(f" {name}(" in line for line in lines)]
verdict = [line for line in lines if "GPU delegate on TFLite runtime" in line]
print(f"{' '.join(operators)}: {verdict[0]}")
assert operators == ["WHERE", "TOPK_V2"], lines
assert verdict[0].startswith("Your model looks compatible"), verdict
assert "GPU COMPATIBILITY WARNING" not in said.getvalue()
PYTHON
