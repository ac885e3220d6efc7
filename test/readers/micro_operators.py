"""Print the operators that an installed tflite-micro has, as JSON: run by a Python that has it, not by the tests'.

Each operator of LiteRT's schema is alone in a file, and the runtime says whether it knows it. Some have no such file:
what the runtime then does, it does in a process of its own.
"""

from __future__ import annotations

import importlib.metadata
import json
import multiprocessing
import os
import sys
from typing import Any

import flatbuffers
import numpy as np

UNKNOWN = "Didn't find op for builtin opcode"


def content_of(schema: Any, code: int) -> bytes:
    """Return a file with one operator, from one tensor of four floats to another."""
    model = schema.ModelT()
    model.version, model.description = 3, b""
    operator_code = schema.OperatorCodeT()
    operator_code.builtinCode, operator_code.deprecatedBuiltinCode, operator_code.version = code, min(code, 127), 1
    graph, operator = schema.SubGraphT(), schema.OperatorT()
    graph.tensors = []
    for name in ("x", "y"):
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer, tensor.name = np.array([4], np.int32), 0, 0, name.encode()
        graph.tensors.append(tensor)
    operator.opcodeIndex = 0
    operator.inputs, operator.outputs = np.array([0], np.int32), np.array([1], np.int32)
    graph.inputs, graph.outputs, graph.operators = operator.inputs, operator.outputs, [operator]
    model.operatorCodes, model.subgraphs, model.buffers = [operator_code], [graph], [schema.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def load(content: bytes, log: str) -> None:
    """Let the runtime load a file, with what it says in a file of its own."""
    from tflite_micro.python.tflite_micro import runtime

    with open(log, "w") as file:
        os.dup2(file.fileno(), 2)
        os.dup2(file.fileno(), 1)
    runtime.Interpreter.from_bytes(content, arena_size=1 << 16)


def main() -> None:
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

    context = multiprocessing.get_context("fork")
    log = sys.argv[1]
    found = []
    for name, code in vars(schema.BuiltinOperator).items():
        if name.startswith("_") or name in ("CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES"):
            continue
        process = context.Process(target=load, args=(content_of(schema, code), log))
        process.start()
        process.join()
        with open(log) as file:
            said = file.read()
        assert process.exitcode == 0 or said or process.exitcode < 0, (name, process.exitcode)
        if UNKNOWN not in said:
            found.append(name)
    version = importlib.metadata.version("tflite-micro")
    print(json.dumps({"source": f"tflite-micro {version}", "operators": sorted(found)}))


if __name__ == "__main__":
    main()
