#!/usr/bin/env bash
# Keras: a model whose parts are models that share a layer is saved, but the file does not load.
#
# A layer may be called in several places, and its weights are one. Where two of these places lie in models that are
# themselves called as layers, save() writes a .keras file without a word; loading it ends in an error, since the weights
# are in the file for one of the two parts alone. The same model without parts is loaded.
#
# Seen with keras 3.15.1 on jax 0.10.2 (Linux, x86-64, Python 3.11):
#   flat: loaded, same numbers: True
#   parts: ValueError: Layer 'shared' expected 2 variables, but received 0 variables during loading.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet keras==3.15.1 jax==0.10.2

cd "$folder"
KERAS_BACKEND=jax "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import keras
import numpy as np


def part(shared, name):
    x = keras.Input((3,))
    return keras.Model(x, shared(x), name=name)


def network(in_parts):
    shared = keras.layers.Dense(3, name="shared")
    x = keras.Input((3,))
    calls = [part(shared, "first"), part(shared, "second")] if in_parts else [shared, shared]
    return keras.Model(x, calls[1](calls[0](x)))


def loaded(model, path):
    model.save(path)
    data = np.ones((1, 3), np.float32)
    return np.allclose(model(data), keras.saving.load_model(path)(data))


same = loaded(network(False), "flat.keras")
print("flat: loaded, same numbers:", same)
assert same
try:
    loaded(network(True), "parts.keras")
except ValueError as error:
    (line,) = [line for line in str(error).splitlines() if "received 0 variables" in line]
    print("parts: ValueError:", line.partition(" Expected:")[0])
    assert "'shared' expected 2 variables" in line
else:
    raise SystemExit("it is loaded now")
PYTHON
