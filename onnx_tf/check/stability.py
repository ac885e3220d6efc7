"""Whether rounding alone decides an output: where a model selects, the last digits of a score can change its choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from onnx_tf.check.compare import Tolerance, compare
from onnx_tf.check.expected import Expected
from onnx_tf.check.reference import Reference, open_reference
from onnx_tf.errors import OnnxTfError

__all__ = ["shape_of", "unstable_outputs"]

TRIES = 4
NOISE = 2e-6
"""What is added to the floats of inputs, as a share of their scale: what a few operations round."""


Shape = tuple[int, ...]
Failing = Mapping[str, set[Shape]]
"""The outputs of a run that differ, with the shapes that they have."""


def unstable_outputs(
    expected: Expected, failing: Sequence[Failing], limits: Callable[[Mapping[str, Any]], Mapping[str, Tolerance]]
) -> list[set[str]]:
    """Return for each run those of the outputs that differ in which the reference differs from itself by rounding.

    It runs again on inputs whose floats differ in their last digits, a few times. An output of a shape that it
    never has then is none of them.

    Args:
        expected: the inputs and the outputs that are judged.
        failing: the outputs of each run that differ.
        limits: returns for the outputs of a run what counts as equal.

    Raises:
        OnnxTfError: the reference cannot be opened again.
    """
    if not any(failing):
        return [set() for _ in failing]
    reference = open_reference(expected.model, optimized=expected.optimized)
    return [
        _unstable(reference, feed, outputs, own, limits(outputs)) if own else set()
        for feed, outputs, own in zip(expected.feeds, expected.outputs, failing, strict=True)
    ]


def _unstable(
    reference: Reference,
    feed: Mapping[str, Any],
    outputs: Mapping[str, Any],
    failing: Failing,
    limits: Mapping[str, Tolerance],
) -> set[str]:
    changed: set[str] = set()
    shapes = {name: {shape_of(outputs[name])} for name in failing}
    for seed in range(TRIES):
        rng = np.random.default_rng(seed)
        noisy = {name: _noisy(value, rng) for name, value in feed.items()}
        try:
            again = reference.run(noisy)
        except OnnxTfError:
            continue
        changed |= {output.name for output in compare(outputs, again, limits).outputs if not output.fits}
        for name in failing:
            shapes[name].add(shape_of(again[name]))
    return {name for name, found in failing.items() if name in changed and found <= shapes[name]}


def shape_of(value: Any) -> Shape:
    """Return the shape of a tensor, the length of anything else."""
    if isinstance(value, np.ndarray):
        return value.shape
    return (0 if value is None else len(value),)


def _noisy(value: Any, rng: np.random.Generator) -> Any:
    if isinstance(value, (list, tuple)):
        return [_noisy(item, rng) for item in value]
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return value
    scale = np.abs(value[np.isfinite(value)]).max(initial=0.0) * max(NOISE, float(np.finfo(value.dtype).eps))
    return (value + rng.uniform(-scale, scale, value.shape)).astype(value.dtype)
