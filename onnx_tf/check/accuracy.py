"""Compare what was written with the reference's results for the ONNX model that it came from."""

from __future__ import annotations

import collections
import itertools
import math
import os
from collections.abc import Callable, Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from onnx_tf.check.artifacts import SavedModel
from onnx_tf.check.compare import (
    ANY,
    Comparison,
    Difference,
    OfScale,
    OfSteps,
    Tolerance,
    compare,
    step_tolerance,
    worst,
)
from onnx_tf.check.expected import Expected
from onnx_tf.check.frozen_graph import FrozenGraph
from onnx_tf.check.inputs import described
from onnx_tf.check.interface import Interface, in_artifact_order
from onnx_tf.check.keras_file import KerasFile
from onnx_tf.check.known_differences import explanations
from onnx_tf.check.litert import LiteRT
from onnx_tf.check.stability import shape_of, unstable_outputs
from onnx_tf.errors import OnnxTfError
from onnx_tf.model.loading import ModelSource, load_model

if TYPE_CHECKING:
    from onnx_tf.backend_rep import TensorflowRep
    from onnx_tf.splitting.whole import Whole

__all__ = [
    "Accuracy",
    "compare_frozen_graph",
    "compare_keras",
    "compare_saved_model",
    "compare_tflite",
    "compare_whole",
]


@dataclass(frozen=True)
class Accuracy(Comparison):
    """How far an artefact is from the reference.

    Attributes:
        outputs: the difference of each output, of several runs the worst.
        fed: for each run dtype and shape of what both were fed, by name, in the artefact's memory order.
        reference: what it was compared with, as in ``ONNX Runtime 1.32.0``.
        random: the outputs that depend on random numbers, of which shape and dtype count alone.
        unstable: in how many runs an output does not count, by name: it differs, but so does the reference from itself
            where its inputs differ in their last digits.
        known: for each output that differs, what is known of ONNX Runtime's own ways on the
            operators that it comes from.
        runtime: what ran a .tflite or .keras file, as in ``ai-edge-litert 2.3.0``; empty for SavedModels.
        modes: the largest error of any output of a .tflite file with XNNPACK and without, by these words; of a .keras
            file ``called`` and by ``predict``.
        unit: in what errors are counted, ``"steps"`` of a quantised file, ``"of what is allowed"`` where tolerances are
            stated; empty where they are shares of the scale.
    """

    fed: tuple[Mapping[str, str], ...] = ()
    reference: str = ""
    random: Collection[str] = ()
    unstable: Mapping[str, int] = field(default_factory=dict)
    known: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    runtime: str = ""
    modes: Mapping[str, float] = field(default_factory=dict)
    unit: str = ""

    @property
    def inputs(self) -> Mapping[str, str]:
        """What both were fed in the first run."""
        return self.fed[0]


def compare_saved_model(
    path: str | os.PathLike[str], rep: TensorflowRep, expected: Expected, tolerance: Tolerance | None = None
) -> Accuracy:
    """Load a SavedModel, call it, and compare its outputs with those that are expected.

    Args:
        path: the SavedModel's folder.
        rep: the rep that wrote it.
        expected: see :func:`~onnx_tf.check.expected.expected_of`.
        tolerance: what counts as equal.

    Raises:
        OnnxTfError: it cannot be loaded.
    """
    interface = Interface.of(rep)
    return _judged({"": _found(SavedModel(path, interface), expected)}, interface, expected, tolerance)


def compare_frozen_graph(
    path: str | os.PathLike[str], rep: TensorflowRep, expected: Expected, tolerance: Tolerance | None = None
) -> Accuracy:
    """Run a frozen graph in a session, and compare its outputs with those that are expected.

    Args:
        path: the .pb file.
        rep: the rep that wrote it.
        expected: see :func:`~onnx_tf.check.expected.expected_of`.
        tolerance: what counts as equal.

    Raises:
        OnnxTfError: it cannot be loaded.
    """
    interface = Interface.of(rep)
    return _judged({"": _found(FrozenGraph(path, interface), expected)}, interface, expected, tolerance)


