# /// script
# requires-python = ">=3.10,<3.12"
# dependencies = ["tensorflowjs", "tensorflow-decision-forests<1.12", "ydf<0.11"]
# [tool.consumer]
# title = "TensorFlow.js in Node"
# artefacts = ["saved_model", "frozen"]
# npm = ["@tensorflow/tfjs", "@tensorflow/tfjs-backend-wasm"]
# told = ["tensorflowjs", "tensorflow", "@tensorflow/tfjs"]
# how = '''
# `tensorflowjs_converter --input_format=tf_saved_model PATH FOLDER`, then `tf.loadGraphModel` and `executeAsync`
# on the `cpu` backend. pip's newest `tensorflowjs` does not start with the newest `ydf`: install
# `"tensorflow-decision-forests<1.12" "ydf<0.11"` with it
# '''
# [tool.consumer.instead]
# "*" = "LiteRT.js and a .tflite file, with token ids of int32"
# ///
"""TensorFlow.js's converter makes a graph model of a SavedModel; Node runs it."""

from __future__ import annotations

import numpy as np

from test.consumers.readers.reading import Job, read
from test.consumers.readers.tfjs import converted, run_in_node


def outputs(job: Job) -> dict[str, np.ndarray]:
    return run_in_node(job, converted(job, "tf_saved_model", "tfjs_graph_model"))


if __name__ == "__main__":
    read(outputs)
