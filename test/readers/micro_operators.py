"""Print what an installed tflite-micro has, as JSON: run by a Python that has it, not by the tests'.

Each operator of LiteRT's schema is alone in a file, and the runtime says whether it knows it. Those that take data of
several dtypes are run with each. What the runtime does with such files, it does in a process of its own.
"""

from __future__ import annotations

import importlib.metadata
import json
import multiprocessing
import os
import sys
from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np

SECONDS = 10
"""How long the runtime may take for one operator."""

UNKNOWN = "Didn't find op for builtin opcode"
DTYPES = {"float32": np.float32, "int32": np.int32, "bool": np.bool_}
CODES = {np.dtype(np.float32): 0, np.dtype(np.int32): 2, np.dtype(np.bool_): 6}
SHAPE = (2, 3)
ONE = "ABS NEG SQRT RSQRT EXP LOG SIN COS FLOOR CEIL ROUND SQUARE TANH LOGISTIC RELU RELU6 ELU LOGICAL_NOT ZEROS_LIKE"
TWO = "ADD SUB MUL DIV MAXIMUM MINIMUM FLOOR_DIV FLOOR_MOD SQUARED_DIFFERENCE LOGICAL_AND LOGICAL_OR"
COMPARED = "EQUAL NOT_EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL"
REDUCED = "SUM MEAN REDUCE_MAX REDUCE_MIN REDUCE_ALL"

Tensor = tuple[np.dtype, Sequence[int], Any]
"""Dtype, shape and data; no data for what is given or computed."""


def _ints(*values: Any) -> Tensor:
    array = np.array(values[0] if len(values) == 1 else values, np.int32)
    return array.dtype, array.shape, array


def cases(dtype: np.dtype) -> dict[str, tuple[list[Tensor], list[Tensor], str, dict[str, Any]]]:
    """Return inputs, outputs, and name and fields of the options of operators on data of a dtype."""
    x, flag = (dtype, SHAPE, None), (np.dtype(np.bool_), SHAPE, None)

    def of(shape: Sequence[int], kind: np.dtype = dtype) -> list[Tensor]:
        return [(kind, shape, None)]

    index, other = np.dtype(np.int32), _ints([1, 0])
    found = {name: ([x], of(SHAPE), "", {}) for name in ONE.split()}
    found |= {name: ([x, x], of(SHAPE), f"{name.title().replace('_', '')}Options", {}) for name in TWO.split()}
    found |= {name: ([x, x], of(SHAPE, flag[0]), "", {}) for name in COMPARED.split()}
    found |= {name: ([x, _ints([1])], of([2]), "ReducerOptions", {"keepDims": False}) for name in REDUCED.split()}
    found |= {
        name: ([x, _ints(1)], of([2], index), f"{name.title().replace('_', '')}Options", {"outputType": 2})
        for name in ("ARG_MAX", "ARG_MIN")
    }
    found |= {
        "BROADCAST_TO": ([x, _ints([2, 2, 3])], of([2, 2, 3]), "", {}),
        "CONCATENATION": ([x, x], of([4, 3]), "ConcatenationOptions", {"axis": 0}),
        "DYNAMIC_UPDATE_SLICE": ([x, (dtype, [1, 3], None), _ints([1, 0])], of(SHAPE), "", {}),
        "EXPAND_DIMS": ([x, _ints(0)], of([1, 2, 3]), "", {}),
        "GATHER": ([x, other], of(SHAPE), "GatherOptions", {"axis": 0}),
        "PACK": ([x, x], of([2, 2, 3]), "PackOptions", {"valuesCount": 2, "axis": 0}),
        "PAD": ([x, _ints([[1, 0], [0, 0]])], of([3, 3]), "", {}),
        "RESHAPE": ([x, _ints([3, 2])], of([3, 2]), "", {}),
        "REVERSE_V2": ([x, _ints([1])], of(SHAPE), "", {}),
        "SELECT_V2": ([flag, x, x], of(SHAPE), "", {}),
        "SLICE": ([x, _ints([0, 1]), _ints([2, 2])], of([2, 2]), "", {}),
        "SPLIT": ([_ints(0), x], of([1, 3]) * 2, "SplitOptions", {"numSplits": 2}),
        "SQUEEZE": ([(dtype, [1, 2, 3], None)], of(SHAPE), "SqueezeOptions", {"squeezeDims": np.array([0], np.int32)}),
        "STRIDED_SLICE": ([x, _ints([0, 1]), _ints([2, 3]), _ints([1, 1])], of([2, 2]), "StridedSliceOptions", {}),
        "TRANSPOSE": ([x, other], of([3, 2]), "", {}),
        "UNPACK": ([x], of([3]) * 2, "UnpackOptions", {"num": 2, "axis": 0}),
    }
    return found


