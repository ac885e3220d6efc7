"""Transposes that follow each other move the data once, with the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from test.layout.running import assert_same_numbers, optimized
from test.layout.test_nets import Net, ints


@dataclass
class Chain:
    """A chain of nodes on an input, and how many of its Transposes are left."""

    shape: tuple[int | str, ...]
    build: Callable[[Net], str]
    left: int


CHAINS = {
    "two": Chain((2, 3, 4), lambda n: n.transpose(n.transpose("x", 0, 2, 1), 1, 0, 2), 1),
    "inverse": Chain((2, 3, 4), lambda n: n.transpose(n.transpose("x", 1, 2, 0), 2, 0, 1), 0),
    "three": Chain((2, 3, 4), lambda n: n.transpose(n.transpose(n.transpose("x", 1, 0, 2), 0, 2, 1), 2, 1, 0), 1),
    "names unknown": Chain(("a", "b", "c"), lambda n: n.transpose(n.transpose("x", 0, 2, 1), 1, 0, 2), 1),
    "merged and split again": Chain(
        (2, 3, 4), lambda n: n.transpose(n.reshape(n.reshape(n.transpose("x", 0, 2, 1), 2, 12), 2, 4, 3), 0, 2, 1), 0
    ),
    "split between": Chain(
        ("n", 8, 6), lambda n: n.transpose(n.reshape(n.transpose("x", 0, 2, 1), 0, 6, 4, 2), 0, 2, 1, 3), 1
    ),
    "split otherwise": Chain(
        (4, 6, 5), lambda n: n.transpose(n.reshape(n.transpose("x", 1, 0, 2), 3, 8, 5), 1, 0, 2), 1
    ),
    "units": Chain(
        (1, 3, 4, 1), lambda n: n.transpose(n.add("Squeeze", n.transpose("x", 0, 2, 1, 3), ints(0)), 1, 0, 2), 0
    ),
    "cut across": Chain((4, 6, 5), lambda n: n.transpose(n.reshape(n.transpose("x", 2, 1, 0), 3, 40), 1, 0), 2),
    "something between": Chain((2, 3, 4), lambda n: n.transpose(n.relu(n.transpose("x", 0, 2, 1)), 1, 0, 2), 2),
    "two unknown sizes": Chain(
        ("a", 6, "b"), lambda n: n.transpose(n.reshape(n.transpose("x", 0, 2, 1), 0, 0, 3, 2), 0, 2, 1, 3), 1
    ),
}


def feed(shape: tuple[int | str, ...]) -> dict[str, np.ndarray]:
    sizes = [3 if isinstance(d, str) else d for d in shape]
    return {"x": np.arange(np.prod(sizes), dtype=np.float32).reshape(sizes)}


@pytest.mark.parametrize("name", CHAINS)
def test_chains(name: str) -> None:
    chain = CHAINS[name]
    net = Net(x=chain.shape)
    proto = net.model(chain.build(net))
    model, report = optimized(proto)
    assert_same_numbers(proto, model, feed(chain.shape))
    assert [node.op_type for node in model.graph].count("Transpose") == chain.left == len(report.transposes)
    nbytes = np.prod([d if isinstance(d, int) else 64 if i else 1 for i, d in enumerate(chain.shape)]) * 4
    assert report.bytes_moved == chain.left * nbytes <= report.cut_bytes


def test_what_is_read_between_stays() -> None:
    net = Net(x=(2, 3, 4))
    first = net.transpose("x", 0, 2, 1)
    second = net.transpose(first, 1, 0, 2)
    proto = net.model(first, second)
    model, report = optimized(proto)
    assert_same_numbers(proto, model, feed((2, 3, 4)))
    assert len(report.transposes) == 2
