"""What follows a value whose rank only data decide, against ONNX Runtime: whatever rank it turns out to have."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from onnx_tf import ConversionError, prepare
from test.handlers.check import compare, run_reference
from test.models import text_model
from test.onnx_suite.runs import RUNS

rng = np.random.default_rng(0)
CONSTANTS = {
    "one": np.int64(1),
    "axis0": np.int64([0]),
    "axis1": np.int64([1]),
    "last": np.int64([-1]),
    "two": np.int64([2]),
    "six": np.int64([6]),
    "pair": np.int64([0, 2]),
    "square": np.int64([[0, 1], [1, 2], [1, 3]]),
    "rows": np.int64([[0], [2]]),
    "axes01": np.int64([0, 1]),
    "pads": np.int64([0, 1, 0, 1]),
    "tail": np.int64([2, 3]),
    "keep": np.int64([0, 2, 3]),
    "unit": np.float32(0.5),
    "half": np.float32([0.5]),
    "v6": rng.uniform(1, 2, 6).astype(np.float32),
    "v2": rng.uniform(1, 2, 2).astype(np.float32),
    "w": rng.normal(size=(6, 5)).astype(np.float32),
    "ones": np.ones((3, 2), np.float32),
    "partner": rng.normal(size=(3, 6)).astype(np.float32),
    "filter": rng.normal(size=(2, 2, 3)).astype(np.float32),
    "lstm_w": rng.normal(size=(1, 8, 6)).astype(np.float32),
    "lstm_r": rng.normal(size=(1, 8, 2)).astype(np.float32),
    "scales": np.float32([1, 1, 2]),
}
SQUEEZED = """g (float[N, D, 6] x) => ({outputs}) {{
    dims = Shape (x)
    dim = Gather <axis = 0> (dims, one)
    is_one = Equal (dim, one)
    z = If (is_one) <then_branch = t () => (float[] s) {{ s = Squeeze (x, axis1) }},
                     else_branch = e () => (float[] i) {{ i = Identity (x) }}>
    {body}
}}"""
"""As PyTorch writes ``x.squeeze(1)``: z is [N, 6] or [N, D, 6]."""

FEEDS = {
    2: {"x": rng.normal(size=(3, 1, 6)).astype(np.float32)},
    3: {"x": rng.normal(size=(3, 2, 6)).astype(np.float32)},
}


def model_of(body: str, frame: str = SQUEEZED, outputs: str = "y", opset: int = 18) -> onnx.ModelProto:
    listed = ", ".join(name if " " in name else f"float[] {name}" for name in outputs.split(", "))
    model = text_model(frame.format(body=body, outputs=listed), opset=opset)
    used = {name for node in model.graph.node for name in node.input}
    used |= {name for node in model.graph.node for a in node.attribute for n in a.g.node for name in n.input}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(v, k) for k, v in CONSTANTS.items() if k in used)
    return model


def assert_right(model: onnx.ModelProto, feeds: list[dict], through: tuple[str, ...] = ("run",)) -> None:
    rep = prepare(model) if "run" in through else None
    for feed in feeds:
        expected = run_reference(model, feed, "ort")
        if rep is not None:
            compare(expected, list(rep.run(feed)), rtol=1e-4, atol=1e-5, label="run")
        if "export" in through:
            compare(expected, RUNS["export"](model, list(feed.values())), rtol=1e-4, atol=1e-5, label="export")


ANY_RANK = {
    "Abs": "y = Abs (z)",
    "Add": "y = Add (z, v6)",
    "ArgMax": "i = ArgMax <axis = 1> (z) y = Cast <to = 1> (i)",
    "ArgMin": "i = ArgMin <axis = -1, keepdims = 0> (z) y = Cast <to = 1> (i)",
    "Cast": "i = Cast <to = 6> (z) y = Cast <to = 1> (i)",
    "Clip": "y = Clip (z, unit)",
    "Compress": "b = Cast <to = 9> (pair) y = Compress <axis = 0> (z, b)",
    "Concat": "y = Concat <axis = 1> (z, z)",
    "CumSum": "y = CumSum (z, one)",
    "Dropout": "y = Dropout (z)",
    "Einsum": 'y = Einsum <equation = "...i,ij->...j"> (z, w)',
    "Elu": "y = Elu (z)",
    "Equal": "b = Equal (z, v6) y = Cast <to = 1> (b)",
    "Expand": "y = Expand (z, axis1)",
    "Flatten": "y = Flatten (z)",
    "Gather": "y = Gather <axis = 1> (z, axis1)",
    "GatherND": "y = GatherND (z, rows)",
    "Mul": "y = Mul (z, z)",
    "Hardmax": "y = Hardmax <axis = 1> (z)",
    "LayerNormalization": "y = LayerNormalization (z, v6)",
    "LogSoftmax": "y = LogSoftmax <axis = 1> (z)",
    "LpNormalization": "y = LpNormalization <axis = -1> (z)",
    "MatMul": "y = MatMul (z, w)",
    "Max": "y = Max (z, v6, z)",
    "Mod": "y = Mod <fmod = 1> (z, v6)",
    "NonZero": "i = NonZero (z) y = Cast <to = 1> (i)",
    "OneHot": "i = Cast <to = 7> (z) y = OneHot (i, two, v2)",
    "PRelu": "y = PRelu (z, v6)",
    "Pad": "y = Pad (z, axes01, , last)",
    "QuantizeLinear": "q = QuantizeLinear (z, unit) y = DequantizeLinear (q, unit)",
    "ReduceL2": "y = ReduceL2 <keepdims = 0> (z, last)",
    "ReduceMax": "y = ReduceMax (z, axis1)",
    "ReduceMean": "y = ReduceMean <keepdims = 0> (z, last)",
    "ReduceSum": "y = ReduceSum (z)",
    "Reshape": "y = Reshape (z, last)",
    "ScatterND": "u = Gather (z, pair) y = ScatterND (z, rows, u)",
    "SequenceAt": "q = SequenceConstruct (z, z) y = SequenceAt (q, one)",
    "Shape": "i = Shape (z) y = Cast <to = 1> (i)",
    "Size": "i = Size (z) y = Cast <to = 1> (i)",
    "Slice": "y = Slice (z, axis1, two, axis1)",
    "Softmax": "y = Softmax <axis = -1> (z)",
    "Split": "y, other = Split <axis = -1, num_outputs = 2> (z)",
    "SplitToSequence": "q = SplitToSequence <axis = 0> (z) y = SequenceAt (q, one)",
    "Squeeze": "u = Unsqueeze (z, axis0) y = Squeeze (u, axis0)",
    "Sum": "y = Sum (z, z)",
    "TopK": "y, i = TopK (z, two)",
    "Transpose": "y = Transpose (z)",
    "Trilu": "y = Trilu (z)",
    "Unsqueeze": "y = Unsqueeze (z, last)",
    "Where": "b = Greater (z, v6) y = Where (b, z, v6)",
    "If": """p = ReduceSum <keepdims = 0> (z) c = Greater (p, unit)
        y = If (c) <then_branch = t2 () => (float[] a) { a = Softmax <axis = 1> (z) },
                    else_branch = e2 () => (float[] b) { b = LogSoftmax <axis = 1> (z) }>""",
    "Loop": """count = Squeeze (two) go = Cast <to = 9> (one)
        y = Loop (count, go, z) <body = l (int64 k, bool c, float[] a) => (bool d, float[] b) {
            d = Identity (c) b = Softmax <axis = 1> (a) }>""",
}
"""By operator, a graph that takes z in both ranks."""


@pytest.mark.parametrize("name", ANY_RANK)
def test_operators_that_take_any_rank(name):
    assert_right(model_of(ANY_RANK[name]), list(FEEDS.values()))


ONE_RANK = {
    "AveragePool": (3, "y = AveragePool <kernel_shape = [2]> (z)"),
    "BatchNormalization": (2, "y = BatchNormalization (z, v6, v6, v6, v6)"),
    "Concat": (2, "y = Concat <axis = 0> (partner, z)"),
    "Conv": (3, "y = Conv (z, filter)"),
    "ConvTranspose": (3, "y = ConvTranspose (z, filter)"),
    "EyeLike": (2, "y = EyeLike (z)"),
    "GRU": (
        3,
        """t = Slice (lstm_w, axis0, six, axis1) u = Slice (lstm_r, axis0, six, axis1)
        y = GRU <hidden_size = 2> (z, t, u)""",
    ),
    "GatherElements": (2, "y = GatherElements <axis = 1> (z, square)"),
    "Gemm": (2, "y = Gemm (z, w)"),
    "GlobalAveragePool": (3, "y = GlobalAveragePool (z)"),
    "InstanceNormalization": (3, "y = InstanceNormalization (z, v2, v2)"),
    "LSTM": (3, "y = LSTM <hidden_size = 2> (z, lstm_w, lstm_r)"),
    "MaxPool": (3, "y = MaxPool <kernel_shape = [3]> (z)"),
    "Pad": (2, "y = Pad (z, pads)"),
    "Reshape": (2, "y = Reshape (z, keep)"),
    "Resize": (3, 'y = Resize <mode = "nearest"> (z, , scales)'),
    "ScatterElements": (2, "y = ScatterElements <axis = 1> (z, square, ones)"),
    "Slice": (3, "y = Slice (z, axis0, axis1, two)"),
    "Softmax": (3, "y = Softmax <axis = 2> (z)"),
    "Tile": (2, "y = Tile (z, tail)"),
    "Transpose": (2, "y = Transpose <perm = [1, 0]> (z)"),
}
"""By operator, the one rank of z that it takes, and a graph."""


@pytest.mark.parametrize("name", ONE_RANK)
def test_operators_that_take_one_rank(name):
    rank, body = ONE_RANK[name]
    assert_right(model_of(body), [FEEDS[rank]])


@pytest.mark.parametrize("name", ["Transpose", "LSTM", "Gemm", "Conv", "Slice"])
def test_another_rank_is_an_error_and_no_wrong_number(name):
    rank, body = ONE_RANK[name]
    with pytest.raises(Exception, match=r"rank|reshape|shape|dim|size"):
        prepare(model_of(body)).run(FEEDS[5 - rank])


@pytest.mark.parametrize("name", ["Softmax", "Shape", "TopK", "If"])
def test_exported_models_take_both_ranks(name):
    assert_right(model_of(ANY_RANK[name]), list(FEEDS.values()), through=("export",))


CHAINS = {
    # A shape of unknown length, put together and taken apart.
    "shapes": """i = Shape (z) lead = Slice (i, axis0, last) t = Concat <axis = 0> (lead, tail)
        r = Reshape (z, t) y = Softmax <axis = -1> (r)""",
    # Two values of one rank, one of them computed before the rank is needed.
    "two ways": "a = Neg (z) b = Softmax <axis = -1> (z) y = Concat <axis = -1> (b, a)",
    # What lies between does not depend on the rank of z, but on its data.
    "between": "f = Reshape (z, last) m = ReduceMean <keepdims = 0> (f) c = Softmax <axis = 1> (z) y = Mul (c, m)",
    # The rank is known again, then unknown again.
    "again": """f = Flatten (z) e = Equal (dim, one)
        q = If (e) <then_branch = t2 () => (float[] a) { a = Unsqueeze (f, axis0) },
                    else_branch = e2 () => (float[] b) { b = Relu (f) }>
        y = LogSoftmax <axis = -1> (q)""",
}


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("layout", ["auto", "keep"])
def test_chains(name, layout):
    model = model_of(CHAINS[name])
    rep = prepare(model, layout=layout)
    for feed in FEEDS.values():
        compare(run_reference(model, feed, "ort"), list(rep.run(feed)), rtol=1e-4, atol=1e-5, label=layout)


def test_squeeze_of_whatever_has_size_1():
    frame = "g (float[a, b, c] x) => ({outputs}) {{ z = Squeeze (x) {body} }}"
    feeds = [{"x": rng.normal(size=shape).astype(np.float32)} for shape in ((2, 1, 3), (2, 4, 3), (1, 4, 1))]
    assert_right(model_of("y = Softmax <axis = -1> (z)", frame), feeds, through=("run", "export"))


@pytest.mark.parametrize("target", [[12], [2, 2, 3]])
def test_reshape_by_an_input_of_unknown_length(target):
    frame = "g (float[a, b] x, int64[n] s) => ({outputs}) {{ z = Reshape (x, s) {body} }}"
    feed = {"x": rng.normal(size=(4, 3)).astype(np.float32), "s": np.int64(target)}
    assert_right(model_of("y = Slice (z, axis0, axis1, last)", frame), [feed])


def test_an_input_without_shape_takes_any():
    frame = "g (float[] x) => ({outputs}) {{ z = Neg (x) {body} }}"
    feeds = [{"x": rng.normal(size=shape).astype(np.float32)} for shape in ((3,), (2, 3), (2, 3, 4))]
    assert_right(model_of("y = Softmax <axis = -1> (z)", frame), feeds)


def test_convolutions_behind_an_unknown_rank_are_computed_channels_last():
    model = model_of("a = Relu (z) b = Conv (a, filter) y = Relu (b)")
    assert_right(model, [FEEDS[3]], through=("run", "export"))
    assert "1 node computes channels-last" in str(prepare(model).layout_report)


def test_what_no_rank_settles_is_refused_with_the_input_whose_shape_would():
    nodes = " ".join(f"z{i + 1} = Softmax <axis = -1> (z{i})" for i in range(300))
    frame = "g (float[a, 6] x, int64[n] s, float[3] other) => ({outputs}) {{ z0 = Reshape (x, s) {body} }}"
    with pytest.raises(ConversionError, match=r"'z0'.*input_shapes=\{'s': \[n\]\} \(numbers for n\)") as caught:
        prepare(model_of(f"{nodes} y = Add (z300, other)", frame))
    assert "'other'" not in str(caught.value)