def compare_tflite(
    path: str | os.PathLike[str],
    rep: TensorflowRep,
    expected: Expected,
    tolerance: Tolerance | None = None,
    steps: Mapping[str, float] | None = None,
) -> Accuracy:
    """Run a .tflite file in LiteRT's interpreter and compare its outputs with those that are expected.

    It runs with the XNNPACK delegate and without; of each output the worst counts.

    Args:
        path: the file.
        rep: the rep that wrote it.
        expected: see :func:`~onnx_tf.check.expected.expected_of`.
        tolerance: what counts as equal.
        steps: of a quantised file, the sizes of the steps of its outputs, by name, as far as they have some. Errors
            are counted in steps then, of which two count as equal; in deep networks, where steps add up, twice as
            many as with XNNPACK and without are from each other. What is expected is of the graph as it is written:
            ONNX Runtime's own integer kernels are further off on some processors.

    Raises:
        OnnxTfError: the interpreter cannot be started.
    """
    interface = Interface.of(rep)
    artifacts = {how: LiteRT(path, interface, xnnpack=xnnpack) for how, xnnpack in _MODES.items()}
    runs = {how: _found(artifact, expected) for how, artifact in artifacts.items()}
    judged = _judged(runs, interface, expected, tolerance, steps)
    runtime = next((artifact.runtime for artifact in artifacts.values() if artifact.runtime), "")
    return replace(judged, runtime=runtime)


def compare_whole(
    artifacts: Mapping[str, Whole], interface: Interface, expected: Expected, tolerance: Tolerance | None = None
) -> Accuracy:
    """Run the parts of a model one after the other, in one or several ways, and compare what they give.

    Args:
        artifacts: what runs them, by the ways' names.
        interface: what the model takes and gives.
        expected: see :func:`~onnx_tf.check.expected.expected_of`.
        tolerance: what counts as equal.
    """
    runs = {how: _found(artifact, expected) for how, artifact in artifacts.items()}
    judged = _judged(runs, interface, expected, tolerance)
    return replace(judged, runtime=next((own.runtime for own in artifacts.values() if own.runtime), ""))


_MODES = {"with XNNPACK": True, "without XNNPACK": False}
_Run = list[dict[str, Any]] | OnnxTfError
"""The outputs for each feed, without padding, or why there are none."""


def _found(artifact: FrozenGraph | SavedModel | LiteRT | Whole, expected: Expected) -> _Run:
    try:
        results = artifact.runs(expected.feeds)
    except OnnxTfError as error:
        return error
    return [_without_padding(wanted, found) for wanted, found in zip(expected.outputs, results, strict=True)]


def _judged(
    runs: Mapping[str, _Run],
    interface: Interface,
    expected: Expected,
    tolerance: Tolerance | None = None,
    steps: Mapping[str, float] | None = None,
) -> Accuracy:
    """Return the verdict over what an artefact gave in one or several ways."""
    integer_limits = None if steps is None else _in_steps(expected, list(runs.values()), steps)

    def limits(outputs: Mapping[str, Any]) -> Mapping[str, Tolerance]:
        return integer_limits or _limits(outputs, expected, tolerance)

    found = {how: _differences(run, expected, limits, f"{how}: " if how else "") for how, run in runs.items()}
    failing = [_failing(i, runs, found) for i in range(len(expected.feeds))]
    known = _known(expected.model, [output for own in itertools.chain(*found.values()) for output in own])
    may_choose = expected.selecting - set(known)
    unclear = [{name: shapes for name, shapes in own.items() if name in may_choose} for own in failing]
    unstable = unstable_outputs(expected, unclear, limits)
    kept = {
        how: [_unless(output, names) for outputs, names in zip(own, unstable, strict=True) for output in outputs]
        for how, own in found.items()
    }
    modes = {how: max((output.error for output in own), default=0.0) for how, own in kept.items() if how}
    by_name: dict[str, list[Difference]] = {}
    for output in itertools.chain(*kept.values()):
        by_name.setdefault(output.name, []).append(output)
    judged = tuple(map(worst, by_name.values()))
    moved = interface.channels_last_inputs
    fed = tuple({k: described(v) for k, v in in_artifact_order(feed, moved).items()} for feed in expected.feeds)
    counts = collections.Counter(itertools.chain(*unstable))
    unit = "steps" if steps is not None or expected.quantized else ""
    if expected.strictness.tolerance is not None and steps is None:
        unit = "of what is allowed"
    return Accuracy(judged, fed, expected.reference, expected.random, counts, known, modes=modes, unit=unit)


