# /// script
# requires-python = ">=3.10"
# dependencies = ["mlflow", "tensorflow"]
# [tool.consumer]
# title = "MLflow"
# artefacts = ["saved_model", "frozen"]
# told = ["mlflow", "tensorflow"]
# how = '''
# `mlflow.tensorflow.save_model` of a `tf.Module` that has `tf.saved_model.load(path)` and its `__call__` as attributes,
# then `mlflow.pyfunc.load_model(folder).predict(array)`, which takes one array alone; for several inputs
# `mlflow.tensorflow.load_model(folder)`, called with a dict of inputs by name
# '''
# ///
"""MLflow keeps a SavedModel in its TensorFlow flavour and predicts with it."""

from __future__ import annotations

import shutil
from typing import Any

import mlflow.pyfunc
import mlflow.tensorflow
import numpy as np
import tensorflow as tf

from test.consumers.readers.reading import Job, read


def outputs(job: Job) -> dict[str, np.ndarray]:
    folder = job.folder / "mlflow"
    shutil.rmtree(folder, ignore_errors=True)
    mlflow.tensorflow.save_model(_module(tf.saved_model.load(str(job.artefact))), str(folder))
    if len(job.inputs) == 1:
        found = mlflow.pyfunc.load_model(str(folder)).predict(*job.inputs.values())
    else:
        found = mlflow.tensorflow.load_model(str(folder))(job.inputs)
    return {name: np.asarray(value) for name, value in found.items()}


def _module(loaded: Any) -> tf.Module:
    """Return a SavedModel as the ``tf.Module`` that MLflow keeps: it takes no other objects."""
    module = tf.Module()
    module.loaded, module.__call__ = loaded, loaded.__call__
    return module


if __name__ == "__main__":
    read(outputs)
