#!/bin/sh
# TensorFlow 2.21.0: a module with a tf.function that holds a constant, saved with a second tf.function that calls the
# first as its signature, is written with the constant twice: saving traces what was traced already anew. Through one
# concrete function that both call it is written once. Seen:
#     tf.function: 2.0 times the constant, concrete function: 1.0 times
# Exits with 0 while this is so.
set -eu
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install -q tensorflow==2.21.0
TF_CPP_MIN_LOG_LEVEL=3 "$venv/bin/python" - "$venv" <<'PYTHON'
import pathlib
import sys

import numpy as np
import tensorflow as tf

weights = np.random.default_rng(0).standard_normal((1024, 1024)).astype(np.float32)
spec = tf.TensorSpec([None, 1024], tf.float32, name="x")


def times_written(concrete: bool) -> float:
    compute = tf.function(lambda x: x @ tf.constant(weights), input_signature=[spec], autograph=False)
    called = compute.get_concrete_function() if concrete else compute
    module = tf.Module()
    module.serve = tf.function(lambda x: called(x), input_signature=[spec], autograph=False)
    signature = tf.function(lambda x: {"y": called(x)}, input_signature=[spec], autograph=False)
    folder = pathlib.Path(sys.argv[1], f"model_{concrete}")
    tf.saved_model.save(module, str(folder), signatures={"serving_default": signature.get_concrete_function()})
    return (folder / "saved_model.pb").stat().st_size / weights.nbytes


twice, once = times_written(False), times_written(True)
print(f"tf.function: {twice:.1f} times the constant, concrete function: {once:.1f} times")
raise SystemExit(not (round(twice) == 2 and round(once) == 1))
PYTHON
