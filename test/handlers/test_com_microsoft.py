"""Every operator of com.microsoft gives ONNX Runtime's numbers in at least three combinations."""

from __future__ import annotations

import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema

import onnx_tf.handlers  # noqa: F401  (registers them)
from onnx_tf.registry import registry
from test.handlers.com_microsoft import attention, fused, quantized, tensors, text, weight_only
from test.handlers.com_microsoft.case import MICROSOFT, Case, cases_of

MODULES = [attention, fused, quantized, tensors, text, weight_only]
CASES = [case for module in MODULES for case in cases_of(module)]
OPERATORS = sorted({h.op_type for h in registry.handlers() if h.domain == MICROSOFT})
SCHEMAS = {schema.name: schema for schema in get_all_operator_schema() if schema.domain == MICROSOFT}
COMBINATIONS = 3


def _labels() -> list[str]:
    counts: dict[str, int] = {}
    for case in CASES:
        counts[case.op_type] = counts.get(case.op_type, 0) + 1
        yield f"{case.op_type}-{counts[case.op_type]}"


@pytest.mark.parametrize("case", CASES, ids=_labels())
def test_numbers(case):
    case.check()


def _cases(op_type: str) -> list[Case]:
    return [case for case in CASES if (case.op_type, case.domain) == (op_type, MICROSOFT)]


@pytest.mark.parametrize("op_type", OPERATORS)
def test_there_are_enough_combinations(op_type):
    combinations = {case.combination for case in _cases(op_type)}
    assert len(combinations) >= COMBINATIONS, f"only {len(combinations)}: add cases"
    ways = {way for case in _cases(op_type) for way in case.settings.get("through", ("static", "dynamic"))}
    assert ways >= {"static", "dynamic"}, f"only with {ways} shapes"
