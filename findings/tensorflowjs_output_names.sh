#!/bin/sh
# The converter of tensorflowjs 4.22.0 keeps the names of a SavedModel's outputs only where dtype and shape tell them apart:
# of two outputs of one shape it makes "Identity:0" and "Identity_1:0", and nothing says which is which. Seen:
#     outputs of the signature: first, other, second; of the graph model: Identity:0, Identity_2:0, other
# Exits with 0 while this is so.
set -eu
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3.11 -m venv "$venv"
"$venv/bin/pip" install -q tensorflowjs==4.22.0 tensorflow==2.18.0 tensorflow-decision-forests==1.11.0 ydf==0.10.0
TF_CPP_MIN_LOG_LEVEL=3 "$venv/bin/python" - "$venv/model" <<'PYTHON'
import sys

import tensorflow as tf


class Model(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([2], name="x")])
    def outputs(self, x):
        return {"first": x + 1, "second": x * 2, "other": tf.concat([x, x], 0)}


model = Model()
tf.saved_model.save(model, sys.argv[1], signatures=model.outputs)
PYTHON
"$venv/bin/tensorflowjs_converter" --input_format=tf_saved_model "$venv/model" "$venv/graph" >/dev/null 2>&1
"$venv/bin/python" - "$venv/graph/model.json" <<'PYTHON'
import json
import sys

found = sorted(json.load(open(sys.argv[1]))["signature"]["outputs"])
print(f"outputs of the signature: first, other, second; of the graph model: {', '.join(found)}")
raise SystemExit(found != ["Identity:0", "Identity_2:0", "other"])
PYTHON
