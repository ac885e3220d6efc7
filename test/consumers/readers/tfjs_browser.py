# /// script
# requires-python = ">=3.10,<3.12"
# dependencies = ["tensorflowjs", "tensorflow-decision-forests<1.12", "ydf<0.11"]
# [tool.consumer]
# title = "TensorFlow.js in Chromium"
# artefacts = ["saved_model"]
# npm = ["@tensorflow/tfjs", "@tensorflow/tfjs-backend-wasm"]
# told = ["tensorflowjs", "tensorflow", "@tensorflow/tfjs"]
# how = '''
# the same files, `tf.loadGraphModel(url)` on the `wasm` backend
# '''
# [tool.consumer.instead]
# lstm_stateful_forecaster = "the `cpu` backend, which is right"
# "*" = "LiteRT.js and a .tflite file, with token ids of int32"
# ///
"""TensorFlow.js's converter makes a graph model of a SavedModel; a headless Chromium runs it."""

from __future__ import annotations

import numpy as np

from test.consumers.readers.chromium import run_in_page
from test.consumers.readers.reading import Job, read
from test.consumers.readers.tfjs import converted


def outputs(job: Job) -> dict[str, np.ndarray]:
    converted(job, "tf_saved_model", "tfjs_graph_model")
    return run_in_page(job, "tfjs.html")


if __name__ == "__main__":
    read(outputs)
