"""Each rule: the operator gives the same numbers in both memory orders, over ranks, axes, and versions.

``y = Op(x)`` stands beside a 1x1 convolution of ``x``, which makes known what each axis is. With
channels-last inputs and outputs asked for, the operator must then compute channels-last with no
Transpose at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnx_tf.layout.rules import RULES
from test.layout.channels_first import in_channels_first_operators
from test.layout.rule_cases import CASES, Case, axes_of, floats, ints, shape_of
from test.layout.running import optimized, run

BEFORE: dict[str, dict[str, Any]] = {
    "IsNaN": {"op_type": "IsNaN"},
    "Int": {"op_type": "Cast", "to": TensorProto.INT64},
    "UInt8": {"op_type": "Cast", "to": TensorProto.UINT8},
    "GlobalAveragePool": {"op_type": "GlobalAveragePool"},
}
ELSEWHERE = {("", "Swish"), ("", "ConstantOfShape"), ("com.microsoft", "BiasGelu")}
"""Rules of operators that a single node of data cannot show, or that ONNX Runtime does not have."""

BATCH = 16


@dataclass
class Batch:
    """Cases of one rank and opset, in one model: to build and start a model takes longer than to run it."""

    cases: list[Case]
    left: int

    def __str__(self) -> str:
        first, last = self.cases[0], self.cases[-1]
        return f"{first}..{last}"


def batches() -> Iterator[Batch]:
    """Return all cases, those of which nothing may be left apart from the others."""
    kinds: dict[tuple[int, int, bool], list[Case]] = {}
    for case in CASES:
        kinds.setdefault((case.rank, case.opset, case.left > 0), []).append(case)
    for cases in kinds.values():
        for start in range(0, len(cases), BATCH):
            some = cases[start : start + BATCH]
            yield Batch(some, sum(case.left for case in some))


def model_of(cases: Sequence[Case], dynamic: bool) -> onnx.ModelProto:
    rank, opset = cases[0].rank, cases[0].opset
    shape = shape_of(rank)
    weight = np.ones((1, shape[1], *[1] * (rank - 2)), np.float32)
    initializers = [numpy_helper.from_array(weight, "seed_weight")]
    nodes = [helper.make_node("Conv", ["x", "seed_weight"], ["seed"])]
    for kind in dict.fromkeys(case.before for case in cases if case.before):
        nodes.append(helper.make_node(inputs=["x"], outputs=[kind], **BEFORE[kind]))
    results = []
    for number, case in enumerate(cases):
        inputs = []
        for index, constant in enumerate(case.constants):
            if isinstance(constant, str):
                inputs.append(case.before or "x")
            elif constant is None:
                inputs.append("")
            else:
                inputs.append(f"c{number}_{index}")
                initializers.append(numpy_helper.from_array(np.asarray(constant), inputs[-1]))
        names = [f"y{number}_{i}" for i in range(case.outputs)]
        results += names
        node = helper.make_node(case.op_type, inputs, names, domain=case.domain, name=f"op{number}", **case.attributes)
        nodes.append(node)
    dims = [f"d{i}" if i != 1 else d for i, d in enumerate(shape)] if dynamic else shape
    graph = helper.make_graph(
        nodes,
        "rule",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)],
        [helper.make_empty_tensor_value_info(name) for name in [*results, "seed"]],
        initializers,
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def to_last(array: np.ndarray) -> np.ndarray:
    return np.moveaxis(array, 1, -1) if array.ndim >= 3 else array


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
@pytest.mark.parametrize("batch", batches(), ids=str)
def test_same_numbers_in_both_orders(batch: Batch, dynamic: bool) -> None:
    proto = model_of(batch.cases, dynamic)
    x = np.random.default_rng(1).uniform(0, 9, shape_of(batch.cases[0].rank)).astype(np.float32)
    expected = run(proto, {"x": x})
    for last in (False, True):
        names = "all" if last else ()
        model, report = optimized(proto, channels_last_inputs=names, channels_last_outputs=names)
        actual = run(in_channels_first_operators(model), {"x": to_last(x) if last else x})
        for name, array in expected.items():
            wanted = to_last(array) if name in report.channels_last_outputs else array
            case = "" if name == "seed" else batch.cases[int(name[1:].partition("_")[0])]
            np.testing.assert_allclose(actual[name], wanted, rtol=1e-4, atol=1e-4, err_msg=f"{case}, last={last}")
        assert report.bytes_moved == report.cut_bytes
        if last:
            assert report.channels_last_inputs == ("x",)
            assert len(report.transposes) <= batch.left, report


def test_every_rule_is_tested() -> None:
    tested = {(case.domain, case.op_type) for case in CASES}
    assert RULES.keys() - tested - ELSEWHERE == set()
    assert not ELSEWHERE & tested


@pytest.mark.parametrize("rank", [3, 4, 5])
def test_filled_tensors_are_filled_in_either_order(rank: int) -> None:
    shape = shape_of(rank)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"]),
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("ConstantOfShape", ["s"], ["c"], value=numpy_helper.from_array(np.float32([2]))),
        helper.make_node("Concat", ["a", "c"], ["y"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "filled",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", shape[1], *["s"] * (rank - 2)])],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(floats(3, shape[1], *[1] * (rank - 2)), "w")],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    x = floats(*shape)
    model, report = optimized(proto, channels_last_inputs="all", channels_last_outputs="all")
    np.testing.assert_allclose(
        run(in_channels_first_operators(model), {"x": to_last(x)})["y"], to_last(run(proto, {"x": x})["y"]), rtol=1e-5
    )
    assert not report.transposes


RUNTIME = {
    "Slice": ("axes", [ints(1), ints(3)]),
    "ReduceMean": ("axes", []),
    "Pad": ("pads", []),
    "Tile": ("repeats", []),
    "Expand": ("shape", []),
    "CumSum": ("axis", []),
}


@pytest.mark.parametrize("op_type", RUNTIME)
@pytest.mark.parametrize("rank", [3, 4, 5])
def test_axes_that_arrive_at_run_time(op_type: str, rank: int) -> None:
    what, before = RUNTIME[op_type]
    values = {
        "axes": [[axis] for axis in axes_of(rank)],
        "axis": list(axes_of(rank)),
        "pads": [list(range(2 * rank))],
        "repeats": [list(range(1, rank + 1))],
        "shape": [[4, *[1] * (rank - 2)] if rank < 4 else [2, 4, *[1] * (rank - 2)]],
    }[what]
    shape = shape_of(rank)
    constants = {f"c{i}": c for i, c in enumerate(before)}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["seed"]),
        helper.make_node(op_type, ["x", *constants, "given"], ["y"]),
    ]
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, shape),
        helper.make_tensor_value_info("given", TensorProto.INT64, np.shape(values[0])),
    ]
    weights = {**constants, "w": floats(3, shape[1], *[1] * (rank - 2))}
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * rank) for name in ("y", "seed")]
    initializers = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "runtime", inputs, outputs, initializers)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    x = floats(*shape)
    model, report = optimized(proto, channels_last_inputs=["x"], channels_last_outputs="all")
    if op_type != "Expand" or rank >= 4:
        assert not report.transposes, report
    for value in values:
        expected = run(proto, {"x": x, "given": np.array(value)})["y"]
        actual = run(in_channels_first_operators(model), {"x": to_last(x), "given": np.array(value)})["y"]
        np.testing.assert_allclose(actual, to_last(expected), rtol=1e-5, err_msg=str(value))
