# /// script
# [tool.consumer]
# title = "LiteRT's Interpreter"
# artefacts = ["tflite", "fixed", "int8"]
# told = ["ai-edge-litert"]
# how = '''
# `ai_edge_litert.interpreter.Interpreter(path).get_signature_runner()`
# '''
# ///
"""LiteRT's Interpreter runs .tflite files by their signature."""

from __future__ import annotations

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from test.consumers.readers.reading import Job, read


def outputs(job: Job) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = Interpreter(str(job.artefact)).get_signature_runner()(**job.inputs)
    return found


if __name__ == "__main__":
    read(outputs)
