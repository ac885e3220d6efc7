# /// script
# [tool.consumer]
# title = "Keras's TFSMLayer"
# artefacts = ["saved_model", "frozen"]
# told = ["keras", "tensorflow"]
# how = '''
# `keras.layers.TFSMLayer(path, call_endpoint="serve")`, called with a dict of inputs by name
# '''
# ///
"""Keras's TFSMLayer makes a layer of a SavedModel."""

from __future__ import annotations

import keras
import numpy as np

from test.consumers.readers.reading import Job, read


def outputs(job: Job) -> dict[str, np.ndarray]:
    layer = keras.layers.TFSMLayer(str(job.artefact), call_endpoint="serve")
    return {name: np.asarray(value) for name, value in layer(dict(job.inputs)).items()}


if __name__ == "__main__":
    read(outputs)
