"""The cut is optimal: as good as trying every labelling, on random problems and on those of random graphs."""

from __future__ import annotations

import random

import pytest

from onnx_tf.layout.constraints import Constraints
from onnx_tf.layout.facts import Facts
from onnx_tf.layout.max_flow import FlowNetwork
from onnx_tf.layout.network import FIRST, LAST, Problem, Store, brute_force, cost, solve
from test.layout.random_graphs import RandomGraph
from test.layout.running import simplified


def random_problem(seed: int) -> Problem:
    rng = random.Random(seed)
    problem = Problem()
    variables = [problem.variable() for _ in range(rng.randint(1, 9))]
    ends = [FIRST, LAST, *variables]
    for _ in range(rng.randint(1, 12)):
        consumers = rng.sample(ends, rng.randint(1, min(4, len(ends))))
        problem.stores.append(Store(rng.choice(ends), frozenset(consumers), rng.choice([1, 1, 5, 1 << 40])))
    for variable in variables:
        if rng.random() < 0.3:
            problem.unary[variable] = (rng.choice([0, 3, 7]), rng.choice([0, 3, 7]))
    problem.constant = rng.randint(0, 3)
    return problem


def test_random_problems_are_solved_optimally() -> None:
    for seed in range(1000):
        problem = random_problem(seed)
        labels, value = solve(problem)
        assert labels[FIRST] == FIRST
        assert labels[LAST] == LAST
        assert cost(problem, labels) == value == brute_force(problem), seed


def problem_of_graph(seed: int) -> Problem:
    model = simplified(RandomGraph(seed, 9).model())
    return Constraints(Facts(model.graph, lambda _: True)).problem


def assert_optimal(seeds: range) -> None:
    for seed in seeds:
        problem = problem_of_graph(seed)
        labels, value = solve(problem)
        assert cost(problem, labels) == value == brute_force(problem), seed


def test_random_graphs_are_solved_optimally() -> None:
    assert_optimal(range(200))


@pytest.mark.slow
def test_five_thousand_random_graphs_are_solved_optimally() -> None:
    assert_optimal(range(5000))


def test_a_copy_is_paid_once_for_all_its_consumers() -> None:
    problem = Problem()
    problem.stores.append(Store(FIRST, frozenset({LAST}), 10))
    a, b = problem.variable(), problem.variable()
    problem.stores = [
        Store(FIRST, frozenset({a, b}), 10),
        Store(a, frozenset({LAST}), 7),
        Store(b, frozenset({LAST}), 7),
    ]
    assert solve(problem) == ([FIRST, LAST, LAST, LAST], 10)


def test_on_ties_computations_stay_channels_first() -> None:
    problem = Problem()
    a = problem.variable()
    problem.stores = [Store(FIRST, frozenset({a}), 5), Store(a, frozenset({LAST}), 5)]
    assert solve(problem) == ([FIRST, LAST, FIRST], 5)


def test_unary_costs_count() -> None:
    problem = Problem()
    a = problem.variable()
    problem.unary[a] = (4, 0)
    problem.stores = [Store(FIRST, frozenset({a}), 3)]
    assert solve(problem) == ([FIRST, LAST, LAST], 3)


def test_capacities_of_any_size() -> None:
    network = FlowNetwork(3)
    network.add_edge(0, 2, 1 << 70)
    network.add_edge(2, 1, (1 << 70) + 1)
    assert network.maximize(0, 1) == 1 << 70
    assert network.reaching(1) == [False, True, True]