def _failing(
    index: int, runs: Mapping[str, _Run], found: Mapping[str, Sequence[Sequence[Difference]]]
) -> dict[str, set[tuple[int, ...]]]:
    """Return the outputs that differ in a run in any way, with their shapes."""
    failing: dict[str, set[tuple[int, ...]]] = {}
    for how, differences in found.items():
        run = runs[how]
        if isinstance(run, OnnxTfError):
            continue
        for output in differences[index]:
            if not output.fits and output.name in run[index]:
                failing.setdefault(output.name, set()).add(shape_of(run[index][output.name]))
    return failing


def _limits(outputs: Mapping[str, Any], expected: Expected, tolerance: Tolerance | None) -> dict[str, Tolerance]:
    """Return what counts as equal for each output of a run."""
    limits: dict[str, Tolerance] = {}
    stated = expected.strictness.tolerance
    for name, value in outputs.items():
        if stated is not None and isinstance(value, np.ndarray) and stated.is_numeric(value.dtype):
            limits[name] = stated
        else:
            limits[name] = step_tolerance(value) if expected.quantized else tolerance or OfScale()
    return limits | dict.fromkeys(expected.random, ANY)


def _differences(
    found: _Run, expected: Expected, limits: Callable[[Mapping[str, Any]], Mapping[str, Tolerance]], place: str
) -> list[list[Difference]]:
    """Return the difference of each output in each run."""
    if isinstance(found, OnnxTfError):
        return [[Difference(n, math.inf, 0.0, f"{place}{found}") for n in outputs] for outputs in expected.outputs]
    pairs = zip(expected.outputs, found, strict=True)
    return [list(compare(wanted, given, limits(wanted)).outputs) for wanted, given in pairs]


def _unless(output: Difference, unstable: Collection[str]) -> Difference:
    """Return a difference that counts as equal where rounding alone decides."""
    if output.name not in unstable or output.fits:
        return output
    return Difference(output.name, 0.0, output.tolerance)


def _in_steps(expected: Expected, runs: Sequence[_Run], steps: Mapping[str, float]) -> dict[str, Tolerance]:
    """Return how many steps each output may be off: two, or twice what the runs are from each other."""
    found = {name: OfSteps(steps.get(name)) for name in expected.outputs[0]}
    whole = [run for run in runs if not isinstance(run, OnnxTfError)]
    apart = dict.fromkeys(found, 0.0)
    for one, other in zip(whole[0], whole[1], strict=True) if len(whole) > 1 else ():
        for output in compare(one, other, found).outputs:
            if not output.reason:
                apart[output.name] = max(apart[output.name], output.error)
    return {name: replace(own, steps=max(own.steps, 2 * apart[name])) for name, own in found.items()}


def compare_keras(
    path: str | os.PathLike[str],
    interface: Interface,
    expected: Expected,
    weights: str | os.PathLike[str] | None = None,
) -> Accuracy:
    """Load a file of Keras where this package is not, and compare its outputs with those that are expected.

    The model is called, and predicts what its backend compiles; of each output the worst counts.

    Args:
        path: a .keras file, the source of a model, or a model without weights as JSON.
        interface: what the model takes and gives.
        expected: see :func:`~onnx_tf.check.expected.expected_of`.
        weights: the .npz or .weights.h5 file that goes with it.

    Raises:
        OnnxTfError: Keras cannot be started.
    """
    artifact = KerasFile(path, interface, weights)
    judged = _judged(dict(artifact.ways(expected.feeds)), interface, expected)
    return replace(judged, runtime=artifact.runtime)


def _without_padding(expected: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs without rows that outputs of the artefact's own say not to count, and without these.

    Such an output is one number, and an axis loses its end where that leaves as many elements as are expected.
    """
    counts = {int(np.ravel(value)[0]) for name, value in found.items() if name not in expected}
    return {name: _trimmed(expected[name], found[name], counts) for name in expected if name in found}


def _trimmed(expected: Any, found: Any, counts: Container[int]) -> Any:
    if not (isinstance(expected, np.ndarray) and isinstance(found, np.ndarray)) or expected.ndim != found.ndim:
        return found
    sizes = zip(expected.shape, found.shape, strict=True)
    return found[tuple(slice(n if n < more and n in counts else None) for n, more in sizes)]


def _known(model: ModelSource, outputs: Sequence[Difference]) -> dict[str, tuple[str, ...]]:
    """Return what is known of ONNX Runtime's own ways for those outputs that differ."""
    differing = {output.name for output in outputs if not output.fits}
    if not differing:
        return {}
    loaded = load_model(model)
    found = {name: tuple(explanations(loaded, name)) for name in differing}
    return {name: sentences for name, sentences in found.items() if sentences}
