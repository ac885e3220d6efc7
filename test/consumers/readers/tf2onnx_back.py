# /// script
# requires-python = ">=3.10"
# dependencies = ["tf2onnx", "tensorflow", "onnxruntime"]
# [tool.consumer]
# title = "tf2onnx"
# artefacts = ["saved_model", "frozen"]
# told = ["tf2onnx", "tensorflow", "onnx"]
# how = '''
# `python -m tf2onnx.convert --saved-model PATH --output model.onnx`, then ONNX Runtime
# '''
# ///
"""tf2onnx makes ONNX of a SavedModel again; ONNX Runtime runs it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnxruntime

from test.consumers.readers.reading import Job, read


def outputs(job: Job) -> dict[str, np.ndarray]:
    file = job.folder / "model.onnx"
    file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tf2onnx.convert", "--saved-model", str(job.artefact), "--output", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not file.exists():
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    if set(names) != set(job.inputs):
        job.notes.append("inputs are called " + ", ".join(names))
    found = [value.name for value in session.get_outputs()]
    if set(found) != set(job.outputs):
        job.notes.append("outputs are called " + ", ".join(found))
    return dict(zip(found, session.run(None, job.inputs), strict=True))


if __name__ == "__main__":
    read(outputs)
