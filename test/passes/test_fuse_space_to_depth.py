"""SpaceToDepth is recognised in slices that are joined before a convolution, and nowhere else."""

from __future__ import annotations

import itertools

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnx_tf import prepare
from onnx_tf.check.onnx_runtime import OnnxRuntime
from onnx_tf.options import Options
from onnx_tf.pipeline import lower

RNG = np.random.default_rng(0)
FOCUS = [(0, 0), (1, 0), (0, 1), (1, 1)]


def model_of(
    places: list[tuple[int, int]],
    *,
    step: int = 2,
    shape: tuple[int | str, ...] = (2, 3, 8, 12),
    end: int = 2**63 - 1,
    in_one: bool = False,
    group: int = 1,
    outputs: tuple[str, ...] = ("y",),
) -> onnx.ModelProto:
    constants = {"step": [step], "end": [end], "rows": [2], "columns": [-1], "axes": [2, 3]}
    constants |= {"steps": [step, step], "ends": [end, end]}
    nodes = []
    for index, (row, column) in enumerate(places):
        constants |= {f"r{index}": [row], f"c{index}": [column], f"p{index}": [row, column]}
        if in_one:
            names = [["x", f"p{index}", "ends", "axes", "steps"]]
        else:
            names = [
                ["x", f"r{index}", "end", "rows", "step"],
                [f"part{index}_0", f"c{index}", "end", "columns", "step"],
            ]
        for depth, inputs in enumerate(names):
            result = f"part{index}" if depth == len(names) - 1 else f"part{index}_{depth}"
            nodes.append(helper.make_node("Slice", inputs, [result]))
    nodes.append(helper.make_node("Concat", [f"part{i}" for i in range(len(places))], ["joined"], axis=1))
    nodes.append(helper.make_node("Conv", ["joined", "w"], ["y"], pads=[1, 1, 1, 1], group=group))
    weights = RNG.standard_normal((4 * group, 3 * len(places) // group, 3, 3)).astype(np.float32)
    arrays = {name: np.array(value, np.int64) for name, value in constants.items()} | {"w": weights}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def operators(model: onnx.ModelProto) -> list[str]:
    lowered = lower(model, Options(layout="keep"), until="fuse space to depth").model
    return [node.op_type for node in lowered.graph]


NINE = list(itertools.product(range(3), range(3)))


@pytest.mark.parametrize(
    ("model", "height"),
    [
        (model_of(FOCUS), 8),
        (model_of(FOCUS, in_one=True), 8),
        (model_of(FOCUS[::-1], end=12), 8),
        (model_of(FOCUS, shape=("n", 3, "h", "w")), 8),
        (model_of(NINE[::2] + NINE[1::2], step=3, shape=(2, 3, 9, 12)), 9),
    ],
)
def test_it_is_recognised_with_the_same_numbers(model, height):
    assert operators(model) == ["SpaceToDepth", "Conv"]
    x = RNG.standard_normal((2, 3, height, 12)).astype(np.float32)
    (actual,), expected = prepare(model).run({"x": x}), OnnxRuntime(model).run({"x": x})["y"]
    np.testing.assert_allclose(actual, expected, atol=1e-4)


@pytest.mark.parametrize(
    "model",
    [
        model_of([(0, 0), (0, 0), (0, 1), (1, 1)]),
        model_of(FOCUS, shape=(2, 3, 7, 12), end=6),
        model_of(FOCUS, end=6),
        model_of(FOCUS, group=2),
        model_of(FOCUS, outputs=("y", "joined")),
        model_of(FOCUS[:3]),
    ],
)
def test_anything_else_stays(model):
    assert "SpaceToDepth" not in operators(model)
