"""How far a quantised .tflite file is from ONNX Runtime: over data that it was calibrated with, and over others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from onnx_tf.check.interface import Interface
from onnx_tf.check.litert import LiteRT
from onnx_tf.check.onnx_runtime import OnnxRuntime
from onnx_tf.errors import CheckError
from onnx_tf.export.file_graph import FileGraph, Steps
from onnx_tf.model.loading import ModelSource

__all__ = ["GOOD_AGREEMENT", "OutputError", "QuantizedLiteRT", "Verdict", "verdict"]

GOOD_AGREEMENT = 0.9
"""The share of largest classes that should be the same."""
MAX_RATIO = 200.0
"""What counts as the ratio of equal numbers, in decibels."""


@dataclass(frozen=True)
class OutputError:
    """How far an output is from ONNX Runtime's.

    Attributes:
        name: the output's ONNX name.
        step: the size of a step of it; where it has none, 1/128 of its largest number.
        largest: the largest error of any number, in steps.
        mean: the mean error, in steps.
        noise_ratio: how far its signal is above its noise, in decibels.
        agreement: in which share of cases the same class is the largest: along the last axis, along the second of
            outputs of four axes and more; of integers, the share that is equal. ``None`` where there is one class.
    """

    name: str
    step: float
    largest: float
    mean: float
    noise_ratio: float
    agreement: float | None


@dataclass(frozen=True)
class Verdict:
    """How far a quantised file is from ONNX Runtime, which computes the graph as it is written.

    Attributes:
        calibration: each output, over samples that the file was calibrated with; empty if there are none.
        fresh: each output, over other samples.
        samples: how many samples of each kind were compared.
        origin: where the fresh samples come from.
        runtime: what ran the file.
        without_xnnpack: the largest error in steps, on the first sample, without that delegate.
    """

    calibration: tuple[OutputError, ...]
    fresh: tuple[OutputError, ...]
    samples: tuple[int, int]
    origin: str
    runtime: str
    without_xnnpack: float

    @property
    def agreement(self) -> float | None:
        """The least agreement of any output, over fresh samples if there are some; ``None`` if none has classes."""
        outputs = self.fresh or self.calibration
        return min((output.agreement for output in outputs if output.agreement is not None), default=None)

    @property
    def is_good(self) -> bool:
        """Whether the largest class is the same often enough, where there are classes."""
        return self.agreement is None or self.agreement >= GOOD_AGREEMENT


class QuantizedLiteRT(LiteRT):
    """A .tflite file that takes and gives floats, whatever dtypes it has inside."""

    def _computed(self, feeds: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        inputs, outputs = _ends(self.path)
        given = [{name: _in_steps(array, inputs.get(name)) for name, array in feed.items()} for feed in feeds]
        found = super()._computed(given)
        return [{name: _in_floats(array, outputs.get(name)) for name, array in result.items()} for result in found]


def verdict(
    path: Path,
    interface: Interface,
    model: ModelSource,
    calibration: Sequence[Mapping[str, Any]],
    fresh: Sequence[Mapping[str, Any]],
    origin: str,
) -> Verdict:
    """Compare a quantised file with ONNX Runtime.

    Args:
        path: the file.
        interface: what it takes and gives.
        model: the ONNX model.
        calibration: samples that it was calibrated with, in ONNX order.
        fresh: samples that it was not.
        origin: where these come from.

    Raises:
        OnnxTfError: ONNX Runtime is not installed, it cannot run the model on the samples, or LiteRT cannot run the
            file, or the outputs have other shapes.
    """
    feeds = [*calibration, *fresh]
    reference = OnnxRuntime(model, optimized=False)
    expected = [reference.run(feed) for feed in feeds]
    artifact = QuantizedLiteRT(path, interface)
    found = artifact.runs(feeds)
    first = QuantizedLiteRT(path, interface, xnnpack=False).runs(feeds[:1])
    steps = {name: float(end.steps.scale[0]) for name, end in _ends(path)[1].items() if end.steps.is_one}
    parts = [slice(0, len(calibration)), slice(len(calibration), None)]
    judged = [_outputs(expected[part], found[part], steps) for part in parts]
    other = max((output.largest for output in _outputs(expected[:1], first, steps)), default=0.0)
    return Verdict(judged[0], judged[1], (len(calibration), len(fresh)), origin, artifact.runtime, other)


@dataclass(frozen=True)
class _End:
    """An input or output that is quantised: its dtype, and its steps."""

    dtype: np.dtype
    steps: Steps


def _ends(path: Path) -> tuple[dict[str, _End], dict[str, _End]]:
    """Return a file's inputs and outputs that have steps, by name; of floats that are dequantised, what is behind."""
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    file, signature = FileGraph(model, model.subgraphs[0]), model.signatureDefs[0]
    inputs = {entry.name.decode(): _end(file, int(entry.tensorIndex)) for entry in signature.inputs}
    outputs = {}
    for entry in signature.outputs:
        producer, index = file.producers.get(entry.tensorIndex), int(entry.tensorIndex)
        if producer is not None and file.kind(producer) == "DEQUANTIZE":
            index = int(producer.inputs[0])
        outputs[entry.name.decode()] = _end(file, index)
    sides = ({name: end for name, end in side.items() if end is not None} for side in (inputs, outputs))
    return next(sides), next(sides)


