"""Operators that become simpler ones: nothing of them is left in what is written, and the numbers stay."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from onnx_tf import ConversionError, OptionError, TensorflowRep, convert, prepare
from onnx_tf.check.compare import OfScale, compare
from onnx_tf.export.keras import build
from onnx_tf.options import Options
from onnx_tf.passes.decompose import DECOMPOSED
from onnx_tf.targets import KERAS
from test.litert.check import check_tflite
from test.models import text_model
from test.reference import ort_outputs

RNG = np.random.default_rng(7)
FINITE = np.concatenate([RNG.normal(size=18) * 3, [0.0, -0.0, 1.0, -1.0, 0.5, -0.5]]).astype(np.float32).reshape(4, 6)
SPECIAL = np.array([[0.0, -0.0, np.inf, -np.inf, np.nan, 3e38]], np.float32)
WITHIN = np.clip(FINITE, -1, 1)

GELU = "g (float[N, 6] x) => (float[N, 6] y) { y = Gelu(x) }"
POW = """g (float[N, 6] x) => (float[N, 6] a, float[N, 6] b, float[N, 6] c, float[N, 6] d, float[N, 6] e)
    <float three = {3}, float half = {0.5}, float minus = {-2}, float real = {1.7}> {
        p = Exp(x)
        a = Pow(x, three) b = Pow(p, half) c = Pow(p, minus) d = Pow(p, real) e = Pow(p, x) }"""
PRODUCTS = """g (float[2, 3, 4] x, float[2, 4, 5] w, float[4, 5] m) => (float[2, 3, 5] y, float[2, 3, 5] z) {
    p = MatMul(x, w) y = Relu(p) q = MatMul(x, m) z = Relu(q) }"""
INTEGERS = """g (uint8[N, 300] x, uint8[300, 6] w) => (int32[N, 6] y) <uint8 a = {7}, uint8 b = {3}> {
    y = MatMulInteger(x, w, a, b) }"""
GROUPS = """g (float[N, 4, 8, 8] x, float[6] b) => (float[N, 6, 8, 8] y) <int64[4] s = {6, 2, 3, 3}> {
    w = ConstantOfShape <value = float[1] {0.3}> (s)
    y = Conv <group = 2, auto_pad = "SAME_UPPER"> (x, w) }"""
PRELU = """g (float[N, 6] x) => (float[N, 6] y) <float[6] s = {0.1, 0.2, 0.3, 0.4, 0.5, -0.6}> { y = PRelu(x, s) }"""
ND = "g (float[N, 3, 4] x, int64[N, 5, 1] i) => (float[N, 5, 4] y) { y = GatherND <batch_dims = 1> (x, i) }"
PLACES = RNG.integers(-3, 3, (2, 5, 1))


def unary(op: str) -> str:
    return f"g (float[N, 6] x) => (float[N, 6] y) {{ y = {op}(x) }}"


CASES = {
    "Abs": (unary("Abs"), {"x": FINITE}, "ABS"),
    "Acos": (unary("Acos"), {"x": WITHIN}, "ACOS"),
    "Asin": (unary("Asin"), {"x": WITHIN}, "ASIN"),
    "Atan": (unary("Atan"), {"x": FINITE}, "ATAN2"),
    "BatchMatMul": (
        PRODUCTS,  # the ReLU of which the converter must not lose
        {"x": RNG.normal(size=(2, 3, 4)), "w": RNG.normal(size=(2, 4, 5)), "m": RNG.normal(size=(4, 5))},
        "BATCH_MATMUL",
    ),
    "Erf": (unary("Erf"), {"x": FINITE}, "ERF"),
    "GatherND": (ND, {"x": RNG.normal(size=(2, 3, 4)), "i": PLACES}, "GATHER_ND"),
    "Gelu": (GELU, {"x": FINITE}, "GELU"),
    "GroupConv": (GROUPS, {"x": RNG.normal(size=(2, 4, 8, 8)), "b": np.zeros(6)}, ""),
    "HardSwish": (unary("HardSwish"), {"x": FINITE}, "HARD_SWISH"),
    "LeakyRelu": (unary("LeakyRelu <alpha = 0.2>"), {"x": FINITE}, "LEAKY_RELU"),
    "MatMulInteger": (INTEGERS, {"x": RNG.integers(0, 256, (2, 300)), "w": RNG.integers(0, 256, (300, 6))}, ""),
    "Neg": (unary("Neg"), {"x": FINITE}, "NEG"),
    "PRelu": (PRELU, {"x": FINITE}, "PRELU"),
    "Pow": (POW, {"x": FINITE}, "POW"),
}
SINCE = {"Gelu": 20, "HardSwish": 14}
OF_TENSORFLOW = {
    "BatchMatMul": {"BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"},
    "GatherND": {"GatherNd"},
}


def model(name: str, opset: int):
    text, given, _ = CASES[name]
    dtypes = {"x": np.uint8, "w": np.uint8} if name == "MatMulInteger" else {"i": np.int64}
    return text_model(text, opset=opset), {k: np.asarray(v, dtypes.get(k, np.float32)) for k, v in given.items()}


def operations(rep: TensorflowRep) -> set[str]:
    graph = rep.tf_module.concrete().graph
    functions = [f.graph for f in graph._functions.values()] if hasattr(graph, "_functions") else []
    return {op.type for g in (graph, *functions) for op in g.get_operations()}


@pytest.mark.parametrize(
    ("name", "opset"), [(name, opset) for name in CASES for opset in (13, 20) if opset >= SINCE.get(name, 0)]
)
def test_saved_model(name, opset):
    proto, feed = model(name, opset)
    rep = prepare(proto, decompose=[name])
    assert compare(ort_outputs(proto, feed), dict(rep.run(feed).items()), OfScale(single=2e-6)).fits
    assert operations(rep).isdisjoint(OF_TENSORFLOW.get(name, {name}))


@pytest.mark.parametrize("name", CASES)
def test_litert(name, tmp_path):
    proto, feed = model(name, 20)
    found = check_tflite(proto, feed, tmp_path, decompose=[name])
    assert CASES[name][2] not in found
    if name == "GroupConv":
        assert found["CONV_2D"] == 2


@pytest.mark.parametrize("name", ["Abs", "BatchMatMul", "Gelu", "PRelu", "Pow"])
def test_keras(name):
    proto, feed = model(name, 20)
    rep = build(proto, Options.of(target=KERAS, decompose=[name]))
    given = [feed[name] for name in rep.inputs]
    found = rep.model(given if len(given) > 1 else given[0])
    tensors = found if isinstance(found, (list, tuple)) else [found]
    expected = ort_outputs(proto, feed)
    actual = dict(zip(rep.outputs, (np.asarray(tensor) for tensor in tensors), strict=True))
    assert compare(expected, actual, OfScale(single=2e-6)).fits


@pytest.mark.parametrize("name", ["Abs", "Atan", "Erf", "LeakyRelu", "Neg"])
def test_special_numbers(name):
    proto = model(name, 20)[0]
    expected = ort_outputs(proto, {"x": SPECIAL})["y"]
    actual = prepare(proto, decompose=[name]).run(SPECIAL)["y"]
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(actual[numbers]), np.signbit(expected[numbers]))


@pytest.mark.parametrize("exponent", [2.5, -2.5, 65.0, -65.0, np.inf, -np.inf])
def test_powers_of_infinities(exponent):
    proto = text_model(f"g (float[2] x) => (float[2] y) <float e = {{{exponent}}}> {{ y = Pow(x, e) }}")
    x = np.array([-np.inf, np.inf], np.float32)
    np.testing.assert_array_equal(prepare(proto, decompose=["Pow"]).run(x)["y"], np.power(x, np.float32(exponent)))


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("Abs", np.int32), ("Abs", np.int64), ("Abs", np.uint8), ("Pow", np.int32), ("Pow", np.int64)],
)
def test_integers_are_exact(name, dtype):
    kind = np.dtype(dtype).name
    body = "y = Abs(x)" if name == "Abs" else "y = Pow(x, e)"
    text = f"g ({kind}[5] x) => ({kind}[5] y) <{kind} e = {{5}}> {{ {body} }}"
    proto, x = text_model(text), np.array([0, 1, 2, 7, 9], dtype) * (1 if dtype is np.uint8 else -1)
    found = prepare(proto, decompose=[name]).run(x.astype(dtype))
    np.testing.assert_array_equal(found, np.abs(x) if name == "Abs" else x**5)


@pytest.mark.parametrize(("dims", "dtype"), [("3, 4, 4", np.float32), ("N, 5, 5", np.float64)])
def test_inverse(dims, dtype):
    kind = "float" if dtype is np.float32 else "double"
    text = f"""<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]>
        g ({kind}[{dims}] x) => ({kind}[{dims}] y) {{ y = com.microsoft.Inverse(x) }}"""
    size = int(dims[-1])
    x = RNG.normal(size=(3, size, size)).astype(dtype)
    x[0, 0, 0] = 0  # the first pivot is another row
    rep = prepare(onnx.parser.parse_model(text), decompose=["Inverse"])
    np.testing.assert_allclose(rep.run(x), np.linalg.inv(x), rtol=1e-3 if dtype is np.float32 else 1e-10, atol=1e-4)
    assert "MatrixInverse" not in operations(rep)


def test_what_others_are_made_of_is_decomposed_too(tmp_path):
    found = check_tflite(text_model(GELU, opset=20), {"x": FINITE}, tmp_path, decompose=["Gelu", "Erf", "Abs", "Neg"])
    assert found.keys().isdisjoint({"GELU", "ABS", "NEG", "SIGN"})


def test_what_is_left_is_told(tmp_path):
    with pytest.warns(UserWarning, match=r"m\.tflite still has Abs: operators that compute it as a part of theirs"):
        convert(
            text_model("g (float[N, 6] x) => (float[N] y) { y = ReduceL1 <axes = [1], keepdims = 0> (x) }"),
            tmp_path / "m.tflite",
            decompose=["Abs"],
            check=False,
        )


def test_a_written_out_gelu_stays_written_out(tmp_path):
    body = """g (float[N, 6] x) => (float[N, 6] y) <float r = {1.4142135}, float one = {1}, float half = {0.5}> {
        a = Div(x, r) b = Erf(a) c = Add(b, one) d = Mul(x, c) y = Mul(d, half) }"""
    assert "GELU" in check_tflite(text_model(body), {"x": FINITE}, tmp_path)
    assert "GELU" not in check_tflite(text_model(body), {"x": FINITE}, tmp_path, decompose=["Gelu"])


class TestArgMax:
    TEXT = """g (float[N, 5, 7] x) => (int64[N, 1, 7] first, int64[N, 5] last) {
        first = ArgMax <axis = 1> (x)
        last = ArgMax <axis = 2, keepdims = 0, select_last_index = 1> (x) }"""

    @pytest.mark.parametrize("opset", [13, 18])
    def test_by_reduce_max(self, opset, tmp_path):
        feed = {"x": RNG.integers(0, 3, (2, 5, 7)).astype(np.float32)}  # several are the largest
        proto = text_model(self.TEXT, opset=opset)
        assert "ARG_MAX" in check_tflite(proto, feed, tmp_path)
        found = check_tflite(proto, feed, tmp_path, argmax="reduce-max")
        assert "ARG_MAX" not in found
        assert found["REDUCE_MAX"] == 4


class TestRefused:
    @pytest.mark.parametrize(
        ("name", "says"),
        [
            ("Gelo", r"decompose: 'Gelo' is not among Abs, .*\(did you mean 'Gelu'\?\)"),
            ("ArgMax", "'ArgMax' is not among"),
        ],
    )
    def test_names(self, name, says):
        with pytest.raises(OptionError, match=says):
            prepare(text_model(GELU, opset=20), decompose=[name])

    def test_open_batches(self):
        proto = text_model("g (float[N, 2, 3] x, float[N, 3, 2] w) => (float[N, 2, 2] y) { y = MatMul(x, w) }")
        with pytest.raises(ConversionError, match="the batches are not counted before it runs: state them"):
            prepare(proto, decompose=["BatchMatMul"])
        assert prepare(proto, decompose=["BatchMatMul"], batch_size=2).outputs.types["y"].shape == (2, 2, 2)


def test_all_are_tried():
    assert {*CASES, "Inverse", "ArgMax"} == set(DECOMPOSED)
