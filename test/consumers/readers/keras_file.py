"""Load a .keras file and run it, on whichever backend Keras has."""

from __future__ import annotations

import keras
import numpy as np

from test.consumers.readers.reading import Job


def outputs(job: Job) -> dict[str, np.ndarray]:
    """Return the outputs of a .keras file by position: see :func:`~test.consumers.readers.reading.read`."""
    model = keras.saving.load_model(job.artefact, compile=False)
    names = [tensor.name for tensor in model.inputs]
    if names != list(job.inputs):
        job.notes.append("inputs are called " + ", ".join(names))
    arrays = list(job.inputs.values())
    found = model(arrays[0] if len(arrays) == 1 else arrays, training=False)
    found = found if isinstance(found, list) else [found]
    return {name: keras.ops.convert_to_numpy(value) for name, value in zip(job.outputs, found, strict=True)}