def _end(file: FileGraph, index: int) -> _End | None:
    steps, dtype = file.steps(index), file.dtype(index)
    return None if steps is None or dtype is None or dtype.kind == "f" else _End(dtype, steps)


def _in_steps(array: np.ndarray, end: _End | None) -> np.ndarray:
    if end is None or array.dtype.kind != "f":
        return array
    limits = np.iinfo(end.dtype)
    return end.steps.quantized(array, limits.min, limits.max).astype(end.dtype)


def _in_floats(array: np.ndarray, end: _End | None) -> np.ndarray:
    if end is None or array.dtype.kind == "f":
        return array
    scale, zero_point = end.steps.spread(array.ndim)
    floats = (array.astype(np.float64) - zero_point) * scale
    return np.asarray(floats, np.float32)


def _outputs(
    expected: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]], steps: Mapping[str, float]
) -> tuple[OutputError, ...]:
    if not expected:
        return ()
    names = [name for name, value in expected[0].items() if isinstance(value, np.ndarray) and value.dtype.kind in "fiu"]
    return tuple(
        _error(name, [(e[name], f[name]) for e, f in zip(expected, found, strict=True)], steps) for name in names
    )


def _error(name: str, pairs: Sequence[tuple[np.ndarray, np.ndarray]], steps: Mapping[str, float]) -> OutputError:
    for wanted, given in pairs:
        if wanted.shape != given.shape:
            raise CheckError(
                f"output {name!r} has the shape {list(given.shape)} where {list(wanted.shape)} is expected"
            )
    wide = [(wanted.astype(np.float64), given.astype(np.float64)) for wanted, given in pairs]
    scale = max((float(np.abs(w[np.isfinite(w)]).max(initial=0.0)) for w, _ in wide), default=0.0)
    is_whole = pairs[0][0].dtype.kind in "iu"
    step = 1.0 if is_whole else steps.get(name) or max(scale, 1e-12) / 128
    gaps = [np.nan_to_num(np.abs(w - g), nan=math.inf, posinf=math.inf)[w != g] for w, g in wide]
    count = sum(w.size for w, _ in wide)
    total = sum(float(gap.sum()) for gap in gaps)
    noise = sum(float(np.square(gap).sum()) for gap in gaps)
    signal = sum(float(np.square(w[np.isfinite(w)]).sum()) for w, _ in wide)
    return OutputError(
        name,
        step,
        max((float(gap.max(initial=0.0)) for gap in gaps), default=0.0) / step,
        total / max(count, 1) / step,
        _decibels(signal, noise),
        _agreement(pairs),
    )


def _decibels(signal: float, noise: float) -> float:
    if not noise:
        return MAX_RATIO
    if not signal or not math.isfinite(noise):
        return -MAX_RATIO
    return min(10 * math.log10(signal / noise), MAX_RATIO)


def _agreement(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> float | None:
    same, count = 0, 0
    for wanted, given in pairs:
        if wanted.dtype.kind in "iu":
            equal = wanted == given
        else:
            axis = 1 if wanted.ndim >= _OF_IMAGES else -1
            if not wanted.ndim or wanted.shape[axis] < 2 or not wanted.size:
                return None
            equal = wanted.argmax(axis) == given.argmax(axis)
        same, count = same + int(np.sum(equal)), count + int(np.size(equal))
    return same / count if count else None


_OF_IMAGES = 4
