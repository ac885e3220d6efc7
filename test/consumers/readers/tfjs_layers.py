# /// script
# requires-python = ">=3.10,<3.12"
# dependencies = ["tensorflowjs", "tensorflow-decision-forests<1.12", "ydf<0.11"]
# [tool.consumer]
# title = "TensorFlow.js's layers, in Node"
# artefacts = ["keras"]
# npm = ["@tensorflow/tfjs", "@tensorflow/tfjs-backend-wasm"]
# told = ["tensorflowjs", "tensorflow", "@tensorflow/tfjs"]
# how = '''
# `tensorflowjs_converter --input_format=keras_keras PATH FOLDER`, then `tf.loadLayersModel`
# '''
# [tool.consumer.instead]
# "*" = "the SavedModel, as a graph model"
# ///
"""TensorFlow.js's converter makes a layers model of a .keras file; Node runs it."""

from __future__ import annotations

import numpy as np

from test.consumers.readers.reading import Job, read
from test.consumers.readers.tfjs import converted, run_in_node


def outputs(job: Job) -> dict[str, np.ndarray]:
    return run_in_node(job, converted(job, "keras_keras", "tfjs_layers_model"))


if __name__ == "__main__":
    read(outputs)
