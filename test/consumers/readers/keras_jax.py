# /// script
# requires-python = ">=3.11"
# dependencies = ["keras", "jax[cpu]"]
# [tool.consumer]
# title = "Keras on JAX"
# artefacts = ["keras"]
# told = ["keras", "jax"]
# how = '''
# `keras.saving.load_model(path)` with `KERAS_BACKEND=jax`
# '''
# ///
"""Keras loads .keras files, here on JAX."""

import os

os.environ["KERAS_BACKEND"] = "jax"

from test.consumers.readers.keras_file import outputs
from test.consumers.readers.reading import read

if __name__ == "__main__":
    read(outputs)
