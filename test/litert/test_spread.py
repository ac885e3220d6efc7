"""The range whose steps lose least of the numbers of a tensor, against ranges that are tried one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from onnx_tf.export.post_training.spread import Spread

RNG = np.random.default_rng(0)
NUMBERS = {
    "normal": RNG.standard_normal(40000),
    "rectified": np.maximum(RNG.standard_normal(40000), 0),
    "of a few far ones": RNG.standard_t(2, 40000),
    "below zero": -RNG.exponential(3, 40000),
    "away from zero": RNG.uniform(5, 6, 40000),
    "small": RNG.standard_normal(40000) * 1e-30,
    "large": RNG.standard_normal(40000) * 1e30,
    "ones and zeros": RNG.integers(0, 2, 40000),
}


def spread_of(*samples) -> Spread:
    spread = Spread()
    for sample in samples:
        spread.add(np.asarray(sample, np.float32))
    return spread


def lost(array, low, high) -> float:
    """The squared error of 256 steps over a range."""
    scale = (high - low) / 255
    zero_point = np.rint(-128 - low / scale)
    found = (np.clip(np.rint(array / scale) + zero_point, -128, 127) - zero_point) * scale
    return float(np.square(found - array).sum())


@pytest.mark.parametrize("name", NUMBERS)
def test_no_range_loses_much_less(name):
    array = NUMBERS[name].astype(np.float32).astype(np.float64)
    low, high = spread_of(*np.split(array, 8)).closest()
    ends = [np.linspace(0.1, 1, 30) * end for end in (min(array.min(), 0), max(array.max(), 0))]
    pairs = [(a, b) for a, b in itertools.product(*map(np.unique, ends)) if b > a]
    assert lost(array, low, high) <= 1.02 * min(itertools.starmap(lambda a, b: lost(array, a, b), pairs))
    assert min(array.min(), 0) <= low <= 0 <= high <= max(array.max(), 0)


def test_few_far_numbers_saturate_and_others_do_not():
    few = np.append(np.tile(NUMBERS["normal"], 10), [30, -30])
    assert max(np.abs(spread_of(few).closest())) < 20
    assert spread_of(NUMBERS["away from zero"]).closest()[1] == pytest.approx(6, rel=1e-3)


def test_the_order_of_samples_does_not_count():
    samples = [RNG.standard_normal(100) * factor for factor in (0.001, 50, 1, 7, 0.3)]
    assert len({spread_of(*order).closest() for order in itertools.permutations(samples)}) == 1


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([0, 0], (0, 0)),
        ([3], (0, 3)),
        ([-2, -2], (-2, 0)),
        ([1, np.inf], (1, np.inf)),
        ([2.0**-149], (0, 2.0**-149)),
    ],
)
def test_what_has_no_spread_keeps_its_numbers(numbers, expected):
    np.testing.assert_allclose(spread_of(numbers).closest(), expected, rtol=1e-6)
