"""The official cases of the installed onnx, through ``run`` and through SavedModels."""

from __future__ import annotations

import functools

import pytest

from onnx_tf.layout.rules import RULES
from test.ledger import hold, ledger
from test.onnx_suite.cases import check, load_cases
from test.onnx_suite.runs import RUNS

CASES = load_cases()


def _one_per_operator() -> list[str]:
    """Return the cases that also go through a SavedModel: one per operator, and every one that is no node case."""
    chosen: dict[str, str] = {}
    for name, case in CASES.items():
        is_node = name.startswith("node/") and case.model is not None
        key = "+".join(sorted({node.op_type for node in case.model.graph.node})) if is_node else name
        chosen.setdefault(key, name)
    return list(chosen.values())


# The cases feed NaN and overflowing numbers to numpy on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@pytest.mark.parametrize("name", CASES)
def test_run(name):
    hold("onnx", name, functools.partial(check, CASES[name], RUNS["run"]))


@pytest.mark.parametrize("name", _one_per_operator())
def test_export(name):
    if reason := ledger("onnx").get(name) or ledger("random").get(name):
        pytest.xfail(reason)
    hold("onnx", f"{name}@export", functools.partial(check, CASES[name], RUNS["export"]))


def _check_litert(name: str) -> None:
    if reason := ledger("onnx").get(name) or ledger("random").get(name):
        pytest.xfail(reason)
    hold("litert", name, functools.partial(check, CASES[name], RUNS["litert"]))


@pytest.mark.parametrize("name", _one_per_operator()[::4])
def test_litert(name):
    _check_litert(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_litert_of_every_case(name):
    _check_litert(name)


def _one_per_rule() -> list[str]:
    """Return one case for each operator with a layout rule, with channels to be moved if there is one."""
    ranked: dict[str, tuple[bool, str]] = {}
    for name, case in CASES.items():
        if name.startswith("node/") and case.model is not None and len(case.model.graph.node) == 1:
            (node,) = case.model.graph.node
            ranks = [len(value.type.tensor_type.shape.dim) for value in case.model.graph.input]
            if (node.domain, node.op_type) in RULES:
                found = max(ranks, default=0) < 3, name
                ranked[node.op_type] = min(ranked.get(node.op_type, found), found)
    return [name for _, name in ranked.values()]


@pytest.mark.parametrize("name", _one_per_rule())
def test_channels_last_wherever_there_is_a_rule(name):
    if reason := ledger("onnx").get(name) or ledger("random").get(name):
        pytest.xfail(reason)
    check(CASES[name], RUNS["channels_last"])


def test_the_ledger_lists_cases_that_exist():
    official = {name for name in {*ledger("keras"), *ledger("litert")} if not name.startswith("zoo/")}
    assert not {name.removesuffix("@export") for name in {*ledger("onnx"), *ledger("random"), *official}} - CASES.keys()