def file_of(schema: Any, code: int, inputs: list[Tensor], outputs: list[Tensor], options: str, fields: Any) -> bytes:
    """Return a file with one operator."""
    model, graph, operator = schema.ModelT(), schema.SubGraphT(), schema.OperatorT()
    model.version, model.description, model.buffers = 3, b"", [schema.BufferT()]
    operator_code = schema.OperatorCodeT()
    operator_code.builtinCode, operator_code.deprecatedBuiltinCode, operator_code.version = code, min(code, 127), 1
    graph.tensors = []
    for place, (dtype, shape, data) in enumerate([*inputs, *outputs]):
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.name = np.array(shape, np.int32), CODES[dtype], f"t{place}".encode()
        tensor.buffer = 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
            model.buffers.append(buffer)
            tensor.buffer = len(model.buffers) - 1
        graph.tensors.append(tensor)
    operator.inputs = np.arange(len(inputs), dtype=np.int32)
    operator.outputs = np.arange(len(inputs), len(inputs) + len(outputs), dtype=np.int32)
    operator.opcodeIndex = 0
    if options and hasattr(schema, f"{options}T"):
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
        operator.builtinOptions = getattr(schema, f"{options}T")()
        for name, value in fields.items():
            setattr(operator.builtinOptions, name, value)
    graph.inputs = np.array([i for i, tensor in enumerate(inputs) if tensor[2] is None], np.int32)
    graph.outputs, graph.operators = operator.outputs, [operator]
    model.operatorCodes, model.subgraphs = [operator_code], [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def run(content: bytes, log: str, given: list[np.ndarray]) -> None:
    """Let the runtime load and run a file, with what it says in a file of its own."""
    from tflite_micro.python.tflite_micro import runtime

    with open(log, "w") as file:
        os.dup2(file.fileno(), 2)
        os.dup2(file.fileno(), 1)
    interpreter = runtime.Interpreter.from_bytes(content, arena_size=1 << 16)
    for place, array in enumerate(given):
        interpreter.set_input(array, place)
    interpreter.invoke()


def tried(content: bytes, log: str, given: list[np.ndarray]) -> tuple[int, str]:
    """Return how the process ended, and what the runtime said."""
    process = multiprocessing.get_context("fork").Process(target=run, args=(content, log, given))
    process.start()
    process.join(SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
    with open(log) as file:
        return process.exitcode or 0, file.read()


def main() -> None:
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

    log = sys.argv[1]
    codes = {name: code for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    x: Tensor = (np.dtype(np.float32), [4], None)
    unnamed = ("CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES")
    known = [
        name
        for name, code in codes.items()
        if name not in unnamed and UNKNOWN not in tried(file_of(schema, code, [x], [x], "", {}), log, [])[1]
    ]
    dtypes: dict[str, list[str]] = {}
    for word, dtype in DTYPES.items():
        for name, (inputs, outputs, options, fields) in cases(np.dtype(dtype)).items():
            if name not in known:
                continue
            given = [np.ones(shape, kind) for kind, shape, data in inputs if data is None]
            ended, _ = tried(file_of(schema, codes[name], inputs, outputs, options, fields), log, given)
            dtypes.setdefault(name, []).extend([word] * (ended == 0))
    casts = []
    for one, source in DTYPES.items():
        for other, result in DTYPES.items():
            types: list[Tensor] = [(np.dtype(kind), SHAPE, None) for kind in (source, result)]
            content = file_of(schema, codes["CAST"], types[:1], types[1:], "CastOptions", {})
            if tried(content, log, [np.ones(SHAPE, source)])[0] == 0:
                casts.append([one, other])
    version = importlib.metadata.version("tflite-micro")
    print(
        json.dumps({"source": f"tflite-micro {version}", "operators": sorted(known), "dtypes": dtypes, "casts": casts})
    )


if __name__ == "__main__":
    main()
