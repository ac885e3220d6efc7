"""Integers of 32 bits for those of 64, and other dtypes of inputs and outputs, in a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from onnx_tf.export.file_graph import FileGraph

__all__ = ["TYPES", "carry_interface", "narrow_integers"]

_Type = schema.TensorType
TYPES = {value: name for name, value in vars(_Type).items() if not name.startswith("_")}
"""The names of LiteRT's dtypes by their numbers."""

_STATED = ("inDataType", "outDataType", "outputType", "outType", "idxOutType")
"""Fields of options that name a dtype."""

_ALWAYS_WIDE = ("WHERE",)
"""Operators whose results have 64 bits, whatever a file says."""

_LIMITS = np.iinfo(np.int32)


def narrow_integers(model: Any) -> None:
    """Make all 64-bit integers of a file integers of 32 bits; constants beyond these become the nearest.

    Biases, which count quantised steps, stay what they are.
    """
    narrowed: dict[int, int] = {}
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            told = tensor.quantization
            if tensor.type != _Type.INT64 or (told is not None and told.scale is not None and len(told.scale)):
                continue
            tensor.type = _Type.INT32
            data = model.buffers[tensor.buffer].data
            if data is not None and len(data):
                if tensor.buffer not in narrowed:
                    narrowed[tensor.buffer] = _narrowed(model, np.asarray(data, np.uint8))
                tensor.buffer = narrowed[tensor.buffer]
        for operator in graph.operators:
            for name in _STATED:
                if getattr(operator.builtinOptions, name, None) == _Type.INT64:
                    setattr(operator.builtinOptions, name, _Type.INT32)
        file = FileGraph(model, graph)
        for cast in list(file.of_kind("CAST")):
            _bypass(file, cast)
        for operator in list(file.of_kind(*_ALWAYS_WIDE)):
            _narrow_result(file, operator)
        file.sort()


def _narrow_result(file: FileGraph, operator: Any) -> None:
    """Let an operator give 64 bits, and cast them."""
    result = int(operator.outputs[0])
    wide = file.add_tensor(result)
    file.tensor(wide).type = _Type.INT64
    file.set_output(operator, 0, wide)
    _cast(file, wide, result)


def _narrowed(model: Any, data: np.ndarray) -> int:
    """Add a buffer of the same numbers in 32 bits, and return its place."""
    numbers = np.clip(np.frombuffer(data.tobytes(), np.int64), _LIMITS.min, _LIMITS.max).astype(np.int32)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(numbers.tobytes(), np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def _bypass(file: FileGraph, cast: Any) -> None:
    """Take away a cast between equal dtypes, unless it gives an output or an input is all that it takes."""
    source, result = int(cast.inputs[0]), int(cast.outputs[0])
    if file.tensor(source).type == file.tensor(result).type and not file.is_result(result):
        file.replace(result, source)
        file.remove(cast)


def carry_interface(model: Any, carriers: Mapping[str, str]) -> None:
    """Give inputs and outputs of some dtypes others, with casts between them and the rest."""
    file, signature = FileGraph(model, model.subgraphs[0]), model.signatureDefs[0]
    for entry in signature.inputs:
        _carry_input(file, entry, carriers)
    for entry in signature.outputs:
        _carry_output(file, entry, carriers)
    file.prune()
    file.sort()


def _carry_input(file: FileGraph, entry: Any, carriers: Mapping[str, str]) -> None:
    inner = entry.tensorIndex
    carrier = carriers.get(TYPES[file.tensor(inner).type])
    if carrier is None:
        return
    outer = _outer(file, inner, carrier)
    file.graph.inputs = np.array([outer if i == inner else int(i) for i in file.graph.inputs], np.int32)
    entry.tensorIndex = outer
    for reader in list(file.readers.get(inner, [])):  # what only widens it is not needed
        if file.kind(reader) == "CAST" and file.tensor(int(reader.outputs[0])).type == file.tensor(outer).type:
            file.replace(int(reader.outputs[0]), outer)
    _cast(file, outer, inner)


def _carry_output(file: FileGraph, entry: Any, carriers: Mapping[str, str]) -> None:
    inner = entry.tensorIndex
    carrier = carriers.get(TYPES[file.tensor(inner).type])
    if carrier is None:
        return
    outer = _outer(file, inner, carrier)
    file.graph.outputs = np.array([outer if i == inner else int(i) for i in file.graph.outputs], np.int32)
    entry.tensorIndex = outer
    source = _before_cast(file, inner, file.tensor(outer).type)
    if source is None:
        _cast(file, inner, outer)
    elif source in file.producers and not file.is_result(source):
        producer = file.producers[source]
        place = [int(index) for index in producer.outputs].index(source)
        file.set_output(producer, place, outer)
        file.replace(source, outer)
    else:
        _cast(file, source, outer)


def _before_cast(file: FileGraph, index: int, kind: int) -> int | None:
    """Return what a cast makes a tensor of, where that has a dtype already."""
    producer = file.producers.get(index)
    if producer is None or file.kind(producer) != "CAST" or file.tensor(int(producer.inputs[0])).type != kind:
        return None
    return int(producer.inputs[0])


def _outer(file: FileGraph, inner: int, carrier: str) -> int:
    """Add a tensor that takes the name of another, of another dtype."""
    outer = file.add_tensor(inner)
    tensor = file.tensor(outer)
    tensor.type, tensor.quantization = getattr(_Type, carrier), None
    file.tensor(inner).name += b"_inner"
    return outer


def _cast(file: FileGraph, source: int, result: int) -> None:
    kinds = {"inDataType": file.tensor(source).type, "outDataType": file.tensor(result).type}
    file.add("CAST", [source], [result], 1, ("CastOptions", kinds))
