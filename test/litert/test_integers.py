"""Integers of every width: exact as in ONNX Runtime, with built-in operators."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

from onnx_tf import convert
from onnx_tf.export.flatbuffer import operators
from test.handlers.check import make_op_model
from test.litert.check import check_tflite

BIG = np.array(
    [2**62 + 12345, -(2**62) + 7, 2**53 + 1, -(2**63) + 5, 2**63 - 1, 7, -7, 0, 1, -1, 123456789012345, -999999999999]
)
DIVISORS = np.array([3, -5, 2**31 + 11, 7, 1, 2, 3, 5, -1, 1, 123457, -1000003])
CUBE = np.random.default_rng(0).integers(-9, 10, (2, 3, 4))


def model_of(nodes: str, inputs: dict[str, np.ndarray], opset: int = 22) -> onnx.ModelProto:
    """Return a model of nodes in ONNX's text form, whose results are its outputs and whose inputs are open."""
    graph = onnx.parser.parse_graph(f"g () => () {{ {nodes} }}")
    values = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), [f"{n}_{i}" for i in range(x.ndim)])
        for n, x in inputs.items()
    ]
    results = [helper.make_empty_tensor_value_info(name) for node in graph.node for name in node.output]
    graph = helper.make_graph(list(graph.node), "g", values, results)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


BINARY = """quotient = Div(a, b) rest = Mod(a, b) remainder = Mod<fmod = 1>(a, b) magnitude = Abs(a) sign = Sign(a)
both = BitwiseAnd(a, b) any = BitwiseOr(a, b) one = BitwiseXor(a, b) flipped = BitwiseNot(a) largest = Max(a, b)"""


@pytest.mark.parametrize("dtype", [np.int64, np.int32])
def test_division_and_bits_over_the_whole_range(dtype, tmp_path):
    inputs = {"a": BIG.astype(dtype), "b": DIVISORS.astype(dtype)}
    feeds = [inputs, {"a": inputs["a"].reshape(3, 4)[:, :1].reshape(-1)[:1], "b": inputs["b"]}]
    check_tflite(model_of(BINARY, inputs), feeds, tmp_path)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.uint32])
def test_arithmetic_of_integers_without_kernels(dtype, tmp_path):
    rng = np.random.default_rng(0)
    limits = np.iinfo(dtype)
    inputs = {
        "a": rng.integers(limits.min, limits.max, (3, 4), dtype=dtype, endpoint=True),
        "b": rng.integers(1, limits.max, (3, 4), dtype=dtype, endpoint=True),
    }
    nodes = """sum = Add(a, b) difference = Sub(a, b) product = Mul(a, b) quotient = Div(a, b) rest = Mod(a, b)
    equal = Equal(a, b) less = Less(a, b) not_less = GreaterOrEqual(a, b) both = BitwiseAnd(a, b) sign = Sign(a)
    turned = Transpose(a) joined = Concat<axis = 0>(a, b) widened = Cast<to = 7>(a) number = Cast<to = 1>(b)"""
    check_tflite(model_of(nodes, inputs), inputs, tmp_path)


def test_unsigned_integers_of_64_bits_keep_all_of_them(tmp_path):
    inputs = {name: x.view(np.uint64) for name, x in {"a": BIG, "b": DIVISORS[::-1].copy()}.items()}
    nodes = """sum = Add(a, b) product = Mul(a, b) less = Less(a, b) equal = Equal(a, b) larger = Max(a, b)
    both = BitwiseAnd(a, b) signed = Cast<to = 7>(a) byte = Cast<to = 2>(a)"""
    check_tflite(model_of(nodes, inputs), inputs, tmp_path)


@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
def test_shifts(direction, tmp_path):
    inputs = {}
    for name, dtype, bits in (("a", np.uint8, 8), ("b", np.uint32, 32), ("c", np.uint64, 64)):
        inputs |= {name: BIG.astype(dtype), f"{name}_by": np.arange(0, 12 * 5, 5).astype(dtype) % bits}
    nodes = " ".join(f'{n}_y = BitShift<direction = "{direction}">({n}, {n}_by)' for n in "abc")
    check_tflite(model_of(nodes, inputs), inputs, tmp_path)


