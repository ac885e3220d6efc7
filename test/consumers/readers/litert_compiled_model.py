# /// script
# [tool.consumer]
# title = "LiteRT's CompiledModel"
# artefacts = ["fixed", "int8"]
# told = ["ai-edge-litert"]
# how = '''
# `ai_edge_litert.compiled_model.CompiledModel.from_file(path)`, on the CPU
# '''
# [tool.consumer.instead]
# "*" = "LiteRT's Interpreter, or `--target litert-js`, whose files take integers of 32 bits"
# ///
"""LiteRT's CompiledModel, the interface of its accelerators, here on the CPU."""

from __future__ import annotations

import numpy as np
from ai_edge_litert.compiled_model import CompiledModel

from test.consumers.readers.reading import Job, read


def outputs(job: Job) -> dict[str, np.ndarray]:
    model = CompiledModel.from_file(str(job.artefact))
    (signature, names), *_ = model.get_signature_list().items()
    buffers = {name: model.create_input_buffer_by_name(signature, name) for name in names["inputs"]}
    for name, buffer in buffers.items():
        buffer.write(np.ascontiguousarray(job.inputs[name]))
    details = model.get_output_tensor_details(signature)
    results = {name: model.create_output_buffer_by_name(signature, name) for name in names["outputs"]}
    model.run_by_name(signature, buffers, results)
    return {name: _read(buffer, details[name]) for name, buffer in results.items()}


def _read(buffer: object, detail: dict[str, object]) -> np.ndarray:
    shape = list(detail["shape"])  # type: ignore[call-overload]
    dtype = np.dtype(detail["dtype"])  # type: ignore[call-overload]
    return buffer.read(int(np.prod(shape)), dtype).reshape(shape)  # type: ignore[attr-defined,no-any-return]


if __name__ == "__main__":
    read(outputs)
