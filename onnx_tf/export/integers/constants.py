"""Move quantised constants once instead of in each run: weights that are transposed, reshaped or split."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onnx_tf.export.file_graph import FileGraph, Steps

__all__ = ["move_constants", "quantized_constant"]


def quantized_constant(file: FileGraph, index: int) -> tuple[np.ndarray, Steps] | None:
    """Return the integers and steps of a float tensor that is a dequantised constant."""
    operator = file.producers.get(index)
    if operator is None or file.kind(operator) != "DEQUANTIZE":
        return None
    given = int(operator.inputs[0])
    integers, steps = file.constant(given), file.steps(given)
    return None if integers is None or steps is None else (integers, steps)


def move_constants(file: FileGraph) -> None:
    """Replace what only moves dequantised constants by the dequantised results."""
    file.sort()
    for operator in list(file.of_kind(*_MOVES)):
        place = 1 if file.kind(operator) == "SPLIT" else 0
        known = quantized_constant(file, int(operator.inputs[place]))
        results = None if known is None else _results(file, operator, *known)
        if results is None:
            continue
        outputs = [int(index) for index in operator.outputs]
        file.remove(operator)
        for output, (integers, steps) in zip(outputs, results, strict=True):
            constant = file.add_constant(integers, file.tensor(output).name, steps)
            file.add("DEQUANTIZE", [constant], [output], 2, ("DequantizeOptions", {}))
    file.prune()


def _results(
    file: FileGraph, operator: Any, integers: np.ndarray, steps: Steps
) -> list[tuple[np.ndarray, Steps]] | None:
    """Return what each output holds, ``None`` where its steps do not lie along an axis any more."""
    move = _MOVES[file.kind(operator)]
    arrays = move(file, operator, integers)
    if arrays is None:
        return None
    if steps.is_one:
        return [(array, steps) for array in arrays]
    dims = [-1 if axis == steps.axis else 1 for axis in range(integers.ndim)]
    places = np.broadcast_to(np.arange(steps.scale.size, dtype=np.int32).reshape(dims), integers.shape)
    found = [_along_axis(array, steps) for array in move(file, operator, places) or ()]
    return [(a, s) for a, s in zip(arrays, found, strict=True) if s is not None] if None not in found else None


def _along_axis(places: np.ndarray, steps: Steps) -> Steps | None:
    """Return the steps of a tensor from the place that each element's have among the old ones."""
    for axis in range(places.ndim):
        line = places[tuple(slice(None) if i == axis else slice(0, 1) for i in range(places.ndim))]
        if (places == line).all():
            order = line.ravel()
            return Steps(steps.scale[order], steps.zero_point[order], axis)
    return None


def _reshaped(file: FileGraph, operator: Any, array: np.ndarray) -> list[np.ndarray]:
    return [array.reshape(file.shape(int(operator.outputs[0])))]


def _transposed(file: FileGraph, operator: Any, array: np.ndarray) -> list[np.ndarray] | None:
    perm = file.constant(int(operator.inputs[1]))
    return None if perm is None else [array.transpose([int(axis) for axis in perm])]


def _reversed(file: FileGraph, operator: Any, array: np.ndarray) -> list[np.ndarray] | None:
    axes = file.constant(int(operator.inputs[1]))
    return None if axes is None else [np.flip(array, tuple(int(axis) for axis in axes))]


def _sliced(file: FileGraph, operator: Any, array: np.ndarray) -> list[np.ndarray] | None:
    begin = file.constant(int(operator.inputs[1]))
    if begin is None:
        return None
    dims = file.shape(int(operator.outputs[0]))
    return [array[tuple(slice(int(b), int(b) + d) for b, d in zip(begin, dims, strict=True))]]


def _strided(file: FileGraph, operator: Any, array: np.ndarray) -> list[np.ndarray] | None:
    options = operator.builtinOptions
    bounds = [file.constant(int(index)) for index in operator.inputs[1:]]
    if None in [None if bound is None else 0 for bound in bounds] or options.ellipsisMask or options.newAxisMask:
        return None
    places: list[slice | int] = []
    for axis, (begin, end, step) in enumerate(zip(*bounds, strict=True)):
        starts, ends, is_one = (bool(mask >> axis & 1) for mask in _masks(options))
        whole = slice(None if starts else int(begin), None if ends else int(end), int(step))
        places.append(int(begin) if is_one else whole)
    return [array[tuple(places)]]


def _masks(options: Any) -> tuple[int, int, int]:
    return options.beginMask, options.endMask, options.shrinkAxisMask


def _split(file: FileGraph, operator: Any, array: np.ndarray) -> list[np.ndarray] | None:
    axis = file.constant(int(operator.inputs[0]))
    return None if axis is None else np.split(array, len(operator.outputs), int(axis.ravel()[0]))


def _split_unevenly(file: FileGraph, operator: Any, array: np.ndarray) -> list[np.ndarray] | None:
    sizes, axis = (file.constant(int(index)) for index in operator.inputs[1:3])
    if sizes is None or axis is None:
        return None
    return np.split(array, np.cumsum(sizes.ravel())[:-1].tolist(), int(axis.ravel()[0]))


_MOVES: dict[str, Callable[[FileGraph, Any, np.ndarray], list[np.ndarray] | None]] = {
    "EXPAND_DIMS": _reshaped,
    "RESHAPE": _reshaped,
    "REVERSE_V2": _reversed,
    "SLICE": _sliced,
    "SPLIT": _split,
    "SPLIT_V": _split_unevenly,
    "SQUEEZE": _reshaped,
    "STRIDED_SLICE": _strided,
    "TRANSPOSE": _transposed,
}
