"""Repetitions in a sequence of calls, for want of scopes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["DEFINITION_LINES", "best_repetition"]

DEFINITION_LINES = 4
"""What a function takes besides the lines of its body."""


def best_repetition(kinds: Sequence[Any]) -> Any:
    """Return where a repetition begins, how long one is and how often it is there; ``None`` where none saves lines."""
    numbers = {kind: index for index, kind in enumerate(dict.fromkeys(kinds))}
    row = np.array([numbers[kind] for kind in kinds])
    best, most = None, 0
    for period in range(2, len(row) // 2 + 1):
        equal = np.concatenate([[False], row[:-period] == row[period:], [False]])
        edges = np.flatnonzero(equal[1:] != equal[:-1])
        for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            unit = row[start : start + period]
            if any(period % part == 0 and (unit == np.resize(unit[:part], period)).all() for part in range(1, period)):
                continue  # a shorter one repeats
            count = (end - start) // period + 1
            saved = count * period - count - period - DEFINITION_LINES
            if count > 1 and saved > most:
                best, most = (start, period, count), saved
    return best
