"""Experimental operators of opsets 1 to 9: ONNX Runtime's numbers, and PyTorch's for what its ATen stands for."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema, get_all_opkernel_def

from onnx_tf import OnnxTfError, prepare
from onnx_tf.supported_ops import supported_ops
from test.handlers.check import check_op, make_op_model
from test.handlers.com_microsoft.case import case
from test.handlers.strategies import few, normal
from test.reference import ort_outputs

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3, 6, 7)).astype(np.float32)
EDGES = np.array([-100, -10, -1, -0.5, -0.0, 0, 0.5, 1, 10, 89, 100, np.inf, -np.inf, np.nan], np.float32)
CUBE = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def of_runtime(op_type, inputs, attributes=None, **settings):
    return case(op_type, inputs, attributes, domain="", **{"opset": 7} | settings)


def ints(*values):
    return np.array(values, np.int64)


RUNTIME = [
    *[of_runtime("Affine", [EDGES], a) for a in ({}, {"alpha": 2.0, "beta": -0.5}, {"alpha": 0.0})],
    *[
        of_runtime(op_type, [EDGES], {"alpha": alpha, "beta": beta})
        for op_type in ("ParametricSoftplus", "ScaledTanh")
        for alpha, beta in [(1.0, 1.0), (2.0, 0.5), (-2.0, -0.5), (2.0, 0.0), (0.0, 2.0)]
    ],
    *[of_runtime("Scale", [EDGES], a, opset=o) for a in ({}, {"scale": -2.5}, {"scale": 0.0}) for o in (1, 9)],
    *[of_runtime("ThresholdedRelu", [EDGES], a, opset=o) for a in ({}, {"alpha": -1.0}) for o in (1, 9)],
    of_runtime("ImageScaler", [X], {"bias": [1.0, 2.0, 3.0]}),
    of_runtime("ImageScaler", [X], {"bias": [1.0, 2.0, 3.0], "scale": 0.5}, through=("static", "dynamic", "export")),
    *[
        of_runtime("Crop", [X], a)
        for a in [
            {"border": [0, 0, 0, 0]},
            {"border": [1, 0, 0, 0]},
            {"border": [0, 2, 0, 0]},
            {"border": [0, 0, 3, 0]},
            {"border": [0, 0, 0, 1]},
            {"border": [3, 3, 4, 3]},
            {"border": [1, 2, 0, 0], "scale": [3, 4]},
            {"border": [1, 2, 1, 1], "scale": [4, 6]},
            {"border": [1, 2, 0, 0], "scale": [0, 0]},
        ]
    ],
    of_runtime("Crop", [X], {"border": [1, 1, 1, 1]}, through=("export",)),
    *[
        of_runtime(
            "MeanVarianceNormalization", [x], {"across_channels": across, "normalize_variance": divided}, opset=o
        )
        for x in (X, X[..., 0], X[:, :, 0, 0], X[0, 0, 0], RNG.normal(size=(2, 3, 4, 2, 3)).astype(np.float32))
        for across, divided, o in [(0, 1, 1), (1, 1, 7), (0, 0, 8), (2, 2, 8)]
    ],
    of_runtime("MeanVarianceNormalization", [np.zeros((1, 2, 2, 2), np.float32)]),
    *[
        of_runtime("DynamicSlice", [CUBE, *bounds], constants=constants)
        for bounds in [
            [ints(0, 1), ints(1, 3)],
            [ints(0, 1), ints(1, 3), ints(1, 2)],
            [ints(0, 1), ints(1, 3), ints(-1, -2)],
            [ints(-2), ints(100), ints(2)],
            [ints(-100), ints(-1), ints(2)],
            [ints(3), ints(1), ints(2)],
            [np.int32([0, 1]), np.int32([1, 3]), np.int32([1, 2])],
        ]
        for constants in [(), tuple(range(1, len(bounds) + 1))]
    ],
    of_runtime("DynamicSlice", [CUBE.astype(np.int64), ints(1), ints(2)], through=("static", "dynamic", "export")),
    of_runtime("BatchNormalization", [X, *[np.abs(X[i % 2]) + 0.5 for i in range(4)]], {"spatial": 0}, opset=8),
]


@pytest.mark.parametrize("case", RUNTIME, ids=lambda c: f"{c.op_type}-{c.settings['opset']}-{c.combination[1][:60]}")
def test_as_onnx_runtime(case):
    case.check()


def test_every_operator_that_only_onnx_runtime_has_is_supported():
    standard = {(s.name, s.since_version) for s in onnx.defs.get_all_schemas_with_history() if s.domain == ""}
    kernels = {k.op_name for k in get_all_opkernel_def() if k.domain == "" and k.provider == "CPUExecutionProvider"}
    own = {(s.name, s.since_version) for s in get_all_operator_schema() if s.domain == ""} - standard
    supported = {
        (op.op_type, v) for op in supported_ops() if op.domain == "ai.onnx" for v in (*op.versions, *op.by_function)
    }
    needed = {(name, v) for name, v in own if name in kernels and v < 10 and not name.startswith("Memcpy")}
    assert len(needed) > 10
    assert needed - supported == set()


@few
@given(st.data())
def test_arithmetic_of_any_rank(data):
    x = normal(data, *data.draw(st.lists(st.integers(0, 3), max_size=5)))
    alpha, beta = (data.draw(st.sampled_from([-2.0, 0.25, 1.0, 3.0])) for _ in range(2))
    check_op("Affine", [x], {"alpha": alpha, "beta": beta}, opset=7)
    check_op("ScaledTanh", [x], {"alpha": alpha, "beta": beta}, opset=7)


@few
@given(st.data())
def test_slices_with_drawn_bounds(data):
    rank = data.draw(st.integers(1, 3))
    axes = data.draw(st.lists(st.integers(0, rank - 1), min_size=1, unique=True))
    bounds = [data.draw(st.lists(st.integers(-6, 6), min_size=len(axes), max_size=len(axes))) for _ in range(2)]
    check_op("DynamicSlice", [normal(data, *[4] * rank), *map(np.int64, bounds), np.int64(axes)], opset=7)


FILLS = [
    ("GivenTensorFill", [], {"shape": [2, 2], "values": [1.0, 2.0, 3.0, 4.0]}, np.float32([[1, 2], [3, 4]])),
    ("GivenTensorFill", [CUBE[:1, 0, :2]], {"values": [5.0, 6.0]}, np.float32([[5, 6]])),
    (
        "GivenTensorFill",
        [ints(2)],
        {"values": [5.0, 6.0], "input_as_shape": 1, "extra_shape": [1]},
        np.float32([[5], [6]]),
    ),
    ("ConstantFill", [], {"shape": [2, 3], "value": 0.5}, np.full((2, 3), 0.5, np.float32)),
    ("ConstantFill", [ints(2, 3)], {"value": 7.0, "input_as_shape": 1, "dtype": 7}, np.full((2, 3), 7, np.int64)),
    ("ConstantFill", [np.int32([2])], {"input_as_shape": 1, "extra_shape": [4]}, np.zeros((2, 4), np.float32)),
    ("ConstantFill", [CUBE], {"value": -1.0}, np.full(CUBE.shape, -1, np.float32)),
]


@pytest.mark.parametrize(("op_type", "inputs", "attributes", "expected"), FILLS)
def test_fills(op_type, inputs, attributes, expected):
    """ONNX Runtime has no kernel: the numbers are what the texts of opsets 1 to 7 said."""
    for constants in [(), range(len(inputs))]:
        check_op(op_type, inputs, attributes, opset=7, constants=constants, reference=[expected])


W = RNG.normal(size=(2, 4)).astype(np.float32)
WHOLE = CUBE.argsort(-1)[..., ::-1].copy()


def _normalized(x, axes):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-3)


def _of_group(x):
    return _normalized(x.reshape(2, 1, -1), -1).reshape(x.shape)


ATEN = [
    ("erf", [W], {}, [np.vectorize(math.erf)(W).astype(np.float32)]),
    ("cumsum", [CUBE], {"dim": 1}, [CUBE.cumsum(1)]),
    ("max", [W], {"dim": 1, "keepdim": 0}, [W.max(1), W.argmax(1)]),
    ("min", [W], {"dim": 0, "keepdim": 1}, [W.min(0, keepdims=True), W.argmin(0)[None]]),
    ("argmax", [W], {"dim": -1, "keepdim": 1}, [W.argmax(-1)[:, None]]),
    ("where", [(W > 0).astype(np.uint8), W, -W], {}, [np.abs(W)]),
    ("layer_norm", [CUBE, np.float32([1, 2, 3, 4]), np.ones(4, np.float32)],
     {"normalized_shape": [4], "eps": 1e-3, "cudnn_enable": 1}, [_normalized(CUBE, -1) * np.float32([1, 2, 3, 4]) + 1]),
    ("group_norm", [CUBE, np.float32([1, 2, 3]), np.zeros(3, np.float32)],
     {"num_groups": 1, "eps": 1e-3}, [_of_group(CUBE) * np.float32([[1], [2], [3]])]),
    ("gather", [CUBE, np.int64(2), WHOLE, np.int64(0)], {}, [np.take_along_axis(CUBE, WHOLE, 2)]),
    ("index_select", [CUBE, ints(2, 0)], {"dim": 1}, [CUBE[:, [2, 0]]]),
    ("index", [CUBE, ints(1, 1)], {}, [CUBE[[1, 1]]]),
    ("triu", [CUBE, np.int64(1)], {}, [np.triu(CUBE, 1)]),
    ("tril", [CUBE], {"diagonal": -1}, [np.tril(CUBE, -1)]),
    ("nonzero", [CUBE], {}, [np.argwhere(CUBE)]),
]  # fmt: skip


@pytest.mark.parametrize("domain", ["", "org.pytorch.aten"])
@pytest.mark.parametrize(("function", "inputs", "attributes", "expected"), ATEN)
def test_aten(function, inputs, attributes, expected, domain):
    scalars = [i for i, x in enumerate(inputs) if i and np.ndim(x) == 0]
    settings = {"opset": 1 if domain else 9, "domain": domain, "outputs": len(expected), "constants": scalars}
    check_op("ATen", inputs, {"operator": function, **attributes}, reference=expected, **settings)


def test_aten_grid_sampler():
    grid = RNG.uniform(-1.2, 1.2, (2, 4, 5, 2)).astype(np.float32)
    model = make_op_model("GridSample", [X, grid], {"padding_mode": "border", "align_corners": 1}, opset=20)
    expected = onnx.reference.ReferenceEvaluator(model).run(None, {"x0": X, "x1": grid})
    inputs = [X, grid, np.int64(0), np.int64(1), np.bool_(True)]
    check_op("ATen", inputs, {"operator": "grid_sampler"}, opset=9, constants=(2, 3, 4), reference=expected)


REFUSED = [
    ("Crop", [X], {}, "'border' must be four numbers"),
    ("Crop", [X], {"border": [1, 1, 1]}, "'border' must be four numbers"),
    ("Crop", [X], {"border": [-1, 0, 0, 0]}, "'border' must be four numbers from 0 on"),
    ("Crop", [X], {"border": [1, 2, 0, 0], "scale": [3]}, "'scale' must be two numbers"),
    ("Crop", [X], {"border": [1, 2, 0, 0], "scale": [4, 7]}, "takes 8 of the 7 elements"),
    ("Crop", [X], {"border": [4, 3, 4, 3]}, "takes 8 of the 7 elements"),
    ("Crop", [X[0]], {"border": [0, 0, 0, 0]}, "four dimensions"),
    ("Crop", [X], {"borders": [0, 0, 0, 0]}, "no attribute 'borders'"),
    ("Crop", [X], {"border": 1}, "is of type INT: INTS expected"),
    ("ImageScaler", [X], {}, "'bias' is missing"),
    ("ImageScaler", [X], {"bias": [1.0]}, "1 numbers for 3 channels"),
    ("ImageScaler", [X[0]], {"bias": [1.0] * 3}, "four dimensions"),
    ("ScaledTanh", [X], {"alpha": 1.0}, "'beta' is missing"),
    ("ParametricSoftplus", [X], {"beta": 1.0}, "'alpha' is missing"),
    ("Scale", [X], {"factor": 1.0}, "no attribute 'factor'"),
    ("GivenTensorFill", [], {"values": [1.0]}, "needs its attribute 'shape'"),
    ("GivenTensorFill", [ints(1)], {"shape": [1]}, "'values' is missing"),
    ("ConstantFill", [ints(1)], {"shape": [1]}, "both give its shape"),
    ("ATen", [X], {"operator": "fancy_new"}, "'fancy_new' of PyTorch is no operator"),
    ("ATen", [X], {"operator": "cumsum"}, "'dim' must be an integer"),
    ("ATen", [X, X > 0], {"operator": "index"}, "only one vector of integers"),
]  # fmt: skip


@pytest.mark.parametrize(("op_type", "inputs", "attributes", "says"), REFUSED)
def test_what_onnx_runtime_refuses_is_refused(op_type, inputs, attributes, says):
    model = make_op_model(op_type, inputs, attributes, opset=7)
    model.graph.node[0].name = "the_node"
    with pytest.raises(OnnxTfError) as caught:
        prepare(model)
    message = str(caught.value)
    assert says in message
    assert "'the_node'" in message
    assert op_type in message
    assert "version_converter" not in message


CONSUMED = ["Abs", "Relu", "Sigmoid", "LeakyRelu", "Elu", "Neg", "Exp"]


@pytest.mark.parametrize("op_type", [*CONSUMED, "ThresholdedRelu", "Affine", "DynamicSlice"])
@pytest.mark.parametrize("hint", [{}, {"consumed_inputs": [0]}])
def test_storage_hints_have_no_meaning(op_type, hint):
    inputs = [CUBE, ints(0), ints(1)] if op_type == "DynamicSlice" else [CUBE - 9]
    plain = make_op_model(op_type, inputs, opset=6)
    expected = ort_outputs(plain, {f"x{i}": x for i, x in enumerate(inputs)})
    check_op(op_type, inputs, hint, opset=1, reference=list(expected.values()))


@pytest.mark.parametrize("hint", [{}, {"consumed_inputs": [0, 0, 0, 1, 1]}])
def test_batch_normalization_of_opset_1(hint):
    inputs = [X, *[np.abs(X[0, :, 0, i]) + 0.5 for i in range(4)]]
    scale, b, mean, var = (t[:, None, None] for t in inputs[1:])
    expected = (X - mean) / np.sqrt(var + 1e-5) * scale + b
    check_op("BatchNormalization", inputs, {"is_test": 1, **hint}, opset=1, reference=[expected])


def test_a_crop_between_convolutions_keeps_their_memory_order():
    """As style transfer networks have it: its shape is known, so all between is computed channels-last."""
    w = helper.make_tensor("w", TensorProto.FLOAT, [3, 3, 3, 3], RNG.normal(size=81).astype(np.float32))
    nodes = [
        helper.make_node("ImageScaler", ["x"], ["s"], bias=[0.1, 0.2, 0.3], scale=0.5),
        helper.make_node("Conv", ["s", "w"], ["a"]),
        helper.make_node("Crop", ["a"], ["b"], border=[1, 1, 1, 1]),
        helper.make_node("ScaledTanh", ["b"], ["c"], alpha=2.0, beta=0.5),
        helper.make_node("Conv", ["c", "w"], ["y"]),
    ]
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 3, "H", "W"]) for n in "xy"]
    graph = helper.make_graph(nodes, "g", infos[:1], infos[1:], [w])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 7)], ir_version=10)
    x = RNG.normal(size=(1, 3, 12, 13)).astype(np.float32)
    rep = prepare(model)
    expected = ort_outputs(model, {"x": x})["y"]
    np.testing.assert_allclose(rep.run(x)[0], expected, rtol=1e-4, atol=1e-4)
    assert len(rep.layout_report.transposes) == 2  # of the input and the output
