"""What TensorFlow's converter would change without a word."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from test.litert.check import check_tflite
from test.models import text_model

RNG = np.random.default_rng(0)
CONSTANTS = "<float zero = {0.0}, float six = {6.0}>"
ACTIVATIONS = {
    "relu": "y = Relu(m)",
    "clip": "y = Clip(m, zero, six)",
    "later": "t = Transpose(m) y = Relu(t)",
}


def normal(*shape: int) -> np.ndarray:
    return (3 * RNG.standard_normal(shape)).astype(np.float32)


def with_constants(body: str, **constants: np.ndarray) -> onnx.ModelProto:
    model = text_model(body, opset=18)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in constants.items())
    return model


@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
@pytest.mark.parametrize(
    ("a", "b", "product"),
    [
        (("N", 4), (4, 3), "MatMul(a, b)"),
        (("N", 2, 4), (4, 3), "MatMul(a, b)"),
        ((2, 4), (4, 3), 'Einsum<equation = "ij, jk -> ik">(a, b)'),
    ],
    ids=["matrices", "a batch", "einsum"],
)
def test_products_of_inputs_keep_their_relu(a, b, product, activation, tmp_path):
    shapes = [", ".join(map(str, shape)) for shape in (a, b)]
    model = text_model(
        f"g (float[{shapes[0]}] a, float[{shapes[1]}] b) => (float y) {CONSTANTS} {{ m = {product} {activation} }}"
    )
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    model.graph.output[0].type.tensor_type.ClearField("shape")
    sizes = [[n if dim == "N" else dim for dim in a] for n in ((2,) if "N" not in a else (2, 5))]
    assert "RELU" in str(check_tflite(model, [{"a": normal(*s), "b": normal(*b)} for s in sizes], tmp_path))


@pytest.mark.parametrize(("a", "b"), [("4", "4, 3"), ("N, 4", "4"), ("4", "4"), ("4", "N, 4, 3"), ("N, 2, 4", "4")])
def test_products_of_vectors(a, b, tmp_path):
    model = text_model(f"g (float[{a}] a, float[{b}] b) => (float y) {{ m = MatMul(a, b) y = Relu(m) }}")
    model.graph.output[0].type.tensor_type.ClearField("shape")
    shapes = [[3 if dim == "N" else int(dim) for dim in dims.split(", ")] for dims in (a, b)]
    check_tflite(model, {"a": normal(*shapes[0]), "b": normal(*shapes[1])}, tmp_path)


def test_products_with_weights_stay_dense_layers(tmp_path):
    model = with_constants("g (float[N, 4] a) => (float[N, 3] y) { m = MatMul(a, b) y = Relu(m) }", b=normal(4, 3))
    assert check_tflite(model, {"a": normal(5, 4)}, tmp_path) == {"FULLY_CONNECTED": 1}


@pytest.mark.parametrize(
    "sum_of",
    [
        "y = Add(c, v)",
        "y = Sub(v, c)",
        "m = Mul(c, v) n = Neg(m) s = Add(v, n) y = Relu(s)",
    ],
)
@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1, 1)])
def test_scalars_after_transposed_convolutions(sum_of, shape, tmp_path):
    model = with_constants(
        f"g (float[N, 3, 5, 5] x) => (float[N, 2, 10, 10] y) {{ c = ConvTranspose<strides = [2, 2]>(x, w) {sum_of} }}",
        w=normal(3, 2, 2, 2),
        v=np.full(shape, 0.7, np.float32),
    )
    check_tflite(model, {"x": normal(2, 3, 5, 5)}, tmp_path)


def test_infinite_constants_stay_infinite(tmp_path):
    mask = np.tril(np.ones((4, 4), bool))
    model = with_constants(
        "g (float[N, 4, 4] x, bool[4, 4] m) => (float[N, 4, 4] a, float[N, 4, 4] b, bool[N, 4, 4] c, bool[N, 4, 4] d) "
        "{ w = Where(m, x, low) a = Softmax(w) s = Add(x, f) b = Softmax(s) "
        "c = IsInf(w) d = IsInf<detect_negative = 0>(w) }",
        low=np.float32(-np.inf),
        f=np.where(mask, 0, -np.inf).astype(np.float32),
    )
    check_tflite(model, {"x": normal(2, 4, 4), "m": mask}, tmp_path)


@pytest.mark.parametrize("kind", ["bool", "float"])
@pytest.mark.parametrize("constant", [True, False])
def test_attention_of_rows_without_a_key(kind, constant, tmp_path):
    mask = np.tril(np.ones((4, 4), bool))
    mask[2] = False
    given = mask if kind == "bool" else np.where(mask, 0, -np.inf).astype(np.float32)
    inputs = ", ".join(f"float[N, 2, 4, 8] {name}" for name in "qkv")
    model = text_model(
        f"g ({inputs}, {kind}[4, 4] m) => (float[N, 2, 4, 8] y) {{ y = Attention(q, k, v, m) }}",
        opset=23,
        ir_version=10,
    )
    feed = {name: normal(2, 2, 4, 8) for name in "qkv"}
    if constant:
        del model.graph.input[3]
        model.graph.initializer.append(onnx.numpy_helper.from_array(given, "m"))
    else:
        feed["m"] = given
    check_tflite(model, feed, tmp_path)


def test_special_numbers(tmp_path):
    model = text_model(
        "g (float[N] x) => (bool[N] a, bool[N] b, float[N] c, float[N] d, float[N] e, float[N] f) "
        "{ a = IsNaN(x) b = IsInf(x) c = Round(x) d = Sign(x) e = Sqrt(x) f = Abs(x) }"
    )
    x = np.array([np.inf, -np.inf, np.nan, 0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 3e30], np.float32)
    check_tflite(model, {"x": x}, tmp_path)
