"""The choice: one binary variable per computation, one minimum cut for the whole graph."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from onnx_tf.layout.max_flow import FlowNetwork

__all__ = ["FIRST", "LAST", "Problem", "Store", "brute_force", "cost", "solve"]

FIRST, LAST = 0, 1
"""The two computations that are not variables: channels-first and channels-last, whatever happens."""


@dataclass(frozen=True)
class Store:
    """A value in memory, with all values that are the same memory under another shape.

    One copy in the other order serves all consumers, so that it is paid once.
    """

    producer: int
    consumers: frozenset[int]
    weight: int


@dataclass
class Problem:
    """What is to be labelled.

    Attributes:
        variables: how many computations there are, ``FIRST`` and ``LAST`` included.
        stores: the values that computations exchange.
        unary: by computation, what it costs to be channels-first and to be channels-last.
        constant: what is paid in any case.
    """

    variables: int = 2
    stores: list[Store] = field(default_factory=list)
    unary: dict[int, tuple[int, int]] = field(default_factory=dict)
    constant: int = 0

    def variable(self) -> int:
        """Add a computation and return its number."""
        self.variables += 1
        return self.variables - 1


def cost(problem: Problem, labels: Sequence[int]) -> int:
    """Return what a labelling costs."""
    moved = sum(s.weight for s in problem.stores if any(labels[c] != labels[s.producer] for c in s.consumers))
    return problem.constant + moved + sum(costs[labels[v]] for v, costs in problem.unary.items())


def solve(problem: Problem) -> tuple[list[int], int]:
    """Return the labels of least cost, channels-first where that is no dearer, and the cost."""
    infinite = 1 + sum(s.weight for s in problem.stores) + sum(a + b for a, b in problem.unary.values())
    network = FlowNetwork(problem.variables + 2 * len(problem.stores))
    for variable, (first, last) in problem.unary.items():
        # A node on the source's side is channels-first: cutting its edge to the sink is what that costs.
        network.add_edge(variable, LAST, first)
        network.add_edge(FIRST, variable, last)
    helper = problem.variables
    for store in problem.stores:
        consumers = sorted(store.consumers - {store.producer})
        if len(consumers) == 1:
            network.add_edge(store.producer, consumers[0], store.weight, back=store.weight)
            continue
        # The copy is paid once, when any consumer differs from the producer.
        network.add_edge(store.producer, helper, store.weight)
        network.add_edge(helper + 1, store.producer, store.weight)
        for consumer in consumers:
            network.add_edge(helper, consumer, infinite)
            network.add_edge(consumer, helper + 1, infinite)
        helper += 2
    value = network.maximize(FIRST, LAST)
    reaching = network.reaching(LAST)
    return [int(reached) for reached in reaching[: problem.variables]], value + problem.constant


def brute_force(problem: Problem) -> int:
    """Return the least cost by trying all labellings."""
    free = itertools.product((FIRST, LAST), repeat=problem.variables - 2)
    return min(cost(problem, (FIRST, LAST, *labels)) for labels in free)