@pytest.mark.parametrize("dtype", [np.int64, np.int32])
def test_reductions_places_and_products(dtype, tmp_path):
    inputs = {"x": CUBE.astype(dtype), "w": CUBE[0].T.astype(dtype), "axes": np.array([1])}
    nodes = """largest = ArgMax<axis = 1>(x) last = ArgMax<axis = -1, select_last_index = 1, keepdims = 0>(x)
    least = ArgMin<axis = 0>(x) mean = ReduceMean(x, axes) l1 = ReduceL1(x, axes) l2 = ReduceL2(x, axes)
    sum = ReduceSum(x, axes) product = MatMul(x, w) row = MatMul(w, x)
    left, right = Split<axis = 2, num_outputs = 2>(x)"""
    check_tflite(model_of(nodes, inputs), [inputs, inputs | {"x": inputs["x"][:1]}], tmp_path)


def test_powers(tmp_path):
    x, exponent = np.array([2, -3, 5, -1, 1, 0, -1, 7]), np.array([5, 3, 9, 1 << 40, 77, 2, -3, -1])
    for base, power, constants in ((x, exponent, ()), (x.astype(np.int32), np.float32(3), (1,))):
        model = make_op_model("Pow", [base, power], constants=constants)
        feed = {"x0": base} if constants else {"x0": base, "x1": power}
        check_tflite(model, feed, tmp_path)


def test_booleans(tmp_path):
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 2, (3, 4)).astype(bool) for _ in range(2))
    inputs = {"a": a, "b": b, "lengths": np.array([1, 2, 3, 2]), "axes": np.array([1])}
    nodes = """and = And(a, b) xor = Xor(a, b) equal = Equal(a, b) turned = Transpose(a) joined = Concat<axis = 1>(a, b)
    left, right = Split<axis = 1, num_outputs = 2>(a) reversed = ReverseSequence(a, lengths)
    any = ReduceMax(a, axes) all = ReduceMin(a, axes) places = NonZero(a) number = Cast<to = 1>(a)"""
    check_tflite(model_of(nodes, inputs), [inputs], tmp_path)


def test_floats_out_of_range_lose_their_high_bits_as_in_onnx_runtime(tmp_path):
    inputs = {"x": np.array([300.0, -5.0, 2.9, -2.9, 255.5, 70000.0], np.float32)}
    nodes = " ".join(f"y{to} = Cast<to = {to}>(x)" for to in (2, 3, 4, 5, 6, 7, 9, 12))
    check_tflite(model_of(nodes, inputs), inputs, tmp_path)


KNOWN = """shape = Shape(x) rows = Gather<axis = 0>(shape, one) half = Div(rows, two) place = ArgMax<axis = 1>(x)
row = Div(place, three) column = Mod<fmod = 1>(place, three)"""


def test_what_is_known_to_fit_is_divided_in_32_bits(tmp_path):
    inputs = {"x": np.random.default_rng(0).standard_normal((5, 9)).astype(np.float32)}
    model = model_of(KNOWN, inputs)
    numbers = {"one": np.array(1), "two": np.array(2), "three": np.array([3])}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in numbers.items())
    found = check_tflite(model, [inputs, {"x": inputs["x"][:, :4]}], tmp_path)
    assert found["DIV"] == 2
    assert "ROUND" not in found


def test_consent_makes_a_division_one_operator(tmp_path):
    inputs = {"a": np.array([7, -7, 5]), "b": np.array([2, 2, -3])}
    file = tmp_path / "model.tflite"
    done = convert(model_of("y = Div(a, b)", inputs), file, int64_as_int32=True)
    assert done.fits
    assert dict(operators(file.read_bytes())) == {"CAST": 3, "DIV": 1}
