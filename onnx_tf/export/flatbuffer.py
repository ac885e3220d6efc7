"""What TensorFlow's converter leaves to be mended in a .tflite file: names, order, outputs, origin."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

__all__ = ["finished", "operators", "read_metadata"]

METADATA = "onnx_tf"
IDENTIFIER = b"TFL3"
ALIGNMENT = 16
"""Bytes at which a runtime that maps the file into memory finds its weights."""


def finished(content: bytes, inputs: Sequence[str], outputs: Sequence[str], metadata: Mapping[str, str]) -> bytes:
    """Return a file whose tensors have the names and the order of the ONNX model.

    LiteRT shows inputs and outputs in the order of the converter, and names them as TensorFlow's
    graph does; and some runtimes give wrong numbers for an output that is no operator's own result.

    Args:
        content: the file as the converter wrote it, with one signature.
        inputs: the names of the signature's inputs, in ONNX order.
        outputs: those of its outputs.
        metadata: what the file says of its origin, kept as JSON under the name ``onnx_tf``.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    signature, graph = model.signatureDefs[0], model.subgraphs[0]
    _order(graph, "inputs", signature.inputs, inputs)
    _order(graph, "outputs", signature.outputs, outputs)
    _give_outputs_operators(model, graph, signature)
    for entry in (*signature.inputs, *signature.outputs):
        graph.tensors[entry.tensorIndex].name = entry.name
    _describe(model, metadata)
    return _packed(model, len(content))


def operators(content: bytes) -> Counter[str]:
    """Return how often each operator is in a file, custom ones and TensorFlow's (``FlexErf``) by their own names."""
    model = schema.Model.GetRootAsModel(content, 0)
    names = []
    for index in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(index)
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        custom = code.CustomCode()
        names.append(custom.decode() if custom else _BUILTINS[builtin])
    graphs = [model.Subgraphs(index) for index in range(model.SubgraphsLength())]
    return Counter(names[graph.Operators(i).OpcodeIndex()] for graph in graphs for i in range(graph.OperatorsLength()))


def read_metadata(content: bytes) -> dict[str, str]:
    """Return what a file says of its origin, see :func:`finished`."""
    model = schema.Model.GetRootAsModel(content, 0)
    for index in range(model.MetadataLength()):
        entry = model.Metadata(index)
        if entry.Name() == METADATA.encode():
            found: dict[str, str] = json.loads(bytes(model.Buffers(entry.Buffer()).DataAsNumpy()))
            return found
    return {}


_BUILTINS = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}


def _order(graph: Any, side: str, entries: list[Any], names: Sequence[str]) -> None:
    """Sort one side of the graph and of its signature; what the signature does not name stays at the end."""
    wanted = {name.encode(): place for place, name in enumerate(names)}
    entries.sort(key=lambda entry: wanted.get(entry.name, len(wanted)))
    named = [entry.tensorIndex for entry in entries]
    rest = [index for index in getattr(graph, side) if index not in named]
    setattr(graph, side, np.array([*named, *rest], np.int32))


def _give_outputs_operators(model: Any, graph: Any, signature: Any) -> None:
    """Give each output that is an input, a constant or another output as well an operator of its own."""
    computed = {index for operator in graph.operators for index in operator.outputs}
    taken: set[int] = set()
    for place, entry in enumerate(signature.outputs):
        index = entry.tensorIndex
        if index in computed and index not in taken and index not in graph.inputs:
            taken.add(index)
            continue
        copy = _copied(model, graph, index)
        if copy is None:
            continue
        entry.tensorIndex = graph.outputs[place] = copy
        taken.add(copy)


def _copied(model: Any, graph: Any, index: int) -> int | None:
    """Add an operator that gives the same tensor, and return where its result is; ``None`` if there is none."""
    tensor = graph.tensors[index]
    kinds = {schema.TensorType.BOOL: ("LOGICAL_OR", "LogicalOrOptions")}
    known = kinds.get(tensor.type, ("MAXIMUM", "MaximumMinimumOptions"))
    if tensor.type not in _COMPARABLE and tensor.type not in kinds:
        return None
    result = schema.TensorT()
    result.shape, result.shapeSignature, result.type = tensor.shape, tensor.shapeSignature, tensor.type
    result.hasRank, result.quantization = tensor.hasRank, tensor.quantization
    graph.tensors.append(result)
    operator = schema.OperatorT()
    operator.opcodeIndex = _opcode(model, getattr(schema.BuiltinOperator, known[0]))
    operator.inputs, operator.outputs = np.array([index, index], np.int32), np.array([len(graph.tensors) - 1], np.int32)
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, known[1])
    operator.builtinOptions = getattr(schema, f"{known[1]}T")()
    graph.operators.append(operator)
    return len(graph.tensors) - 1


_COMPARABLE = frozenset(
    getattr(schema.TensorType, name) for name in ("FLOAT32", "INT8", "UINT8", "INT16", "INT32", "INT64")
)


def _opcode(model: Any, builtin: int) -> int:
    for index, code in enumerate(model.operatorCodes):
        if code.builtinCode == builtin:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _describe(model: Any, metadata: Mapping[str, str]) -> None:
    model.description = f"Written by onnx-tf {metadata.get('version', '')}".strip()
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(json.dumps(dict(metadata), sort_keys=True).encode(), np.uint8)
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = METADATA, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]


class _Builder(flatbuffers.Builder):
    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> Any:  # noqa: N802, N803
        # The schema's alignment of buffers is not in the Python that is made from it.
        return super().StartVector(elemSize, numElems, ALIGNMENT if elemSize == 1 else alignment)


def _packed(model: Any, size: int) -> bytes:
    builder = _Builder(size + (1 << 16))  # at once large enough: it grows by copies
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())
