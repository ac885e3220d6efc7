# /// script
# requires-python = ">=3.10"
# dependencies = ["apache-beam", "tensorflow"]
# [tool.consumer]
# title = "Apache Beam's RunInference"
# artefacts = ["saved_model", "frozen"]
# told = ["apache-beam", "tensorflow"]
# how = '''
# a `ModelHandler` that loads the SavedModel, as in [example/beam_inference.py](../example/beam_inference.py):
# `TFModelHandlerTensor` loads with Keras, which reads no SavedModels since Keras 3
# '''
# ///
"""Apache Beam runs a SavedModel over a collection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import apache_beam
import numpy as np
from apache_beam.ml.inference.base import ModelHandler, RunInference

from test.consumers.readers.reading import Job, read


class _SavedModel(ModelHandler[dict[str, np.ndarray], dict[str, np.ndarray], Any]):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def load_model(self) -> Any:
        import tensorflow as tf

        return tf.saved_model.load(self.path)

    def run_inference(
        self, batch: Sequence[dict[str, np.ndarray]], model: Any, *_: Any, **__: Any
    ) -> Iterable[dict[str, np.ndarray]]:
        for inputs in batch:
            yield {name: value.numpy() for name, value in model.serve(inputs).items()}


def outputs(job: Job) -> dict[str, np.ndarray]:
    folder = job.folder / "found"
    folder.mkdir(exist_ok=True)

    def kept(element: dict[str, np.ndarray]) -> None:
        np.savez(folder / "outputs.npz", *(element[name] for name in job.outputs))

    with apache_beam.Pipeline() as pipeline:
        inputs = pipeline | apache_beam.Create([job.inputs])
        inputs | RunInference(_SavedModel(str(job.artefact))) | apache_beam.Map(kept)
    with np.load(folder / "outputs.npz") as arrays:
        return {name: arrays[f"arr_{index}"] for index, name in enumerate(job.outputs)}


if __name__ == "__main__":
    read(outputs)
