# /// script
# requires-python = ">=3.10"
# dependencies = ["keras", "tensorflow", "tf2onnx", "onnxruntime"]
# [tool.consumer]
# title = "Keras, back to ONNX"
# artefacts = ["keras"]
# told = ["keras", "tensorflow", "tf2onnx"]
# how = '''
# `model = keras.saving.load_model(path)`, called once, as Keras wants it; then `model.export("model.onnx",
# format="onnx")`, and ONNX Runtime
# '''
# [tool.consumer.instead]
# "*" = "GELU by tanh (`approximate=True`): the exact one becomes Erfc, which ONNX does not have"
# ///
"""Keras writes a .keras file as ONNX again; ONNX Runtime runs it."""

from __future__ import annotations

import keras
import numpy as np
import onnxruntime

from test.consumers.readers.reading import Job, read


def outputs(job: Job) -> dict[str, np.ndarray]:
    file = job.folder / "model.onnx"
    file.unlink(missing_ok=True)
    model = keras.saving.load_model(job.artefact, compile=False)
    arrays = list(job.inputs.values())
    model(arrays[0] if len(arrays) == 1 else arrays)
    model.export(str(file), format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    if names != list(job.inputs):
        job.notes.append("inputs are called " + ", ".join(names))
    found = [value.name for value in session.get_outputs()]
    if found != list(job.outputs):
        job.notes.append("outputs are called " + ", ".join(found))
    results = session.run(None, dict(zip(names, job.inputs.values(), strict=True)))
    return dict(zip(job.outputs, results, strict=True))


if __name__ == "__main__":
    read(outputs)
