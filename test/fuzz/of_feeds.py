"""Sound models that are given what does not fit them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from test.fuzz.case import Case
from test.fuzz.seeds import Seed

__all__ = ["make"]

RUNS = 8
"""Cases that share a model."""

DTYPES = (
    "float32",
    "float64",
    "float16",
    "int64",
    "int32",
    "int8",
    "uint8",
    "uint64",
    "bool",
    "complex64",
    "object",
    "U3",
)
LIMITS = (0, -1, 1, 127, -128, 2**31 - 1, -(2**31), 2**62, 2**63 - 1, -(2**63), np.nan, np.inf, -np.inf, 1e30)


def make(rng: random.Random, seeds: Sequence[Seed], number: int) -> Case:
    """Return a model and inputs of which one to all are changed."""
    seed = seeds[random.Random(number // RUNS).randrange(len(seeds))]
    feed = list(seed.inputs)
    done = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        if not feed:
            break
        place = rng.randrange(len(feed))
        change = rng.choice(CHANGES)
        done.append(change)
        feed[place] = _changed(rng, feed[place], change)
    if rng.random() < 0.1:
        feed = feed[:-1] if rng.random() < 0.5 else [*feed, np.ones(2, np.float32)]
        done.append("count")
    return Case(f"{', '.join(done)}: {seed.name}", seed.content, tuple(feed), key=seed.name)


CHANGES = ("shape", "shape", "axes", "empty", "dtype", "numbers", "numbers", "numbers", "kind", "memory")


def _changed(rng: random.Random, value: Any, change: str) -> Any:
    if not isinstance(value, (np.ndarray, np.generic)):
        return rng.choice((None, [], [value], 3, "text", np.ones(2, np.float32), {}))
    array = np.asarray(value)
    if change == "shape":
        dims = [rng.choice((dim, dim, 1, dim + 1, 2 * dim)) for dim in array.shape]
        return np.resize(array, dims) if array.size else np.zeros(dims, array.dtype)
    if change == "axes":
        return array[np.newaxis] if rng.random() < 0.5 or not array.ndim else array.reshape(-1)
    if change == "empty":
        return np.zeros([rng.choice((0, dim)) for dim in array.shape], array.dtype)
    if change == "dtype":
        try:
            with np.errstate(all="ignore"):
                return array.astype(rng.choice(DTYPES))
        except (OverflowError, TypeError, ValueError):
            return array.astype(object)
    if change == "numbers":
        return _other_numbers(rng, array)
    if change == "memory":
        return np.asfortranarray(array)[..., ::-1] if array.ndim else array
    return rng.choice(
        (None, 3, -1.5, "text", b"bytes", [], [[1], [2, 3]], array.tolist(), {"a": 1}, (array,), np.array(None))
    )


def _other_numbers(rng: random.Random, array: np.ndarray) -> np.ndarray:
    changed = array.copy()
    flat = changed.reshape(-1)
    for _ in range(min(flat.size, rng.choice((1, 1, 3, 1000)))):
        limit = rng.choice(LIMITS)
        try:
            with np.errstate(all="ignore"):
                flat[rng.randrange(flat.size)] = limit
        except (ValueError, OverflowError, TypeError):
            continue
    return changed
