"""Every operator with data of five to ten axes: TensorFlow's kernels take fewer."""

from __future__ import annotations

import functools
import re
from dataclasses import replace

import numpy as np
import pytest

from test.handlers import table_any_rank, table_images, table_microsoft  # noqa: F401
from test.handlers.branches import answers, check_branches
from test.handlers.table import MORE, ROWS, Case, Source

RANKS = range(5, 11)


@functools.cache
def cases(rank: int) -> dict[str, Case]:
    dims = (2, 2, 3, *[2] * 7)[:rank]
    return {name: build(Source(), dims) for name, build in (ROWS | MORE).items()}


def expected(rank: int, name: str) -> list:
    return BY_NUMPY.get(name, answers)(cases(rank)[name])


def _of_images(case: Case) -> list[np.ndarray]:
    """Return the answer for the same numbers as images: what lies beside the channels is one to the operator."""
    x = case.inputs[0]
    flat = x.reshape(*x.shape[:2], -1, 1)
    return [answers(replace(case, inputs=[flat]))[0].reshape(x.shape)]


def _maxima(case: Case) -> list[np.ndarray]:
    x, window = case.inputs[0], case.attributes["kernel_shape"]
    strides = case.attributes.get("strides", [1] * len(window))
    rank = len(window)
    more = [
        (0, k - 1) if "auto_pad" in case.attributes else (p, p)
        for k, p in zip(window, case.attributes.get("pads", [0] * rank), strict=False)
    ]
    x = np.pad(x, [(0, 0), (0, 0), *more], constant_values=-np.inf)
    seen = np.lib.stride_tricks.sliding_window_view(x, window, range(2, rank + 2)).max(tuple(range(-rank, 0)))
    return [seen[(..., *[slice(None, None, s) for s in strides])]]


BY_NUMPY = {
    "GlobalLpPool": lambda case: [
        np.sqrt(np.square(case.inputs[0]).sum(tuple(range(2, case.inputs[0].ndim)), keepdims=True))
    ],
    "LRN": _of_images,
    "GlobalMaxPool": lambda case: [case.inputs[0].max(tuple(range(2, case.inputs[0].ndim)), keepdims=True)],
    "MaxPool with indices": lambda case: [case.inputs[0], np.arange(case.inputs[0].size).reshape(case.inputs[0].shape)],
    "MaxUnpool": lambda case: [case.inputs[0]],
    "MaxPool": _maxima,
    "MaxPool padded": _maxima,
    "MaxPool same": _maxima,
}
"""What neither ONNX Runtime nor the reference evaluator computes of so many axes."""


def check(rank: int, open_dims: int, through: str, given: dict[str, Case]) -> None:
    check_branches(given, {name: expected(rank, name) for name in given}, open_dims=open_dims, through=through)


@pytest.mark.parametrize(("rank", "open_dims", "through"), [(6, 0, "run"), (9, 1, "export"), (10, 0, "run")])
def test_of_many_axes(rank, open_dims, through):
    """A third of the operators in each way, windows up to six axes; the slow tests take all of them in all ways."""
    given = {name: case for name, case in cases(rank).items() if rank <= 6 or not IMAGES.search(name)}
    check(rank, open_dims, through, dict(list(given.items())[rank % 3 :: 3]))


IMAGES = re.compile("Conv|Pool|LRN|InstanceN|BatchN|GroupN")


@pytest.mark.slow
@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize(("open_dims", "through"), [(0, "export"), (1, "run"), (0, "channels_last")])
def test_of_every_rank(rank, open_dims, through):
    check(rank, open_dims, through, cases(rank))


@pytest.mark.slow
@pytest.mark.parametrize("rank", [5, 6, 7])
def test_of_open_dims(rank):
    check(rank, rank, "run", cases(rank))
