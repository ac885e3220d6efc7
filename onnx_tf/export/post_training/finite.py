"""Numbers that would take all steps of a quantised tensor: pads and masks of -inf and the like, clipped pools.

Each becomes a number that stands for the same: a pad of the least number that there is, a mask after which Softmax
gives next to nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from onnx_tf.export.file_graph import FileGraph
from onnx_tf.export.integers.file import drop_codes
from onnx_tf.export.packing import packed
from onnx_tf.export.post_training.calibrating import Ranges

__all__ = ["bounded", "finite", "unclipped"]

LARGEST = 1e37
"""The largest number of a range: the scale of a product of two must be a number."""

BELOW = 10.0
"""How far a masked number lies below all others: Softmax gives it less than 5e-5 then, a hundredth of a step."""

LEAST_MASK = -64.0
"""What counts as a mask where it is added, at most."""

LEAST_FACTOR = 1000.0
"""What counts as a mask where it is multiplied with one of ones and zeros, at least, on either side of 0."""

_MAXIMA = ("MAX_POOL_2D", "MAXIMUM", "REDUCE_MAX")
_MOVES = ("RESHAPE", "TRANSPOSE", "EXPAND_DIMS", "SQUEEZE", "BROADCAST_TO", "SLICE", "STRIDED_SLICE", "TILE", "GATHER")


def finite(content: bytes, ranges: Ranges) -> bytes | None:
    """Return a file of floats whose pads and masks take no steps from other numbers, ``None`` where it has no others.

    Args:
        content: the file.
        ranges: those that its tensors have, as far as they are known.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    file = FileGraph(model, model.subgraphs[0])
    changed = [_unscale(file, operator) for operator in file.of_kind("MAX_POOL_2D")]
    changed += [_fill(file, operator, ranges) for operator in file.of_kind("PADV2")]
    bounds: dict[tuple[int, int], tuple[Any, float]] = {}
    for operator in file.of_kind("SOFTMAX", "LOG_SOFTMAX"):
        for reader, place, bound in _masks(file, int(operator.inputs[0]), ranges):
            key = id(reader), place
            bounds[key] = reader, min(bound, bounds.get(key, (reader, bound))[1])
    changed += [_raise(file, reader, place, bound) for (_, place), (reader, bound) in bounds.items()]
    if not any(changed):
        return None
    drop_codes(model)
    return bytes(packed(model, len(content)))


def bounded(ranges: Ranges) -> Ranges:
    """Return finite ranges for those that are not: the quantiser ends its process over them."""
    found = {}
    for index, (low, high) in ranges.items():
        least, most = np.nan_to_num(low, nan=0.0, neginf=-LARGEST), np.nan_to_num(high, nan=0.0, posinf=LARGEST)
        finite_range = float(max(least, -LARGEST)), float(min(most, LARGEST))
        if finite_range != (low, high):
            found[index] = finite_range
    return found


