#!/bin/sh
# OpenVINO 2026.4.0 reads a SavedModel whose loop fills a tf.TensorArray that starts at size 0 and grows, and gives
# no rows for it where a condition ends the loop. Seen:
#     rows: TensorFlow 7, OpenVINO 0
# Exits with 0 while this is so.
set -eu
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install -q tensorflow==2.21.0 openvino==2026.4.0
TF_CPP_MIN_LOG_LEVEL=3 "$venv/bin/python" - "$venv/model" <<'PYTHON'
import sys

import numpy as np
import openvino
import tensorflow as tf


class Model(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([3])])
    def rows(self, x):
        def body(i, go, rows):
            return i + 1, i < 6, rows.write(i, x)

        rows = tf.TensorArray(tf.float32, size=0, dynamic_size=True, element_shape=[3])
        return {"y": tf.while_loop(lambda i, go, _: go, body, (0, tf.constant(True), rows))[2].stack()}


model = Model()
x = np.ones(3, np.float32)
expected = len(model.rows(x)["y"])
tf.saved_model.save(model, sys.argv[1], signatures=model.rows)
core = openvino.Core()
compiled = core.compile_model(openvino.convert_model(sys.argv[1]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
found = len(compiled({"x": x})[0])
print(f"rows: TensorFlow {expected}, OpenVINO {found}")
raise SystemExit(not (expected == 7 and found == 0))
PYTHON
