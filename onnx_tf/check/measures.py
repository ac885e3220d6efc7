"""What else is told of two tensors besides the error that is judged: of numbers, in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Measures", "measure", "worst_of"]


@dataclass(frozen=True)
class Measures:
    """How far a tensor of numbers is from what is expected, whatever its scale.

    Attributes:
        absolute: the largest difference of two finite elements.
        relative: the largest share of such a difference in what is expected, where that is not 0.
        cosine: of the angle between both, over their finite elements; ``None`` where one is all zeros.
        agreement: the share of rows along the last axis whose largest element is in the same place; ``None`` where
            rows have fewer than two elements.
        not_finite: how many elements are NaN or infinite.
    """

    absolute: float
    relative: float
    cosine: float | None
    agreement: float | None
    not_finite: int


def measure(expected: np.ndarray, actual: np.ndarray) -> Measures:
    """Return how far a tensor is from another of its shape.

    Args:
        expected: float64 of any shape.
        actual: float64 of the same shape.
    """
    finite = np.isfinite(expected) & np.isfinite(actual)
    count = int(np.count_nonzero(~np.isfinite(actual)))
    wanted, given = np.where(finite, expected, 0.0), np.where(finite, actual, 0.0)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        gap = np.abs(wanted - given)
        share = np.where(wanted == 0, 0.0, gap / np.abs(wanted))
    absolute, relative = float(gap.max(initial=0.0)), float(share.max(initial=0.0))
    return Measures(absolute, relative, _cosine(wanted, given), _agreement(expected, actual), count)


def worst_of(measures: Sequence[Measures | None]) -> Measures | None:
    """Return of each measure the worst of several runs, ``None`` where none has any."""
    known = [own for own in measures if own is not None]
    if not known:
        return None
    return Measures(
        max(own.absolute for own in known),
        max(own.relative for own in known),
        min((own.cosine for own in known if own.cosine is not None), default=None),
        min((own.agreement for own in known if own.agreement is not None), default=None),
        max(own.not_finite for own in known),
    )


def _cosine(one: np.ndarray, other: np.ndarray) -> float | None:
    scales = [float(np.abs(values).max(initial=0.0)) for values in (one, other)]
    if not all(scales):
        return None
    first, second = (values.ravel() / scale for values, scale in zip((one, other), scales, strict=True))
    cosine = float(first @ second / np.sqrt((first @ first) * (second @ second)))
    return min(1.0, max(-1.0, cosine))


def _agreement(expected: np.ndarray, actual: np.ndarray) -> float | None:
    if expected.ndim == 0 or expected.shape[-1] < 2 or not expected.size:
        return None
    return float(np.mean(np.argmax(expected, axis=-1) == np.argmax(actual, axis=-1)))
