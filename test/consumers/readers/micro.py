# /// script
# requires-python = ">=3.10"
# dependencies = ["tflite-micro", "numpy"]
# [tool.consumer]
# title = "tflite-micro"
# artefacts = ["fixed", "int8"]
# told = ["tflite-micro"]
# how = '''
# `tflite_micro.runtime.Interpreter.from_file(path)`: inputs and outputs by their position, which is that of the
# ONNX model
# '''
# [tool.consumer.instead]
# "*" = "LiteRT's Interpreter, on devices that have room for it"
# ///
"""LiteRT for Microcontrollers, its kernels on this machine."""

from __future__ import annotations

import numpy as np
from tflite_micro.python.tflite_micro import runtime

from test.consumers.readers.reading import Job, read

ARENA = 1 << 27


def outputs(job: Job) -> dict[str, np.ndarray]:
    try:
        interpreter = runtime.Interpreter.from_file(str(job.artefact), arena_size=ARENA)
        for index, array in enumerate(job.inputs.values()):
            interpreter.set_input(array, index)
        interpreter.invoke()
    except RuntimeError as error:
        raise RuntimeError(f"{error}: {'; '.join(job.said.split(chr(10))[:2])}") from error
    return {name: np.array(interpreter.get_output(index)) for index, name in enumerate(job.outputs)}


if __name__ == "__main__":
    read(outputs)
