"""What a conversion to quantised .tflite files needs besides the model: how, samples, and the comparison."""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from onnx_tf.calibration.samples import Data, Samples, collected
from onnx_tf.check.inputs import accepted_inputs, drawn_inputs
from onnx_tf.check.interface import Interface
from onnx_tf.check.onnx_runtime import OnnxRuntime
from onnx_tf.check.verdict import Verdict, verdict
from onnx_tf.errors import OptionError
from onnx_tf.export.post_training.kinds import Quantization, is_made_of_floats
from onnx_tf.export.tflite import PostTraining
from onnx_tf.model.loading import ModelSource
from onnx_tf.options import Options
from onnx_tf.pipeline import lower

__all__ = ["Quantizing", "quantizing"]

RANDOM = "random"
RANDOM_SAMPLES = 8
"""How many samples are drawn where random numbers are asked for."""
FRESH_EVERY = 5
"""Of so many samples the last is not calibrated with, but compared with."""
MAX_COMPARED = 32
"""With how many samples of each kind a file is compared, at most: the first ones."""


class Quantizing:
    """Samples, and how a model is quantised with them.

    Args:
        quantization: how.
        samples: what is calibrated with; ``None`` where no data were given.
        reference: gives the ONNX model to compare with.
        check: what is compared, see :func:`onnx_tf.convert`.
        progress: called as it goes on.
    """

    def __init__(
        self,
        quantization: Quantization,
        samples: Samples | None,
        reference: Callable[[], ModelSource],
        check: bool | Mapping[str, Any] | None,
        progress: Callable[[str], None],
    ) -> None:
        self.quantization, self.samples, self.reference = quantization, samples, reference
        self.check, self.progress = check, progress
        self.made: dict[str, Any] = {}
        count = 0 if samples is None else len(samples)
        holds = check in (None, True) and count >= FRESH_EVERY and (samples is None or samples.origin != RANDOM)
        self._fresh = [index for index in range(count) if holds and index % FRESH_EVERY == FRESH_EVERY - 1]
        self._used = [index for index in range(count) if index not in set(self._fresh)]

    def post_training(self, interface: Interface) -> PostTraining:
        """Return what the quantiser takes, for a model of an interface."""
        return PostTraining(self.quantization, _Flat(self, interface), self.progress, self.made)

    def feeds(self) -> Iterator[dict[str, np.ndarray]]:
        """Yield the samples to calibrate with, in ONNX order."""
        assert self.samples is not None
        for index in self._used:
            yield self.samples[index]

    def verdict(self, path: Path, interface: Interface) -> Verdict:
        """Compare a file with ONNX Runtime.

        Raises:
            OnnxTfError: as of :func:`onnx_tf.check.verdict.verdict`.
        """
        known = [] if self.samples is None else [self.samples[index] for index in self._used[:MAX_COMPARED]]
        model = self.reference()
        fresh: Sequence[Mapping[str, Any]] = []
        origin = "held out of the data"
        if isinstance(self.check, Mapping):
            fresh, origin = [self.check], "given to compare with"
        elif self.samples is not None:
            fresh = [self.samples[index] for index in self._fresh[:MAX_COMPARED]]
        else:
            drawn = drawn_inputs(interface.inputs, interface.channels_last_inputs)
            fresh, origin = [accepted_inputs(drawn, OnnxRuntime(model))[0]], "random numbers"
        return verdict(path, interface, model, known, fresh, origin)


class _Flat:
    """Samples by the names of a signature's inputs, as often as they are asked for."""

    def __init__(self, quantizing: Quantizing, interface: Interface) -> None:
        self.quantizing, self.interface = quantizing, interface

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        for feed in self.quantizing.feeds():
            yield {name: tensor.numpy() for name, tensor in self.interface.flat(feed).items()}


def quantizing(
    stack: contextlib.ExitStack,
    model: ModelSource,
    kinds: Iterable[str],
    quantization: Quantization,
    data: Data | None,
    edits: Options,
    reference: Callable[[], ModelSource],
    check: bool | Mapping[str, Any] | None,
    progress: Callable[[str], None],
) -> Quantizing | None:
    """Read what a conversion to these kinds is calibrated with; ``None`` where none of them is quantised by data.

    Args:
        stack: for as long as it is open, samples lie in a folder.
        model: the ONNX model.
        kinds: what is asked for.
        quantization: how it is quantised.
        data: the data.
        edits: what is changed of the model first.
        reference: gives the ONNX model to compare with.
        check: what is compared.
        progress: called as it goes on.

    Raises:
        OptionError: the settings do not fit the kinds, or data are missing or not needed.
        InputError: the data do not fit the model.
    """
    wanted = list(kinds)
    quantization.check(wanted)
    quantization.check_data(wanted, data is not None)
    if not any(map(is_made_of_floats, wanted)):
        return None
    samples = None
    if data is not None:
        source = model.clone() if isinstance(model, ir.Model) else model
        values = lower(source, edits, until="edit").model.graph.inputs
        inputs = [value for value in values if not value.is_initializer()]
        if not inputs:
            raise OptionError("the model has no inputs: there is nothing to calibrate")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        samples = _random(inputs, reference, folder) if _is_random(data) else collected(data, inputs, folder, progress)
    return Quantizing(quantization, samples, reference, check, progress)


def _is_random(data: Any) -> bool:
    return isinstance(data, str) and data == RANDOM


def _random(inputs: Sequence[ir.Value], reference: Callable[[], ModelSource], folder: Path) -> Samples:
    warnings.warn(
        "random numbers stand for calibration data: what the file computes is of no use but for tests of speed",
        stacklevel=4,
    )
    samples = Samples(folder, [str(value.name) for value in inputs], RANDOM)
    runtime, drawn = OnnxRuntime(reference()), drawn_inputs(inputs)
    for seed in range(RANDOM_SAMPLES):
        samples.add(accepted_inputs(drawn, runtime, seed)[0])
    return samples
