"""What TensorFlow's converter leaves to be mended in a .tflite file: names, order, outputs, origin."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from onnx_tf.export.file_graph import BUILTINS
from onnx_tf.export.own_results import give_outputs_operators
from onnx_tf.export.packing import fewest_buffers, packed

__all__ = ["finished", "finished_model", "foreign_operators", "inlined", "operators", "read_metadata"]

METADATA = "onnx_tf"


def finished(
    content: bytes,
    inputs: Sequence[str],
    outputs: Sequence[str],
    metadata: Mapping[str, Any],
    edit: Callable[[Any], Mapping[str, Any]] | None = None,
) -> memoryview:
    """Return :func:`finished_model` of a file as the converter wrote it."""
    return finished_model(schema.ModelT.InitFromPackedBuf(content, 0), len(content), inputs, outputs, metadata, edit)


def finished_model(
    model: Any,
    size: int,
    inputs: Sequence[str],
    outputs: Sequence[str],
    metadata: Mapping[str, Any],
    edit: Callable[[Any], Mapping[str, Any]] | None = None,
    later: Mapping[int, np.ndarray] = MappingProxyType({}),
) -> memoryview:
    """Return a file whose tensors have the names and the order of the ONNX model.

    LiteRT shows inputs and outputs in the order of the converter, and names them as TensorFlow's
    graph does; and some runtimes give wrong numbers for an output that is no operator's own result.

    Args:
        model: the file as the converter wrote it, with one signature, in the object form of LiteRT's schema.
        size: about how many bytes it takes.
        inputs: the names of the signature's inputs, in ONNX order.
        outputs: those of its outputs.
        metadata: what the file says of its origin, kept as JSON under the name ``onnx_tf``.
        edit: what changes the file first, in the object form of LiteRT's schema, and returns more to be said.
        later: what buffers hold, see :func:`packed`.
    """
    if edit is not None:
        metadata = {**metadata, **edit(model)}
    signature, graph = model.signatureDefs[0], model.subgraphs[0]
    _order(graph, "inputs", signature.inputs, inputs)
    _order(graph, "outputs", signature.outputs, outputs)
    give_outputs_operators(model, graph, signature)
    _name(graph, [*signature.inputs, *signature.outputs])
    _describe(model, metadata)
    fewest_buffers(model, later)
    return packed(model, size, later)


def inlined(content: bytes) -> bytes:
    """Return a file whose constants all lie in its flatbuffer: those that lie behind it are taken in."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for buffer in model.buffers:
        if buffer.offset > 1:  # 0 and 1 stand for no place
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return bytes(packed(model, len(content)))


def operators(content: bytes | memoryview) -> Counter[str]:
    """Return how often each operator is in a file, custom ones and TensorFlow's (``FlexErf``) by their own names."""
    model = schema.Model.GetRootAsModel(content, 0)
    names = []
    for index in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(index)
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        custom = code.CustomCode()
        names.append(custom.decode() if custom else BUILTINS[builtin])
    graphs = [model.Subgraphs(index) for index in range(model.SubgraphsLength())]
    return Counter(names[graph.Operators(i).OpcodeIndex()] for graph in graphs for i in range(graph.OperatorsLength()))


def foreign_operators(found: Mapping[str, int]) -> list[str]:
    """Return the names of operators that are not LiteRT's own: custom ones and TensorFlow's, which are no capitals."""
    return sorted(name for name in found if not name.isupper())


def read_metadata(content: bytes | memoryview) -> dict[str, Any]:
    """Return what a file says of its origin, see :func:`finished`."""
    model = schema.Model.GetRootAsModel(content, 0)
    for index in range(model.MetadataLength()):
        entry = model.Metadata(index)
        if entry.Name() == METADATA.encode():
            found: dict[str, Any] = json.loads(bytes(model.Buffers(entry.Buffer()).DataAsNumpy()))
            return found
    return {}


def _order(graph: Any, side: str, entries: list[Any], names: Sequence[str]) -> None:
    """Sort one side of the graph and of its signature; what the signature does not name stays at the end."""
    wanted = {name.encode(): place for place, name in enumerate(names)}
    entries.sort(key=lambda entry: wanted.get(entry.name, len(wanted)))
    named = [entry.tensorIndex for entry in entries]
    rest = [index for index in getattr(graph, side) if index not in named]
    setattr(graph, side, np.array([*named, *rest], np.int32))


def _name(graph: Any, entries: Sequence[Any]) -> None:
    """Name tensors as the signature does, and nothing else so: some readers take equal names for one tensor."""
    taken = {entry.name for entry in entries}
    for tensor in graph.tensors:
        while tensor.name in taken:
            tensor.name += b"_"
    for entry in entries:
        graph.tensors[entry.tensorIndex].name = entry.name


def _describe(model: Any, metadata: Mapping[str, Any]) -> None:
    model.description = f"Written by onnx-tf {metadata.get('version', '')}".strip()
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(json.dumps(dict(metadata), sort_keys=True).encode(), np.uint8)
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = METADATA, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
