"""Every operator of com.microsoft gives ONNX Runtime's numbers in at least three combinations."""

from __future__ import annotations

from collections.abc import Iterator

import onnx
import onnxruntime
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema

from onnx_tf.registry import registry
from onnx_tf.supported_ops import supported_ops
from test.handlers.com_microsoft import (
    attention,
    channels_last,
    experts,
    fused,
    quantized,
    tensors,
    text,
    weight_only,
)
from test.handlers.com_microsoft.case import MICROSOFT, Case, cases_of

MODULES = [attention, channels_last, experts, fused, quantized, tensors, text, weight_only]
CASES = [case for module in MODULES for case in cases_of(module)]
OPERATORS = [op.op_type for op in supported_ops() if op.domain == MICROSOFT]
SCHEMAS = {schema.name: schema for schema in get_all_operator_schema() if schema.domain == MICROSOFT}
HANDLERS = [h for h in registry.handlers() if h.domain == MICROSOFT and h.op_type in SCHEMAS]
COMBINATIONS = 3
WRITTEN_FOR = (1, 32)
"""The ONNX Runtime whose operators the handlers know; an older one may lack some of their attributes and inputs."""
IS_OLDER = tuple(map(int, onnxruntime.__version__.split(".")[:2])) < WRITTEN_FOR

REFUSED, GPU_ONLY = "onnx_tf refuses it", "ONNX Runtime has it on GPUs only"
NEVER_ABSENT = "ONNX Runtime refuses the node without it"
ONE_WAY: dict[str, dict[str, str]] = {
    "Attention": {"bias": "without it ONNX Runtime reads from address 0", "past_sequence_length": REFUSED},
    "ConvTransposeWithDynamicPads": {"Pads": NEVER_ABSENT},
    "DecoderMaskedMultiHeadAttention": {
        **dict.fromkeys(["key", "value"], GPU_ONLY),
        **dict.fromkeys(["beam_width", "cache_indirection"], REFUSED),
    },
    "MultiHeadAttention": {**dict.fromkeys(["key", "value"], GPU_ONLY), "cache_indirection": REFUSED},
    "QLinearAdd": dict.fromkeys(["A_zero_point", "B_zero_point"], NEVER_ABSENT),
    "QLinearAveragePool": {"x_zero_point": NEVER_ABSENT},
    "QLinearMul": dict.fromkeys(["A_zero_point", "B_zero_point"], NEVER_ABSENT),
    "QMoE": {
        **dict.fromkeys(["fc1_scales", "fc2_scales"], NEVER_ABSENT),
        **dict.fromkeys(["fc3_experts_weights", "fc3_scales", "fc3_experts_bias", "fc3_zero_points"], GPU_ONLY),
        **dict.fromkeys(["fc1_global_scale", "fc2_global_scale", "fc1_act_scale", "fc2_act_scale"], REFUSED),
        **dict.fromkeys(["fc1_act_block_scale", "fc2_act_block_scale"], REFUSED),
    },
}
"""Optional inputs that cannot be checked both present and absent, and why."""


def _labels() -> Iterator[str]:
    counts: dict[str, int] = {}
    for case in CASES:
        counts[case.op_type] = counts.get(case.op_type, 0) + 1
        yield f"{case.op_type}-{counts[case.op_type]}"


@pytest.mark.parametrize("case", CASES, ids=_labels())
def test_numbers(case):
    if IS_OLDER and case.asks_onnx_runtime and _is_newer_than_runtime(case):
        pytest.skip(f"ONNX Runtime {onnxruntime.__version__} lacks an input or attribute of it")
    case.check()


def _is_newer_than_runtime(case: Case) -> bool:
    schema = SCHEMAS.get(case.op_type) if case.domain == MICROSOFT else None
    if schema is None:
        return False
    return len(case.inputs) > schema.max_input or not set(case.attributes) <= set(schema.attributes)


def _cases(op_type: str) -> list[Case]:
    return [case for case in CASES if (case.op_type, case.domain) == (op_type, MICROSOFT)]


@pytest.mark.parametrize("op_type", OPERATORS)
def test_there_are_enough_combinations(op_type):
    combinations = {case.combination for case in _cases(op_type)}
    assert len(combinations) >= COMBINATIONS, f"only {len(combinations)}: add cases"
    ways = {way for case in _cases(op_type) for way in case.settings.get("through", ("static", "dynamic"))}
    assert ways >= {"static", "dynamic"}, f"only with {ways} shapes"
    for index, parameter in enumerate(SCHEMAS[op_type].inputs if op_type in SCHEMAS else ()):
        if parameter.option == parameter.option.Optional and parameter.name not in ONE_WAY.get(op_type, ()):
            present = {index < len(case.inputs) and case.inputs[index] is not None for case in _cases(op_type)}
            assert present == {True, False}, f"{parameter.name} is never {'present' if False in present else 'absent'}"


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda h: h.op_type)
def test_parameters_are_those_of_onnx_runtime(handler):
    schema = SCHEMAS[handler.op_type]
    known = handler.attributes & set(schema.attributes) if IS_OLDER else handler.attributes
    assert known == set(schema.attributes)
    required = {name for name, attribute in schema.attributes.items() if attribute.required}
    assert required == known - handler.keyword_defaults.keys()
    for name, attribute in schema.attributes.items():
        default = onnx.AttributeProto.FromString(attribute._default_value)
        if default.name:
            expected = onnx.helper.get_attribute_value(default)
            expected = expected.decode() if isinstance(expected, bytes) else expected
            assert handler.keyword_defaults[name] == pytest.approx(expected), name
