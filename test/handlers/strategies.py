"""Hypothesis strategies for shapes and arrays, few examples each so that tests stay quick."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

FLOATS = [np.float16, np.float32, np.float64]
INTEGERS = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -2.5, 3.75, 100.0, -300.0, np.inf, -np.inf, np.nan]

few = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # to shrink a failure would take minutes
    suppress_health_check=list(HealthCheck),
)
"""The settings of a test whose examples each convert a model."""


def shapes(min_rank: int = 0, max_rank: int = 3, min_dim: int = 0) -> st.SearchStrategy[tuple[int, ...]]:
    """Return shapes with dimensions up to 4; 0 and 1 are among them."""
    return hnp.array_shapes(min_dims=min_rank, max_dims=max_rank, min_side=min_dim, max_side=4)


def elements(dtype: Any, *, finite: bool = False) -> st.SearchStrategy[Any]:
    """Return numbers of a dtype: the special ones of floats, small and extreme integers."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return st.sampled_from([x for x in SPECIAL if not finite or np.isfinite(x)])
    if dtype.kind == "b":
        return st.booleans()
    limits = np.iinfo(dtype)
    extreme = [] if finite else [limits.min, limits.max, limits.max - 1]
    return st.sampled_from([x for x in (0, 1, 2, 3, 5, 7, -1, -2, -6) if x >= limits.min] + extreme)


def arrays(dtype: Any, shape: Any, *, finite: bool = False) -> st.SearchStrategy[np.ndarray]:
    """Return arrays of a dtype and a shape or strategy of shapes."""
    return hnp.arrays(dtype, shape, elements=elements(dtype, finite=finite), fill=st.nothing())


@st.composite
def broadcastable(draw: Callable[..., Any], count: int = 2) -> tuple[tuple[int, ...], ...]:
    """Return shapes that broadcast against each other, of any ranks."""
    return draw(hnp.mutually_broadcastable_shapes(num_shapes=count, min_side=0, max_side=3, max_dims=3)).input_shapes


def normal(data: Any, *shape: int, dtype: Any = np.float32) -> np.ndarray:
    """Return normally distributed numbers of a drawn seed: cheaper than to draw each."""
    seed = data.draw(st.integers(0, 99))
    return np.asarray(np.random.default_rng(seed).standard_normal(shape), dtype)


def one_of(data: Any, *choices: Any) -> Any:
    """Return a drawn one of the choices."""
    return data.draw(st.sampled_from(choices))


def a_way(data: Any) -> list[str]:
    """Return a drawn way for ``check_op`` to go: with shapes that are stated or not."""
    return one_of(data, ["static"], ["dynamic"])
