"""LRN is recognised in what PyTorch writes for it, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from onnx_tf import prepare
from onnx_tf.passes.recognize_local_response_normalization import recognize_local_response_normalization
from test.layout.running import simplified
from test.reference import ort_outputs

RNG = np.random.default_rng(0)
CHANNELS = 7


def model_of(
    shape: tuple[int | str, ...] = (2, CHANNELS, 5, 6),
    size: int = 5,
    pads: tuple[int, int] | None = None,
    pooled_pads: bool = False,
    flattened: bool = True,
    squared: str = "Mul",
    reversed_operands: bool = False,
    outputs: tuple[str, ...] = ("y",),
    opset: int = 17,
    dtype: type = np.float32,
    **pool: Any,
) -> onnx.ModelProto:
    constants: dict[str, np.ndarray] = {}
    nodes: list[onnx.NodeProto] = []

    def add(op_type: str, inputs: list[Any], result: str, **attributes: Any) -> None:
        names = [value if isinstance(value, str) else f"{result}_{i}" for i, value in enumerate(inputs)]
        constants.update((n, v) for n, v in zip(names, inputs, strict=True) if not isinstance(v, str))
        if reversed_operands and op_type in ("Mul", "Add"):
            names.reverse()
        nodes.append(helper.make_node(op_type, names, [result], **attributes))

    rank = 5 if flattened else len(shape) + 1
    low, high = pads or ((size - 1) // 2, size // 2)
    around = [[0, 0] for _ in range(rank)]
    around[2] = [low, high]
    add("Mul", ["x", "x"], "squares") if squared == "Mul" else add("Pow", ["x", dtype(2)], "squares")
    if flattened:
        add("Reshape", ["squares", np.array([0, 1, CHANNELS, shape[2], -1], np.int64)], "wide")
    else:
        add("Unsqueeze", ["squares", np.array([1], np.int64)], "wide")
    if pooled_pads:
        pool["pads"] = np.array(around).T[:, 2:].reshape(-1).tolist()
    elif pads != (0, 0):
        add("Pad", ["wide", np.array(around, np.int64).T.reshape(-1)], "padded")
    source = nodes[-1].output[0]
    add("AveragePool", [source], "means", kernel_shape=[size, *[1] * (rank - 3)], **pool)
    add("Squeeze", ["means", np.array([1], np.int64)], "narrow")
    if flattened:
        add("Reshape", ["narrow", np.array([-1, *shape[1:]], np.int64)], "back")
    add("Mul", [nodes[-1].output[0], dtype(0.25)], "scaled")
    add("Add", ["scaled", dtype(2)], "shifted")
    add("Pow", ["shifted", dtype(0.75)], "powered")
    add("Div", ["x", "powered"], "y")
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


FOUND: list[dict[str, Any]] = [
    {},
    {"size": 4},
    {"size": 1, "pads": (0, 0)},
    {"flattened": False},
    {"shape": (2, CHANNELS, 9), "flattened": False},
    {"shape": ("n", CHANNELS, 5, 6)},
    {"shape": ("n", CHANNELS, 5, "w"), "flattened": False},
    {"squared": "Pow"},
    {"reversed_operands": True},
    {"pooled_pads": True, "count_include_pad": 1},
    {"strides": [1, 1, 1]},
]


@pytest.mark.parametrize("form", FOUND, ids=str)
def test_recognised(form: dict[str, Any]) -> None:
    proto = model_of(**form)
    model = simplified(proto)
    assert recognize_local_response_normalization(model)
    assert [node.op_type for node in model.graph] == ["LRN"]
    sizes = {"n": 3, "w": 4}
    x = RNG.normal(size=[sizes.get(d, d) for d in form.get("shape", (2, CHANNELS, 5, 6))]).astype(np.float32) * 3
    x[0, 2, 1], x[1, 0, 2], x[1, -1, 0] = np.nan, np.inf, -0.0
    for layout in ("auto", "keep"):
        np.testing.assert_allclose(
            prepare(proto, layout=layout).run(x)["y"], ort_outputs(proto, {"x": x})["y"], 1e-5, 1e-6
        )


LEFT: list[dict[str, Any]] = [
    {"size": 4, "pads": (2, 1)},  # as PyTorch pads an even number, which LRN does not
    {"pads": (1, 1)},
    {"pooled_pads": True, "count_include_pad": 0},
    {"outputs": ("y", "means")},
    {"outputs": ("y", "shifted")},
    {"dtype": np.float16},
    {"ceil_mode": 1},
    {"strides": [1, 2, 1], "flattened": False, "shape": (2, CHANNELS, 1, 6)},
]


@pytest.mark.parametrize("form", LEFT, ids=str)
def test_left_as_it_is(form: dict[str, Any]) -> None:
    assert not recognize_local_response_normalization(simplified(model_of(**form)))


def test_left_where_the_window_is_not_over_channels() -> None:
    """The heights are as many as the channels, and the mean is over them."""
    text = """<ir_version: 8, opset_import: ["": 17]> g (float[1, 4, 4, 3] x) => (float[1, 4, 4, 3] y)
    <int64[5] w = {4, 1, 4, 3, 1}, int64[4] b = {1, 4, 4, 3}, float k = {2.0}, float a = {0.5}, float e = {0.75}> {
        s = Mul (x, x) v = Reshape (s, w) m = AveragePool <kernel_shape = [3, 1, 1], pads = [1, 0, 0, 1, 0, 0],
        count_include_pad = 1> (v) r = Reshape (m, b) t = Mul (r, a) u = Add (t, k) p = Pow (u, e) y = Div (x, p)
    }"""
    assert not recognize_local_response_normalization(simplified(onnx.parser.parse_model(text)))


def test_gradient() -> None:
    import tensorflow as tf

    module = prepare(model_of()).tf_module
    x = tf.constant(RNG.normal(size=(2, CHANNELS, 5, 6)).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(module(x)["y"] ** 2)
    assert np.isfinite(tape.gradient(total, x)).all()
