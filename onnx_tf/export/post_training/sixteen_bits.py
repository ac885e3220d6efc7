"""What TensorFlow's quantiser of 16-bit activations cannot pass: operators on integers and bools.

It asks for the range of every tensor that an operator takes, and integers have none. So these operators are set aside,
what they compute is an input for as long as the quantiser runs, and they are put back after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from onnx_tf.export.file_graph import FileGraph
from onnx_tf.export.integers.file import drop_codes
from onnx_tf.export.packing import packed
from onnx_tf.export.post_training.calibrating import quantized

__all__ = ["quantized_beside_integers", "with_ends"]

_OF_ANY_DTYPE = ("SHAPE", "RANK")


def quantized_beside_integers(content: bytes, how: Mapping[str, Any]) -> bytes:
    """Return a calibrated file with 16-bit activations, see :func:`quantized`, its operators on integers as they are.

    Args:
        content: the file.
        how: as there.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    file = FileGraph(model, model.subgraphs[0])
    aside = [operator for operator in file.graph.operators if not _has_floats(file, operator)]
    if len(model.subgraphs) > 1 or not aside:
        return quantized(content, how)
    codes = list(model.operatorCodes)
    signatures, sides = model.signatureDefs, {side: list(getattr(file.graph, side)) for side in ("inputs", "outputs")}
    made = {int(index) for operator in aside for index in operator.outputs}
    kept = [operator for operator in file.graph.operators if not any(operator is other for other in aside)]
    needed = _read(kept) & made
    given = _floats_read(file, aside) & {int(index) for operator in kept for index in operator.outputs}
    inputs, outputs = _extended(sides["inputs"], needed), _extended(sides["outputs"], given - made)
    dropped = [index for index in outputs if index in made]  # what is computed aside alone
    file.graph.inputs = np.array(inputs, np.int32)
    file.graph.outputs = np.array([index for index in outputs if index not in dropped], np.int32)
    file.graph.operators, model.signatureDefs = kept, []
    drop_codes(model)
    result = schema.ModelT.InitFromPackedBuf(quantized(bytes(packed(model, len(content))), how), 0)
    graph = result.subgraphs[0]
    place = dict(zip(inputs, map(int, graph.inputs), strict=True))
    place_out = dict(zip([i for i in outputs if i not in dropped], map(int, graph.outputs), strict=True))
    _put_back(result, aside, codes, place, place_out)
    # Of the sides, only what was there before is kept, at its new place.
    graph.inputs = np.array([place[int(index)] for index in sides["inputs"]], np.int32)
    graph.outputs = np.array([place_out.get(int(i), place.get(int(i), int(i))) for i in sides["outputs"]], np.int32)
    for signature in signatures:
        for entry in signature.inputs:
            entry.tensorIndex = place[entry.tensorIndex]
        for entry in signature.outputs:
            entry.tensorIndex = place_out.get(entry.tensorIndex, place.get(entry.tensorIndex, entry.tensorIndex))
    result.signatureDefs = signatures
    back = FileGraph(result, graph)
    back.prune()
    back.sort()
    return bytes(packed(result, len(content)))


def with_ends(content: bytes, how: Mapping[str, Any]) -> bytes:
    """Return a file of floats at its ends that takes and gives int16 where ``inputs`` and ``outputs`` say so."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    file, signature = FileGraph(model, model.subgraphs[0]), model.signatureDefs[0]
    places = {}
    for index in map(int, file.graph.inputs) if how["inputs"] == "int16" else ():
        reader = file.only_reader(index)
        if reader is not None and file.kind(reader) == "QUANTIZE":
            places[index] = int(reader.outputs[0])
            file.remove(reader)
    for index in map(int, file.graph.outputs) if how["outputs"] == "int16" else ():
        producer = file.producers.get(index)
        if producer is not None and file.kind(producer) == "DEQUANTIZE" and not file.readers.get(index):
            places[index] = int(producer.inputs[0])
            file.remove(producer)
    for side in ("inputs", "outputs"):
        setattr(file.graph, side, np.array([places.get(int(i), int(i)) for i in getattr(file.graph, side)], np.int32))
    for entry in (*signature.inputs, *signature.outputs):
        entry.tensorIndex = places.get(int(entry.tensorIndex), int(entry.tensorIndex))
    file.compact()
    drop_codes(model)
    return bytes(packed(model, len(content)))


def _has_floats(file: FileGraph, operator: Any) -> bool:
    """Return whether an operator makes floats of floats."""
    return file.kind(operator) != "CAST" and all(map(file.is_float, map(int, operator.outputs)))


def _read(operators: list[Any]) -> set[int]:
    return {int(index) for operator in operators for index in operator.inputs}


def _floats_read(file: FileGraph, aside: list[Any]) -> set[int]:
    """Return the floats whose numbers operators aside take."""
    return _read([operator for operator in aside if file.kind(operator) not in _OF_ANY_DTYPE])


def _extended(side: list[Any], more: set[int]) -> list[int]:
    return [*map(int, side), *sorted(more - set(map(int, side)))]


def _put_back(
    model: Any, aside: list[Any], codes: list[Any], inputs: Mapping[int, int], outputs: Mapping[int, int]
) -> None:
    """Add the operators that were set aside: floats that they made or took lie at other places now."""
    first = len(model.operatorCodes)
    model.operatorCodes = [*model.operatorCodes, *codes]
    for operator in aside:
        operator.opcodeIndex += first
        takes = [outputs.get(int(index), inputs.get(int(index), int(index))) for index in operator.inputs]
        operator.inputs = np.array(takes, np.int32)
        operator.outputs = np.array([inputs.get(int(index), int(index)) for index in operator.outputs], np.int32)
        model.subgraphs[0].operators.append(operator)
    drop_codes(model)
