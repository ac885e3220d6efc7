#!/usr/bin/env bash
# Keras: on the TensorFlow backend keras.ops.add of a row and a column gives a row of wrong numbers.
#
# Two arrays that broadcast against each other are to give an array of the larger size along both axes, as
# keras.ops.subtract, keras.ops.multiply and numpy do. keras.ops.add takes an operand with a single axis longer than 1
# for a bias: where that axis has the channels' size, but is another one, the sum has the first operand's shape.
#
# Seen with keras 3.15.1 and tensorflow 2.21.0 (Linux, x86-64, Python 3.11):
#   add (1, 3) [[0.0, 1.0, 2.0]]
#   subtract (3, 3)
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet tensorflow==2.21.0 keras==3.15.1

KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
from keras import ops

row, column = np.zeros([1, 3], np.float32), np.arange(3, dtype=np.float32).reshape(3, 1)
found, difference = np.asarray(ops.add(row, column)), np.asarray(ops.subtract(row, column))
print("add", found.shape, found.tolist())
print("subtract", difference.shape)
assert (row + column).shape == difference.shape == (3, 3)
assert found.tolist() == [[0.0, 1.0, 2.0]], found
PYTHON
