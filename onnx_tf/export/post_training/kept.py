"""Operators of a quantised file that compute in floats nevertheless, as they do in the file of floats."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from onnx_tf.export.file_graph import FileGraph, Steps
from onnx_tf.export.integers.file import drop_codes
from onnx_tf.export.packing import packed

__all__ = ["kept_in_floats", "label", "range_of"]

_SUFFIXES = ("", "1", "_int8", "_uint8", "_int16")
"""What the quantiser adds to the names of tensors that it makes integers of."""

_QUANTIZE = {"int8": 1, "int16": 2}
_DEQUANTIZE = {"int8": 2, "int16": 3}
"""Versions of operators by the dtype that they give or take."""


_OF_ONE_SCALE = ("LOGISTIC", "SOFTMAX", "TANH")
"""What has kernels whose results have one scale, whatever their numbers are."""
_MOVES = ("RESHAPE", "TRANSPOSE")
_OF_ANY_SCALE = ("ADD", "BATCH_MATMUL", "DEQUANTIZE", "FULLY_CONNECTED", "MUL", "QUANTIZE", "SUB")


def label(file: FileGraph, operator: Any) -> str:
    """Return the name of an operator's first result, by which it is the same in files of one model."""
    return (file.tensor(int(operator.outputs[0])).name or b"").decode() if len(operator.outputs) else ""


def kept_in_floats(content: bytes, floats: bytes, labels: Collection[str]) -> bytes:
    """Return a quantised file some of whose operators compute in floats.

    Args:
        content: the file.
        floats: the calibrated file of floats that it was made of, which has their operands, options and ranges.
        labels: the operators, by :func:`label` in the file of floats.
    """
    if not labels:
        return content
    model, source = (schema.ModelT.InitFromPackedBuf(data, 0) for data in (content, floats))
    for part, whole in zip(model.subgraphs, source.subgraphs, strict=True):
        file, original = FileGraph(model, part), FileGraph(source, whole)
        by_label = {(label(file, operator), file.kind(operator)): operator for operator in file.graph.operators}
        for wanted in [operator for operator in original.graph.operators if label(original, operator) in labels]:
            names = (f"{label(original, wanted)}{suffix}" for suffix in _SUFFIXES)
            kind = original.kind(wanted)
            operator = next((by_label[name, kind] for name in names if (name, kind) in by_label), None)
            if operator is not None:
                _keep(file, operator, original, wanted)
        file.prune()
        file.sort()
        file.compact()
    drop_codes(model)
    return bytes(packed(model, len(content)))


def _keep(file: FileGraph, operator: Any, original: FileGraph, wanted: Any) -> None:
    for place, index in enumerate(map(int, wanted.inputs)):
        if not original.is_float(index):
            continue
        taken, constant = int(operator.inputs[place]), original.constant(index)
        if constant is not None:
            file.set_input(operator, place, file.add_constant(constant, original.tensor(index).name))
        elif not file.is_float(taken):
            file.set_input(operator, place, _dequantized(file, taken))
    code = original.model.operatorCodes[wanted.opcodeIndex]
    file.set_kind(operator, original.kind(wanted), code.version)
    operator.builtinOptionsType, operator.builtinOptions = wanted.builtinOptionsType, wanted.builtinOptions
    for place, index in enumerate(map(int, operator.outputs)):
        source = int(wanted.outputs[place])
        if original.is_float(source) and not file.is_float(index):
            if original.kind(wanted) in _OF_ONE_SCALE and file.dtype(index) == np.int8:
                _rescale(file, index, range_of(original, source))
            _requantize(file, operator, place, index)


def range_of(file: FileGraph, index: int) -> tuple[float, float] | None:
    """Return the least and the largest number of a tensor of a calibrated file, as far as they are known."""
    told = file.tensor(index).quantization
    return None if told is None or told.min is None or not len(told.min) else (float(told.min[0]), float(told.max[0]))


def _rescale(file: FileGraph, index: int, found: tuple[float, float] | None) -> None:
    """Give a result steps that span its numbers, instead of those that the integer kernel would have had."""
    moved, pending = [index], [index]
    while pending:
        for reader in file.readers.get(pending.pop(), []):
            if file.kind(reader) in _MOVES:
                pending.append(int(reader.outputs[0]))
            elif file.kind(reader) not in _OF_ANY_SCALE:
                return
        moved += pending[-1:]
    if found is None or any(map(file.is_result, moved)):
        return
    low, high = min(found[0], 0.0), max(found[1], 0.0)
    scale = np.float32(max((high - low) / 255, 1e-12))
    steps = Steps(np.array([scale]), np.array([round(-128 - low / float(scale))]))
    for place in moved:
        file.set_steps(place, steps)


def _dequantized(file: FileGraph, index: int) -> int:
    """Return floats of the numbers of a quantised tensor: those that it was made of, if they are there."""
    producer = file.producers.get(index)
    if producer is not None and file.kind(producer) == "QUANTIZE" and file.is_float(int(producer.inputs[0])):
        return int(producer.inputs[0])
    for reader in file.readers.get(index, []):
        if file.kind(reader) == "DEQUANTIZE":
            return int(reader.outputs[0])
    result = file.add_tensor(index, np.float32)
    version = _DEQUANTIZE[str(file.dtype(index))]
    file.add("DEQUANTIZE", [index], [result], version, ("DequantizeOptions", {}))
    return result


def _requantize(file: FileGraph, operator: Any, place: int, index: int) -> None:
    """Let an operator give floats, and quantise them for who reads integers."""
    result = file.add_tensor(index, np.float32)
    file.set_output(operator, place, result)
    for reader in list(file.readers.get(index, [])):
        if file.kind(reader) == "DEQUANTIZE":
            old = int(reader.outputs[0])
            file.remove(reader)
            if file.is_result(old):
                file.tensor(result).name = file.tensor(old).name
            file.replace(old, result)
    version = _QUANTIZE[str(file.dtype(index))]
    file.add("QUANTIZE", [result], [index], version, ("QuantizeOptions", {}))
