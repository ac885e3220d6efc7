"""Add constants to the result of a layer itself, where they are added to a part of it, so that they become its bias."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from onnx_tf.export.file_graph import FileGraph, Steps
from onnx_tf.export.integers.constants import quantized_constant

__all__ = ["constant_vector", "raise_additions"]

_KEEPING = ("EXPAND_DIMS", "RESHAPE", "SLICE", "SQUEEZE", "STRIDED_SLICE")
"""What leaves every number in its channel, where there are as many channels as before."""


def raise_additions(file: FileGraph, layers: frozenset[str]) -> None:
    """Move additions of constants by channel up to the layers of which parts are added to."""
    for addition in list(file.of_kind("ADD")):
        while addition is not None:
            addition = _raised(file, addition, layers)
    file.prune()


def constant_vector(file: FileGraph, index: int, channels: int) -> int | None:
    """Return a constant as a vector of one number per channel, if it is one number per channel or one for all."""
    known = quantized_constant(file, index)
    array = file.constant(index) if known is None else known[0]
    if array is None or array.size not in (1, channels) or (array.ndim and array.shape[-1] != array.size):
        return None
    return _vector(file, index, np.broadcast_to(array.reshape(-1), [channels]), slice(None))


def _vector(file: FileGraph, index: int, array: np.ndarray, part: slice) -> int:
    """Return a part of a vector as a constant of its own."""
    known, name = quantized_constant(file, index), file.tensor(index).name
    if known is None:
        return file.add_constant(array[part].astype(np.float32), name)
    steps = known[1] if known[1].is_one else Steps(known[1].scale[part], known[1].zero_point[part], 0)
    integers = file.add_constant(array[part], name, steps)
    floats = file.add_tensor(integers, np.float32)
    file.add("DEQUANTIZE", [integers], [floats], 2, ("DequantizeOptions", {}))
    return floats


def _raised(file: FileGraph, addition: Any, layers: frozenset[str]) -> Any | None:
    """Exchange an addition with what it adds to, if that moves the result of a layer; return where it is then."""
    for place in (0, 1):
        data, other = int(addition.inputs[place]), int(addition.inputs[1 - place])
        mover, shape = file.producers.get(data), file.shape(data)
        if mover is None or not shape or not _moves_layer(file, data, layers):
            continue
        vector = constant_vector(file, other, shape[-1])
        if vector is None:
            continue
        above = list(_above(file, mover, vector, addition))
        file.set_output(mover, 0, int(addition.outputs[0]))
        file.remove(addition)
        return above[0] if len(above) == 1 else None
    return None


def _above(file: FileGraph, mover: Any, vector: int, addition: Any) -> Iterator[Any]:
    """Yield the additions to the operands of what moves them."""
    start = 0
    floats = quantized_constant(file, vector)
    array = file.constant(vector) if floats is None else floats[0]
    assert array is not None
    for place in range(len(mover.inputs)) if file.kind(mover) == "CONCATENATION" else (0,):
        given = int(mover.inputs[place])
        size = file.shape(given)[-1]
        own = _vector(file, vector, array, slice(start, start + size))
        result = file.add_tensor(given, np.float32)
        file.set_input(mover, place, result)
        options = {"fusedActivationFunction": file.activation(addition)}
        yield file.add("ADD", [given, own], [result], 1, ("AddOptions", options))
        start += size


def _moves_layer(file: FileGraph, index: int, layers: frozenset[str]) -> bool:
    """Return whether a tensor is moved from the results of layers with quantised weights, which nothing else reads."""
    mover = file.producers.get(index)
    if mover is None or file.only_reader(index) is None:
        return False
    kind, dims = file.kind(mover), file.shape(index)
    if kind == "CONCATENATION":
        is_last = int(mover.builtinOptions.axis) in (-1, len(dims) - 1) and not file.activation(mover)
        return is_last and all(_comes_from_layer(file, int(given), layers) for given in mover.inputs)
    given = int(mover.inputs[0])
    keeps = kind in _KEEPING and file.shape(given)[-1:] == dims[-1:]
    return keeps and _comes_from_layer(file, given, layers)


def _comes_from_layer(file: FileGraph, index: int, layers: frozenset[str]) -> bool:
    producer = file.producers.get(index)
    if producer is None or file.only_reader(index) is None:
        return False
    if file.kind(producer) not in layers:
        return _moves_layer(file, index, layers)
    return quantized_constant(file, int(producer.inputs[1])) is not None and not file.activation(producer)
