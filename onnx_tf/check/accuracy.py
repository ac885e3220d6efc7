"""``--check``: compare what was written with ONNX Runtime's results for the ONNX model that it came from."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from onnx_tf.check.artifacts import SavedModel
from onnx_tf.check.compare import Comparison, Difference, OfSteps, Tolerance, compare
from onnx_tf.check.inputs import accepted_inputs, described, drawn_inputs
from onnx_tf.check.interface import Interface, in_artifact_order, in_onnx_order
from onnx_tf.check.keras_file import KerasFile
from onnx_tf.check.known_differences import explanations
from onnx_tf.check.litert import LiteRT
from onnx_tf.check.onnx_runtime import OnnxRuntime
from onnx_tf.errors import OnnxTfError
from onnx_tf.model.loading import ModelSource, load_model
from onnx_tf.runtime.feeding import to_numpy

if TYPE_CHECKING:
    from onnx_tf.backend_rep import TensorflowRep

__all__ = ["Accuracy", "compare_keras", "compare_saved_model", "compare_tflite", "expected_outputs"]


@dataclass(frozen=True)
class Accuracy(Comparison):
    """How far an artefact is from ONNX Runtime.

    Attributes:
        outputs: the difference of each output.
        inputs: dtype and shape of what both were fed, by name, in the artefact's memory order.
        known: for each output that differs, what is known of ONNX Runtime's own ways on the
            operators that it comes from.
        runtime: what ran a .tflite or .keras file, as in ``ai-edge-litert 2.3.0``; empty for SavedModels.
        modes: the largest error of any output of a .tflite file with XNNPACK and without, by these words.
        unit: in what errors are counted, ``"steps"`` of a quantised file; empty where they are shares of the scale.
    """

    inputs: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    runtime: str = ""
    modes: Mapping[str, float] = field(default_factory=dict)
    unit: str = ""


def compare_saved_model(
    path: str | os.PathLike[str], rep: TensorflowRep, model: ModelSource, feed: Mapping[str, Any] | None = None
) -> Accuracy:
    """Load a SavedModel, call it, and compare its outputs with those of ONNX Runtime.

    Args:
        path: the SavedModel's folder.
        rep: the rep that wrote it.
        model: the ONNX model: a path, bytes, a ``ModelProto`` or an ``onnx_ir.Model``.
        feed: inputs by ONNX name, as the SavedModel takes them; by default random ones, in shapes
            that ONNX Runtime accepts.

    Raises:
        OnnxTfError: ONNX Runtime is not installed, or cannot run the model on these inputs.
    """
    interface = Interface.of(rep)
    given, expected, _ = expected_outputs(interface, model, feed)
    comparison = compare(expected, SavedModel(path, interface).run(given))
    return _accuracy(comparison.outputs, given, interface, model)


def compare_tflite(
    path: str | os.PathLike[str],
    rep: TensorflowRep,
    model: ModelSource,
    feed: Mapping[str, Any] | None = None,
    tolerance: Tolerance | None = None,
    steps: Mapping[str, float] | None = None,
) -> Accuracy:
    """Run a .tflite file in LiteRT's interpreter and compare its outputs with those of ONNX Runtime.

    It runs with the XNNPACK delegate and without, and on a second batch where that is open; of
    each output the worst counts.

    Args:
        path: the file.
        rep: the rep that wrote it.
        model: the ONNX model, see :func:`compare_saved_model`.
        feed: inputs by ONNX name, see :func:`compare_saved_model`.
        tolerance: what counts as equal.
        steps: of a quantised file, the sizes of the steps of its outputs, by name, as far as they have some. Errors
            are counted in steps then, of which two count as equal; in deep networks, where steps add up, twice as
            many as with XNNPACK and without are from each other. ONNX Runtime computes the graph as it is written:
            its own integer kernels are further off on some processors.

    Raises:
        OnnxTfError: ONNX Runtime is not installed, or cannot run the model on these inputs.
    """
    interface = Interface.of(rep)
    given, expected, reference = expected_outputs(interface, model, feed, optimized=steps is None)
    pairs = [(given, expected), *_twice(given, interface, reference)]
    wanted = [expected for _, expected in pairs]
    artifacts = {how: LiteRT(path, interface, xnnpack=xnnpack) for how, xnnpack in _MODES.items()}
    runs = {how: _found(artifact, pairs) for how, artifact in artifacts.items()}
    limits = tolerance if steps is None else _in_steps(wanted, list(runs.values()), steps)
    outputs = {how: _differences(found, wanted, limits, f"{how}: ") for how, found in runs.items()}
    modes = {how: max((output.error for output in own), default=0.0) for how, own in outputs.items()}
    runtime = next((artifact.runtime for artifact in artifacts.values() if artifact.runtime), "")
    judged = _accuracy(_worst(itertools.chain(*outputs.values())), given, interface, model)
    return replace(judged, runtime=runtime, modes=modes, unit="" if steps is None else "steps")


_MODES = {"with XNNPACK": True, "without XNNPACK": False}
_Run = list[dict[str, Any]] | OnnxTfError
"""The outputs for each feed, without padding, or why there are none."""


def _found(artifact: LiteRT | KerasFile, pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> _Run:
    try:
        results = artifact.runs([feed for feed, _ in pairs])
    except OnnxTfError as error:
        return error
    return [_without_padding(expected, found) for (_, expected), found in zip(pairs, results, strict=True)]


def _differences(
    found: _Run,
    wanted: Sequence[Mapping[str, Any]],
    tolerance: Tolerance | Mapping[str, Tolerance] | None = None,
    place: str = "",
) -> list[Difference]:
    if isinstance(found, OnnxTfError):
        return [Difference(name, math.inf, 0.0, f"{place}{found}") for name in wanted[0]]
    compared = (compare(*both, tolerance) for both in zip(wanted, found, strict=True))
    return [output for comparison in compared for output in comparison.outputs]


def _worst(outputs: Iterable[Difference]) -> tuple[Difference, ...]:
    """Return the worst difference of each output."""
    worst: dict[str, Difference] = {}
    for output in outputs:
        worst[output.name] = max(worst.get(output.name, output), output, key=_badness)
    return tuple(worst.values())


def _in_steps(
    expected: Sequence[Mapping[str, Any]], runs: Sequence[_Run], steps: Mapping[str, float]
) -> dict[str, Tolerance]:
    """Return how many steps each output may be off: two, or twice what the runs are from each other."""
    found = {name: OfSteps(steps.get(name)) for name in expected[0]}
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
    model: ModelSource,
    feed: Mapping[str, Any] | None = None,
    weights: str | os.PathLike[str] | None = None,
) -> Accuracy:
    """Load a file of Keras where this package is not, and compare its outputs with those of ONNX Runtime.

    It runs on a second batch too where that is open; of each output the worst counts.

    Args:
        path: a .keras file, the source of a model, or a model without weights as JSON.
        interface: what the model takes and gives.
        model: the ONNX model, see :func:`compare_saved_model`.
        feed: inputs by ONNX name, see :func:`compare_saved_model`.
        weights: the .npz or .weights.h5 file that goes with it.

    Raises:
        OnnxTfError: ONNX Runtime is not installed, or cannot run the model on these inputs.
    """
    given, expected, reference = expected_outputs(interface, model, feed)
    pairs = [(given, expected), *_twice(given, interface, reference)]
    artifact = KerasFile(path, interface, weights)
    outputs = _differences(_found(artifact, pairs), [expected for _, expected in pairs])
    return replace(_accuracy(_worst(outputs), given, interface, model), runtime=artifact.runtime)


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


def _badness(output: Difference) -> tuple[bool, float]:
    return bool(output.reason), output.error


def expected_outputs(
    interface: Interface, model: ModelSource, feed: Mapping[str, Any] | None, *, optimized: bool = True
) -> tuple[dict[str, Any], dict[str, Any], OnnxRuntime]:
    """Return inputs, ONNX Runtime's outputs for them, both in ONNX order, and the session.

    Args:
        interface: what the artefact takes and gives.
        model: the ONNX model: a path, bytes, a ``ModelProto`` or an ``onnx_ir.Model``.
        feed: inputs by ONNX name, as the artefact takes them; by default random ones, in shapes that ONNX Runtime
            accepts.
        optimized: whether ONNX Runtime may rewrite the graph.

    Raises:
        OnnxTfError: ONNX Runtime is not installed, or cannot run the model on these inputs.
    """
    moved = interface.channels_last_inputs
    try:
        reference = OnnxRuntime(model, optimized=optimized)
        if feed is None:
            given, expected = accepted_inputs(drawn_inputs(interface.inputs, moved), reference)
        else:
            bound = interface.bound(feed)
            dtypes = {str(value.name): value.dtype for value in interface.inputs}
            given = in_onnx_order({name: to_numpy(value, dtypes[name]) for name, value in bound.items()}, moved)
            expected = reference.run(given)
    except OnnxTfError as error:
        known = explanations(load_model(model))
        if not known:
            raise
        raise type(error)("\n".join([error.marked, *known])) from error
    return given, expected, reference


def _twice(
    given: Mapping[str, Any], interface: Interface, reference: OnnxRuntime
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return a batch of twice the size and what ONNX Runtime makes of it, if all inputs take one and it runs."""
    values = [value for value in interface.inputs if str(value.name) in given]
    is_open = [bool(value.shape) and not isinstance(value.shape[0], int) for value in values]  # type: ignore[index]
    if not any(is_open):
        return []
    feed = dict(given)
    for value, may_grow in zip(values, is_open, strict=True):
        array = given[str(value.name)]
        if may_grow and isinstance(array, np.ndarray):
            feed[str(value.name)] = np.concatenate([array, array])
    try:
        return [(feed, reference.run(feed))]
    except OnnxTfError:
        return []


def _accuracy(
    outputs: tuple[Difference, ...], given: Mapping[str, Any], interface: Interface, model: ModelSource
) -> Accuracy:
    shown = {name: described(v) for name, v in in_artifact_order(given, interface.channels_last_inputs).items()}
    return Accuracy(outputs, shown, _known(model, outputs))


def _known(model: ModelSource, outputs: tuple[Difference, ...]) -> dict[str, tuple[str, ...]]:
    differing = [output.name for output in outputs if not output.fits]
    if not differing:
        return {}
    loaded = load_model(model)
    found = {name: tuple(explanations(loaded, name)) for name in differing}
    return {name: sentences for name, sentences in found.items() if sentences}
