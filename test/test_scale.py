"""Conversion takes time in proportion to a model's operators, inputs, outputs and uses."""

from __future__ import annotations

import cProfile
import pstats

import pytest

from bench.scale import KINDS, model_of
from onnx_tf import prepare
from onnx_tf.pipeline import lower

SIZE, FACTOR = 150, 4
GROWTH = 1.3
"""Linear is 1 at most, what is done once takes from it; the square of what is large would be up to ``FACTOR``."""


def work(kind: str, size: int) -> int:
    """Return how many functions are called on the way: unlike time it is the same each time."""
    model = model_of(kind, size)
    profile = cProfile.Profile()
    profile.runcall(lower, model)
    return pstats.Stats(profile).total_calls  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("kind", KINDS)
def test_the_work_of_the_steps_is_linear(kind: str) -> None:
    work(kind, 20)  # imports and caches
    assert work(kind, SIZE * FACTOR) <= work(kind, SIZE) * FACTOR * GROWTH


@pytest.mark.parametrize("kind", KINDS)
def test_the_models_are_such_as_convert(kind: str) -> None:
    assert prepare(model_of(kind, 5)).outputs
