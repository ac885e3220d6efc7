"""How the numbers of a tensor are spread, and the range whose steps of 8 bits lose least of them.

Wider steps round all numbers by more, narrower ones saturate the rare ones. Both errors are squared and added up over a
histogram; the step's own error is that of a number anywhere within it, a twelfth of its square.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["Spread"]

BINS = 4096
SMALLEST = -100
"""The exponent of the smallest reach: float32 holds the number of bins over it."""
STEPS = 255
SHARES = np.linspace(0.1, 1, 91)
"""The shares of the least and of the largest number that are tried as the ends of the range."""


class Spread:
    """A histogram of any number of samples, around 0; it doubles its reach where numbers do not fit.

    Attributes:
        low: the least number.
        high: the largest number.
    """

    def __init__(self) -> None:
        self.low, self.high = math.inf, -math.inf
        self._reach, self._counts = 0.0, np.zeros(BINS, np.int64)

    def add(self, array: np.ndarray) -> None:
        """Count the numbers of a sample; zeros, which every range holds exactly, and infinities are left out."""
        self.low, self.high = min(self.low, float(array.min())), max(self.high, float(array.max()))
        counted = array[np.isfinite(array) & (array != 0)]
        if not counted.size:
            return
        self._widen(float(np.abs(counted).max()))
        places = counted * np.float32(BINS / 2 / self._reach) + np.float32(BINS / 2)
        self._counts += np.bincount(np.minimum(places.astype(np.int64), BINS - 1), minlength=BINS)

    def _widen(self, most: float) -> None:
        if most <= self._reach:
            return
        reach = 2.0 ** max(math.ceil(math.log2(most)), SMALLEST)
        merged = min(round(reach / self._reach), BINS) if self._reach else BINS
        inner = self._counts.reshape(-1, merged).sum(axis=1)
        self._counts = np.zeros(BINS, np.int64)
        self._counts[(BINS - inner.size) // 2 :][: inner.size] = inner
        self._reach = reach

    def closest(self) -> tuple[float, float]:
        """Return the range that loses least, both ends of which are shares of the least and the largest number."""
        low, high = min(self.low, 0.0), max(self.high, 0.0)
        if not (self._reach and math.isfinite(high - low)):
            return self.low, self.high
        lows, highs = (np.unique(SHARES * end) for end in (low, high))
        centres = (np.arange(BINS) + 0.5) * (2 * self._reach / BINS) - self._reach
        below, fewer = _saturating(-centres[::-1], self._counts[::-1], -lows)
        above, more = _saturating(centres, self._counts, highs)
        steps = (highs - lows[:, np.newaxis]) / STEPS
        inside = self._counts.sum() - fewer[:, np.newaxis] - more
        lost = below[:, np.newaxis] + above + inside * np.square(steps) / 12
        row, column = np.unravel_index(np.argmin(lost), lost.shape)
        return float(lows[row]), float(highs[column])


def _saturating(centres: np.ndarray, counts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the squared error of what lies above each end of a range, and how many numbers that are."""
    sums = [np.append(np.cumsum((counts * power)[::-1])[::-1], 0) for power in (1, centres, np.square(centres))]
    first = np.searchsorted(centres, ends)
    many, linear, squared = (part[first] for part in sums)
    return squared - 2 * ends * linear + many * np.square(ends), many
