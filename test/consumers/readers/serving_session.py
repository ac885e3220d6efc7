"""The part of TensorFlow Serving that needs TensorFlow alone: a session that loads ``serve`` runs the signature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from test.consumers.readers.reading import Job, read

KEY = "serving_default"


def outputs(job: Job) -> dict[str, np.ndarray]:
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        return computed(session, signature_of(session, job), job.inputs)


def signature_of(session: Any, job: Job) -> Any:
    """Load a SavedModel into a session as the server does, and return its signature."""
    loaded = tf.compat.v1.saved_model.load(session, [tf.saved_model.SERVING], str(job.artefact))
    return loaded.signature_def[KEY]


def computed(session: Any, signature: Any, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Check that a request has the signature's inputs in their dtypes, and run all its outputs."""
    if feeds.keys() != signature.inputs.keys():
        raise ValueError(f"the request has {sorted(feeds)}, the signature {sorted(signature.inputs)}")
    for name, array in feeds.items():
        wanted = tf.as_dtype(signature.inputs[name].dtype)
        if tf.as_dtype(array.dtype) != wanted:
            raise TypeError(f"{name} is {array.dtype}, the signature has {wanted.name}")
    fetches = {name: info.name for name, info in signature.outputs.items()}
    found = session.run(fetches, {signature.inputs[name].name: array for name, array in feeds.items()})
    return dict(found)


if __name__ == "__main__":
    read(outputs)
