"""Many nodes through one model: each is a branch with inputs of its own.

To convert and trace one model of a hundred branches takes seconds, a hundred models minutes. Where
the whole fails, each branch is run alone to tell which does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from onnx_tf import prepare
from test.handlers.check import DEFAULT_OPSET, compare
from test.handlers.table import Case
from test.onnx_suite.runs import RUNS
from test.reference import ort_outputs

DOMAINS = {"com.microsoft": 1, "ai.onnx.ml": 4}


def check_branches(
    cases: Mapping[str, Case],
    expected: Mapping[str, Sequence[Any]],
    *,
    open_dims: int = 0,
    through: str = "run",
    check: Callable[[Sequence[Any], Sequence[Any]], None] | None = None,
) -> None:
    """Check nodes by name against the outputs that are expected of them.

    Args:
        cases: the nodes.
        expected: the outputs of each.
        open_dims: how many of the first dimensions of each input are open.
        through: ``"run"``, ``"export"`` or ``"channels_last"``.
        check: compares expected with actual outputs; by default within 1e-4.

    Raises:
        AssertionError: some differ or fail; the message tells which.
    """
    problems: dict[str, str] = {}
    check = check or (lambda wanted, found: compare(wanted, found, rtol=1e-4, atol=1e-5))
    results: dict[str, list[Any]] = {}
    for opset in {case.opset for case in cases.values()}:
        own = {name: case for name, case in cases.items() if case.opset == opset}
        results |= _results(own, open_dims, through, problems)
    for name, found in results.items():
        try:
            check(expected[name], found)
        except AssertionError as error:
            problems[name] = _told(error)
    assert not problems, "\n".join(f"{cases[name]}: {problem}" for name, problem in problems.items())


def _results(cases: Mapping[str, Case], open_dims: int, through: str, problems: dict[str, str]) -> dict[str, list[Any]]:
    """Return the outputs of each node; those that fail are found by halving, and told among the problems."""
    try:
        return _run(cases, open_dims, through)
    except Exception as error:
        if len(cases) == 1:
            problems |= dict.fromkeys(cases, _told(error))
            return {}
    names = list(cases)
    halves = (names[: len(names) // 2], names[len(names) // 2 :])
    parts = [_results({name: cases[name] for name in half}, open_dims, through, problems) for half in halves]
    return parts[0] | parts[1]


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[-300:]}"


def answers(case: Case) -> list[Any]:
    """Return ONNX Runtime's outputs, or those of the reference evaluator where it has no kernel."""
    model, feed = branched({"": case}, open_dims=0)
    try:
        return list(ort_outputs(model, feed).values())
    except Exception as error:
        try:
            return list(ReferenceEvaluator(model).run(None, feed))
        except Exception as other:
            raise AssertionError(f"no reference for {case}: {error}; {other}") from error


def _run(cases: Mapping[str, Case], open_dims: int, through: str) -> dict[str, list[Any]]:
    model, feed = branched(cases, open_dims)
    found = iter(RUNS[through](model, list(feed.values())) if through != "run" else prepare(model).run(feed))
    return {name: [next(found) for _ in range(case.outputs)] for name, case in cases.items()}


def branched(cases: Mapping[str, Case], open_dims: int) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """Return the model of all branches, and what to feed it."""
    feed: dict[str, np.ndarray] = {}
    nodes, inputs, outputs, constants = [], [], [], []
    for index, case in enumerate(cases.values()):
        names = []
        for position, array in enumerate(case.inputs):
            names.append("" if array is None else f"x{index}_{position}")
            if array is None:
                continue
            array = np.asarray(array)
            is_index = position not in (0, *case.fed) and array.dtype.kind not in "fOb"
            if position in case.fixed or is_index:
                constants.append(onnx.numpy_helper.from_array(array, names[-1]))
                continue
            feed[names[-1]] = array
            dtype = onnx.TensorProto.STRING if array.dtype.kind == "O" else helper.np_dtype_to_tensor_dtype(array.dtype)
            dims = [f"{names[-1]}_{i}" if i < open_dims else dim for i, dim in enumerate(array.shape)]
            inputs.append(helper.make_tensor_value_info(names[-1], dtype, dims))
        made = [f"y{index}_{i}" for i in range(case.outputs)]
        nodes.append(helper.make_node(case.op_type, names, made, domain=case.domain, **case.attributes))
        outputs += [helper.make_empty_tensor_value_info(name) for name in made]
    graph = helper.make_graph(nodes, "branches", inputs, outputs, constants)
    (opset,) = {case.opset or DEFAULT_OPSET for case in cases.values()}
    opsets = [helper.make_opsetid("", opset), *[helper.make_opsetid(*item) for item in DOMAINS.items()]]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10), feed
