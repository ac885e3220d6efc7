# /// script
# requires-python = ">=3.11"
# dependencies = ["keras", "torch"]
# [tool.consumer]
# title = "Keras on PyTorch"
# artefacts = ["keras"]
# told = ["keras", "torch"]
# how = '''
# `keras.saving.load_model(path)` with `KERAS_BACKEND=torch`
# '''
# ///
"""Keras loads .keras files, here on PyTorch."""

import os

os.environ["KERAS_BACKEND"] = "torch"

from test.consumers.readers.keras_file import outputs
from test.consumers.readers.reading import read

if __name__ == "__main__":
    read(outputs)
