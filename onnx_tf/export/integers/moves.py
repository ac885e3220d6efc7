"""Let what only moves or compares numbers work on integers: DEQUANTIZE comes after it, QUANTIZE before it.

Both exchanges are exact: rounding to steps keeps the order of numbers, and knows nothing of their places.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onnx_tf.export.file_graph import FileGraph, Steps

__all__ = ["VERSIONS", "dequantized", "move_quantizations", "only_quantized"]

VERSIONS = {
    "BROADCAST_TO": 2, "CONCATENATION": 2, "DEPTH_TO_SPACE": 1, "EXPAND_DIMS": 1, "GATHER": 2, "GATHER_ND": 1,
    "MAXIMUM": 2, "MAX_POOL_2D": 2, "MINIMUM": 2, "MIRROR_PAD": 2, "PACK": 2, "PAD": 2, "PADV2": 2, "RESHAPE": 1,
    "RESIZE_NEAREST_NEIGHBOR": 2, "REVERSE_V2": 3, "SLICE": 2, "SPACE_TO_DEPTH": 2, "SPLIT": 2, "SPLIT_V": 2,
    "SQUEEZE": 1, "STRIDED_SLICE": 2, "TILE": 2, "TRANSPOSE": 2, "UNPACK": 2,
}  # fmt: skip
"""What moves numbers, and the version of each operator that takes int8."""

_ALL_OPERANDS = ("CONCATENATION", "PACK")
_PLACES = {"SPLIT": 1}
_BOUNDS = {
    "RELU": (0.0, np.inf), "RELU6": (0.0, 6.0), "RELU_0_TO_1": (0.0, 1.0), "RELU_N1_TO_1": (-1.0, 1.0),
    "MAXIMUM": (None, np.inf), "MINIMUM": (-np.inf, None),
}  # fmt: skip
"""What keeps numbers within bounds; where a bound is an operand, it must be a constant number."""

_LOWEST = float(np.finfo(np.float32).min)


def dequantized(file: FileGraph, index: int) -> int | None:
    """Return the int8 tensor of which a float tensor is the dequantised form, with one scale."""
    operator = file.producers.get(index)
    if operator is None or file.kind(operator) != "DEQUANTIZE":
        return None
    given = int(operator.inputs[0])
    steps = file.steps(given)
    return given if steps is not None and steps.is_one and file.dtype(given) == np.int8 else None


def only_quantized(file: FileGraph, index: int) -> Steps | None:
    """Return the steps to which everything that reads a float tensor quantises it."""
    readers = file.readers.get(index, [])
    if file.is_result(index) or not readers or any(file.kind(reader) != "QUANTIZE" for reader in readers):
        return None
    found = {file.steps(int(reader.outputs[0])) for reader in readers}
    steps = found.pop()
    is_int8 = all(file.dtype(int(reader.outputs[0])) == np.int8 for reader in readers)
    return steps if not found and is_int8 else None


def move_quantizations(file: FileGraph) -> None:
    """Move DEQUANTIZE down and QUANTIZE up as far as it goes, and take away what meets its like."""
    file.sort()
    for operator in list(file.of_kind(*VERSIONS, "RELU")):
        _sink(file, operator)
    file.sort()
    for operator in reversed(list(file.of_kind(*VERSIONS, *_BOUNDS))):
        _raise(file, operator)
    _meet(file)
    _merge(file)
    file.prune()


def _operands(file: FileGraph, operator: Any) -> list[int]:
    """Return the places of the operands that are moved."""
    kind = file.kind(operator)
    if kind in _ALL_OPERANDS:
        return [*range(len(operator.inputs))]
    return [0, 1] if kind in ("MAXIMUM", "MINIMUM") else [_PLACES.get(kind, 0)]


def _sink(file: FileGraph, operator: Any) -> None:
    places = _operands(file, operator)
    given = [dequantized(file, int(operator.inputs[place])) for place in places]
    steps = {file.steps(index) for index in given if index is not None}
    if None in given or len(steps) != 1 or file.activation(operator):
        return
    (own,) = steps
    assert own is not None
    if not _with_pad(file, operator, own, saturates=False):
        return
    for place, index in zip(places, given, strict=True):
        assert index is not None
        file.set_input(operator, place, index)
    for place, result in enumerate([int(index) for index in operator.outputs]):
        integers = file.add_tensor(result, np.int8, own)
        file.set_output(operator, place, integers)
        file.add("DEQUANTIZE", [integers], [result], 2, ("DequantizeOptions", {}))
    file.set_version(operator, VERSIONS.get(file.kind(operator), 2))


def _with_pad(file: FileGraph, operator: Any, steps: Steps, *, saturates: bool) -> bool:
    """Quantise the number that an operator pads with; return whether it is the same number in these steps."""
    if file.kind(operator) != "PADV2":
        return True
    number = file.constant(int(operator.inputs[2]))
    if number is None:
        return False
    integer = steps.quantized(number)
    back = (integer - steps.zero_point) * steps.scale.astype(np.float64)
    if not saturates and float(number.ravel()[0]) > _LOWEST and (back.astype(np.float32) != number).any():
        return False
    file.set_input(operator, 2, file.add_constant(integer.astype(np.int8), b"pad", steps))
    return True


def _raise(file: FileGraph, operator: Any) -> None:
    kind, results = file.kind(operator), [int(index) for index in operator.outputs]
    found = {only_quantized(file, result) for result in results}
    steps = found.pop()
    if found or steps is None or file.activation(operator):
        return
    bounds = _bounds(file, operator) if kind in _BOUNDS else None
    if kind in _BOUNDS and bounds is None and kind not in VERSIONS:
        return
    if not file.is_float(int(operator.inputs[_operands(file, operator)[0]])):
        return
    if bounds is not None:
        _raise_bounds(file, operator, bounds, steps)
        return
    if not _with_pad(file, operator, steps, saturates=True):
        return
    for place in _operands(file, operator):
        file.set_input(operator, place, _quantized(file, int(operator.inputs[place]), steps))
    for place, result in enumerate(results):
        _take_over(file, result, place, operator, steps)
    file.set_version(operator, VERSIONS[kind])


def _quantized(file: FileGraph, index: int, steps: Steps) -> int:
    known = file.constant(index)
    if known is not None:
        return file.add_constant(steps.quantized(known).astype(np.int8), file.tensor(index).name, steps)
    integers = file.add_tensor(index, np.int8, steps)
    file.add("QUANTIZE", [index], [integers], options=("QuantizeOptions", {}))
    return integers


def _take_over(file: FileGraph, result: int, place: int, operator: Any, steps: Steps) -> None:
    """Let an operator give the integers that its result became."""
    integers = file.add_tensor(result, np.int8, steps)
    for reader in list(file.readers.get(result, [])):
        file.replace(int(reader.outputs[0]), integers)
        file.remove(reader)
    file.set_output(operator, place, integers)


def _bounds(file: FileGraph, operator: Any) -> tuple[float, float, int] | None:
    """Return the bounds within which an operator keeps numbers, and the place of these."""
    low, high = _BOUNDS[file.kind(operator)]
    if low is not None and high is not None:
        return low, high, 0
    constants = [file.constant(int(index)) for index in operator.inputs]
    place = next((i for i, array in enumerate(constants) if array is not None and array.size == 1), None)
    if place is None or constants[1 - place] is not None:
        return None
    number = float(constants[place].ravel()[0])  # type: ignore[union-attr]
    return (number if low is None else low), (number if high is None else high), 1 - place


def _raise_bounds(file: FileGraph, operator: Any, bounds: tuple[float, float, int], steps: Steps) -> None:
    """Keep the integers within the bounds, where their own are not narrower."""
    low, high, place = bounds
    given, result = int(operator.inputs[place]), int(operator.outputs[0])
    file.remove(operator)
    integers = _quantized(file, given, steps)
    limits = steps.quantized(np.array([low, high], np.float32))
    for kind, limit, free in (("MAXIMUM", limits[0], -128), ("MINIMUM", limits[1], 127)):
        if limit != free:
            constant = file.add_constant(np.array(limit, np.int8), b"bound", steps)
            bounded = file.add_tensor(given, np.int8, steps)
            file.add(kind, [integers, constant], [bounded], 2, ("MaximumMinimumOptions", {}))
            integers = bounded
    for reader in list(file.readers.get(result, [])):
        file.replace(int(reader.outputs[0]), integers)
        file.remove(reader)


def _merge(file: FileGraph) -> None:
    """Let one operator stand for all that quantise or dequantise a tensor alike."""
    first: dict[tuple[str, int, Steps | None], int] = {}
    for operator in list(file.of_kind("DEQUANTIZE", "QUANTIZE")):
        result = int(operator.outputs[0])
        kept = first.setdefault((file.kind(operator), int(operator.inputs[0]), file.steps(result)), result)
        if kept != result and not file.is_result(result) and file.dtype(kept) == file.dtype(result):
            file.replace(result, kept)


def _meet(file: FileGraph) -> None:
    """Take away QUANTIZE after DEQUANTIZE of the same steps; with others it goes from integers to integers."""
    for operator in list(file.of_kind("QUANTIZE")):
        given, result = int(operator.inputs[0]), int(operator.outputs[0])
        integers = dequantized(file, given)
        if integers is None or file.dtype(result) != np.int8:
            continue
        if file.steps(integers) == file.steps(result):
            file.remove(operator)
            file.replace(result, integers)
        else:
            file.set_input(operator, 0, integers)
            file.set_version(operator, 2)
