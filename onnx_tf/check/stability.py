"""Whether rounding alone decides an output: where a model selects, the last digits of a score can change its choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from onnx_tf.check.compare import Difference, Tolerance, compare
from onnx_tf.check.expected import Expected
from onnx_tf.check.reference import Reference, open_reference
from onnx_tf.errors import OnnxTfError

__all__ = ["unstable_outputs"]

TRIES = 4
NOISE = 2e-6
"""What is added to the floats of inputs, as a share of their scale: what a few operations round."""


def unstable_outputs(
    expected: Expected, failing: Sequence[set[str]], limits: Callable[[Mapping[str, Any]], Mapping[str, Tolerance]]
) -> list[set[str]]:
    """Return for each run those of some outputs in which the reference differs from itself by rounding.

    It runs again on inputs whose floats differ in their last digits, a few times.

    Args:
        expected: the inputs and the outputs that are judged.
        failing: for each run the names of the outputs that are asked for.
        limits: returns for the outputs of a run what counts as equal.

    Raises:
        OnnxTfError: the reference cannot be opened again.
    """
    if not any(failing):
        return [set() for _ in failing]
    reference = open_reference(expected.model, optimized=expected.optimized)
    return [
        _unstable(reference, feed, outputs, names, limits(outputs)) if names else set()
        for feed, outputs, names in zip(expected.feeds, expected.outputs, failing, strict=True)
    ]


def _unstable(
    reference: Reference,
    feed: Mapping[str, Any],
    outputs: Mapping[str, Any],
    names: set[str],
    limits: Mapping[str, Tolerance],
) -> set[str]:
    found: set[str] = set()
    for seed in range(TRIES):
        if not names - found:
            break
        rng = np.random.default_rng(seed)
        noisy = {name: _noisy(value, rng) for name, value in feed.items()}
        try:
            again = reference.run(noisy)
        except OnnxTfError:
            continue
        differences: Sequence[Difference] = compare(outputs, again, limits).outputs
        found |= {output.name for output in differences if output.name in names and not output.fits}
    return found


def _noisy(value: Any, rng: np.random.Generator) -> Any:
    if isinstance(value, (list, tuple)):
        return [_noisy(item, rng) for item in value]
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return value
    scale = np.abs(value[np.isfinite(value)]).max(initial=0.0) * max(NOISE, float(np.finfo(value.dtype).eps))
    return (value + rng.uniform(-scale, scale, value.shape)).astype(value.dtype)
