# /// script
# requires-python = ">=3.10"
# dependencies = ["openvino", "numpy"]
# [tool.consumer]
# title = "OpenVINO"
# artefacts = ["saved_model", "frozen", "tflite"]
# told = ["openvino"]
# how = '''
# `openvino.Core().compile_model(openvino.convert_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})`
# '''
# [tool.consumer.instead]
# "*" = "the SavedModel"
# ///
"""OpenVINO reads SavedModels and .tflite files."""

from __future__ import annotations

import numpy as np
import openvino

from test.consumers.readers.reading import Job, read


def outputs(job: Job) -> dict[str, np.ndarray]:
    model = openvino.convert_model(job.artefact)
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    results = compiled(job.inputs)
    found = {}
    for port in compiled.outputs:
        names = port.get_names() & set(job.outputs)
        if not names:
            job.notes.append(f"an output is called {', '.join(sorted(port.get_names()))}")
        found |= dict.fromkeys(names, results[port])
    return found


if __name__ == "__main__":
    read(outputs)
