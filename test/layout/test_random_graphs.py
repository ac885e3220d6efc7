"""Random graphs give the same numbers after the pass, and move what the minimum cut says.

So they do with labels at random: the choice costs bytes, never numbers.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onnx_tf.layout.network import solve
from test.layout.forcing import at_random
from test.layout.random_graphs import RandomGraph
from test.layout.running import assert_same_numbers, optimized


def check(seed: int, size: int) -> None:
    graph = RandomGraph(seed, size)
    proto = graph.model()
    for choose in (solve, at_random(seed)):
        model, report = optimized(proto, choose=choose)
        assert_same_numbers(proto, model, graph.feed)
        # Where roles meet in a Transpose, it may turn out to move nothing: then less is moved than was paid.
        assert report.bytes_moved <= report.cut_bytes


@given(seed=st.integers(0, 1 << 32), size=st.integers(1, 14))
@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_same_numbers(seed: int, size: int) -> None:
    check(seed, size)


def test_an_expanded_dimension_is_not_known_from_the_result() -> None:
    # The batch, named and 1 at run time, is expanded to 4.
    check(5260, 11)


def test_a_copy_serves_all_orders_that_differ_in_unit_axes() -> None:
    # A graph output in the ONNX order and a channels-first consumer of it are the same memory.
    check(1777, 14)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_ten_thousand_graphs() -> None:
    for seed in range(10_000):
        try:
            check(seed, 1 + seed % 14)
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
