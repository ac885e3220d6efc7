# /// script
# requires-python = ">=3.10"
# dependencies = ["mlflow", "tensorflow"]
# [tool.consumer]
# title = "MLflow"
# artefacts = ["saved_model", "frozen"]
# told = ["mlflow", "tensorflow"]
# how = '''
# `mlflow.tensorflow.save_model(tf.saved_model.load(path), folder)`, then
# `mlflow.pyfunc.load_model(folder).predict` with a dict of inputs by name
# '''
# ///
"""MLflow keeps a SavedModel in its TensorFlow flavour and predicts with it."""

from __future__ import annotations

import shutil

import mlflow.pyfunc
import mlflow.tensorflow
import numpy as np
import tensorflow as tf

from test.consumers.readers.reading import Job, read


def outputs(job: Job) -> dict[str, np.ndarray]:
    folder = job.folder / "mlflow"
    shutil.rmtree(folder, ignore_errors=True)
    mlflow.tensorflow.save_model(tf.saved_model.load(str(job.artefact)), str(folder))
    found = mlflow.pyfunc.load_model(str(folder)).predict(job.inputs)
    return {name: np.asarray(value) for name, value in found.items()}


if __name__ == "__main__":
    read(outputs)