def unclipped(content: bytes, ranges: Ranges) -> Ranges:
    """Return ranges for results of clips that are to be wider: an average of what is clipped is not clipped itself.

    LiteRT's kernels of clips and of averages have one scale for both sides. The quantiser takes that of the clip's
    result, in which the numbers that are averaged would saturate.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    file = FileGraph(model, model.subgraphs[0])
    found: Ranges = {}
    for operator in file.of_kind("MINIMUM", "MAXIMUM", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", *_AVERAGES):
        is_clip = file.kind(operator) not in _AVERAGES
        source, result = int(operator.inputs[0]), int(operator.outputs[0])
        if (is_clip and not _comes_from(file, source, _AVERAGES)) or source not in ranges or result not in ranges:
            continue
        if not is_clip and not file.activation(operator):
            continue
        low, high = ranges[result]
        wide = min(low, ranges[source][0]), max(high, ranges[source][1])
        if wide != (low, high) and all(map(math.isfinite, wide)):
            found[result] = wide
    return found


_AVERAGES = ("AVERAGE_POOL_2D", "RESIZE_BILINEAR")


def _comes_from(file: FileGraph, index: int, kinds: tuple[str, ...]) -> bool:
    producer = _moved(file, index)
    return producer is not None and file.kind(producer) in kinds


def _moved(file: FileGraph, index: int) -> Any | None:
    """Return what computes a tensor, past what only moves its numbers."""
    producer = file.producers.get(index)
    while producer is not None and file.kind(producer) in _MOVES:
        producer = file.producers.get(int(producer.inputs[0]))
    return producer


def _fill(file: FileGraph, operator: Any, ranges: Ranges) -> bool:
    """Pad what maxima are taken of with the least number that is padded."""
    source, fill = int(operator.inputs[0]), file.constant(int(operator.inputs[2]))
    readers = file.readers.get(int(operator.outputs[0]), [])
    low = ranges.get(source, (math.nan, 0.0))[0]
    if fill is None or fill.dtype != np.float32 or not math.isfinite(low) or not fill.item() < low:
        return False
    if file.is_result(int(operator.outputs[0])) or not all(file.kind(reader) in _MAXIMA for reader in readers):
        return False
    name = file.tensor(int(operator.inputs[2])).name
    file.set_input(operator, 2, file.add_constant(np.full(fill.shape, low, np.float32), name))
    return True


def _unscale(file: FileGraph, operator: Any) -> bool:
    """Drop what keeps apart minus infinity and the least number that a pool begins with: steps hold neither."""
    before, after = file.producers.get(int(operator.inputs[0])), file.only_reader(int(operator.outputs[0]))
    factors = [_factor(file, other) for other in (before, after)]
    if before is None or after is None or None in factors or factors[0] * factors[1] != 1:  # type: ignore[operator]
        return False
    file.set_input(operator, 0, int(before.inputs[0]))
    result = int(after.outputs[0])
    file.remove(after)
    file.set_output(operator, 0, result)
    file.prune()
    return True


def _factor(file: FileGraph, operator: Any | None) -> float | None:
    """Return the one positive number that an operator multiplies with."""
    if operator is None or file.kind(operator) != "MUL" or file.activation(operator):
        return None
    factor = file.constant(int(operator.inputs[1]))
    return None if factor is None or factor.size != 1 or factor.item() <= 0 else float(factor.item())


def _masks(file: FileGraph, index: int, ranges: Ranges) -> Iterator[tuple[Any, int, float]]:
    """Yield the constants that mask what Softmax takes: who reads them, where, and how low they need be."""
    operator = _moved(file, index)
    if operator is None:
        return
    if file.kind(operator) in ("SELECT", "SELECT_V2"):
        for place, other in ((1, 2), (2, 1)):
            low = ranges.get(int(operator.inputs[other]), (math.nan, 0.0))[0]
            if math.isfinite(low) and file.constant(int(operator.inputs[place])) is not None:
                yield operator, place, low - BELOW
            elif file.constant(int(operator.inputs[other])) is not None:
                yield from _masks(file, int(operator.inputs[place]), ranges)
    if file.kind(operator) == "ADD":
        for place, other in ((0, 1), (1, 0)):
            low, high = ranges.get(int(operator.inputs[other]), (math.nan, math.nan))
            if math.isfinite(high - low):
                yield from _addends(file, operator, place, low - high - BELOW)


def _addends(file: FileGraph, reader: Any, place: int, bound: float) -> Iterator[tuple[Any, int, float]]:
    """Yield the constants that make a mask which is added."""
    index = int(reader.inputs[place])
    if file.constant(index) is not None:
        yield reader, place, bound
        return
    maker = _moved(file, index)
    if maker is None or file.kind(maker) not in ("MUL", "SELECT", "SELECT_V2"):
        return
    for part, source in enumerate(maker.inputs):
        if file.constant(int(source)) is not None and file.is_float(int(source)):
            yield maker, part, bound


def _raise(file: FileGraph, reader: Any, place: int, bound: float) -> bool:
    """Raise the numbers of a constant that are masks to a bound."""
    index = int(reader.inputs[place])
    array = file.constant(index)
    if array is None or array.dtype != np.float32:
        return False
    is_factor = file.kind(reader) == "MUL"  # of what is masked with 1 or, the other way round, with -1
    is_mask = (abs(array) if is_factor else -array) > max(-bound, LEAST_FACTOR if is_factor else -LEAST_MASK)
    if not is_mask.any():
        return False
    raised = np.where(is_mask, np.float32(bound) * np.where(array > 0, -1, 1), array).astype(np.float32)
    file.set_input(reader, place, file.add_constant(raised, file.tensor(index).name))
    return True
