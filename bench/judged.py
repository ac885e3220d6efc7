"""How far any .tflite file is from what is expected, whoever wrote it: memory orders and names may be any."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.litert import THREADS
from bench.onnx2tf import by_index, nearest

__all__ = ["Judged", "judged"]


@dataclass(frozen=True)
class Judged:
    """A file over some samples.

    Attributes:
        bytes: its size.
        decibels: how far the signal is above the noise, of the output that is the furthest off.
        agreement: how often the largest class is the same; ``None`` where there are no classes.
    """

    bytes: int
    decibels: float
    agreement: float | None


def judged(file: Path, feeds: Sequence[Mapping[str, Any]], expected: Sequence[Mapping[str, Any]]) -> Judged:
    """Return how far a file is from what is expected; integers at its ends are dequantised.

    Raises:
        OSError: there is no such file.
        RuntimeError: LiteRT does not run it.
        ValueError: an output has another shape.
    """
    size = file.stat().st_size
    rows = [_computed(file, feed) for feed in feeds]
    signal: dict[str, list[float]] = {}
    same: list[bool] = []
    for wanted, found in zip(expected, rows, strict=True):
        for name, array in _paired(wanted, found).items():
            exact = np.asarray(wanted[name], np.float64)
            total = signal.setdefault(name, [0.0, 0.0])
            total[0] += float(np.square(exact).sum())
            total[1] += float(np.square(exact - array).sum())
            axis = 1 if exact.ndim >= 4 else -1
            if exact.ndim and exact.shape[axis] > 1:
                same += list(np.ravel(exact.argmax(axis) == array.argmax(axis)))
    ratios = [200.0 if not noise else 10 * math.log10(max(power, 1e-30) / noise) for power, noise in signal.values()]
    return Judged(size, min(ratios), float(np.mean(same)) if same else None)


def _computed(file: Path, feed: Mapping[str, Any]) -> list[np.ndarray]:
    """Return the outputs in order, as floats."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(file), num_threads=THREADS)
    details = interpreter.get_input_details()
    arrays = by_index(details, feed)
    for index, array in arrays.items():
        interpreter.resize_tensor_input(index, array.shape)
    interpreter.allocate_tensors()
    for detail in details:
        interpreter.set_tensor(detail["index"], _in_steps(arrays[detail["index"]], detail))
    interpreter.invoke()
    return [_in_floats(interpreter.get_tensor(detail["index"]), detail) for detail in interpreter.get_output_details()]


def _in_steps(array: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    scale, zero_point = detail["quantization"]
    if not scale or array.dtype.kind != "f":
        return array.astype(detail["dtype"])
    limits = np.iinfo(detail["dtype"])
    return np.clip(np.rint(array / scale) + zero_point, limits.min, limits.max).astype(detail["dtype"])


def _in_floats(array: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    scale, zero_point = detail["quantization"]
    return array if not scale or array.dtype.kind == "f" else (array.astype(np.float64) - zero_point) * scale


def _paired(wanted: Mapping[str, Any], found: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Return what was found for each output: of those of its shape, in any order of axes, the nearest."""
    rest, pairs = list(found), {}
    for name, exact in wanted.items():
        moved = [(place, nearest(exact, array)) for place, array in enumerate(rest)]
        alike = [(place, array) for place, array in moved if array.shape == np.shape(exact)]
        if not alike:
            raise ValueError(f"no output has the shape {list(np.shape(exact))} of {name}")
        place, pairs[name] = min(alike, key=lambda pair: float(np.abs(pair[1] - exact).sum()))
        del rest[place]
    return pairs
