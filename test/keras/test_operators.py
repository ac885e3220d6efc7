"""Operators of transformers and their like, as layers and operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest

from onnx_tf import OnnxTfError, to_keras
from test.keras.check import check_keras, layers_of
from test.models import text_model

RNG = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def with_weights(body: str, weights: Mapping[str, np.ndarray], **versions: int) -> onnx.ModelProto:
    model = text_model(body, **versions)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in weights.items())
    return model


@pytest.mark.parametrize(
    ("body", "weights", "layers"),
    [
        ("y = MatMul(x, w)", {"w": floats(4, 5)}, ["Dense"]),
        (
            "f = Flatten(x) z = Gemm<transB=1, alpha=2.0>(f, w, b) y = Relu(z)",
            {},
            ["Flatten", "Dense", "ReLU"],
        ),
        ("y = Add(x, x)", {}, ["Add"]),
        ("a = Neg(x) y = Concat<axis=-1>(x, a)", {}, ["Negative", "Concatenate"]),
        ("y = Transpose<perm=[0, 2, 1]>(x)", {}, ["Permute"]),
        ("y = Softmax<axis=-1>(x)", {}, ["Softmax"]),
        ("y = PRelu(x, w)", {"w": floats(4)}, ["PReLU"]),
        ("y = PRelu(x, w)", {"w": floats(3, 1)}, ["PReLU"]),
        ("y = LeakyRelu<alpha=0.3>(x)", {}, ["LeakyReLU"]),
        ("y = Elu(x)", {}, ["ELU"]),
        ("y = HardSwish(x)", {}, ["Activation"]),
        ("y = Selu(x)", {}, None),
        ("y = HardSigmoid(x)", {}, None),
        ("y = Mul(x, w)", {"w": floats(3, 4) + np.float32(0)}, None),
        ("y = Mul(x, w)", {"w": floats(30, 3, 4)[:1]}, None),
        ("y = ReduceMean<axes=[1], keepdims=0>(x)", {}, ["Mean"]),
        ("y = ReduceL2<axes=[1, 2]>(x)", {}, None),
    ],
)
def test_floats(body, weights, layers, tmp_path):
    if "Gemm" in body:
        weights = {"w": floats(5, 12), "b": floats(5)}
    model = with_weights(f"g (float[n, 3, 4] x) => (float[?, ?, ?] y) {{ {body} }}", weights)
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    model.graph.output[0].type.tensor_type.ClearField("shape")
    found = layers_of(check_keras(model, [{"x": floats(2, 3, 4)}, {"x": floats(5, 3, 4)}], tmp_path))
    assert layers is None or found == layers


def test_slopes_of_channels_before_opset_7():
    slope, x = floats(3), floats(2, 3, 4)
    model = with_weights("g (float[n, 3, 4] x) => (float[n, 3, 4] y) { y = PRelu(x, w) }", {"w": slope}, opset=6)
    keras_model = to_keras(model)
    assert layers_of(keras_model) == ["PReLU"]
    np.testing.assert_allclose(keras_model(x), np.where(x < 0, x * slope[:, None], x), rtol=1e-6)


def test_a_leaky_relu_that_turns_over():
    keras_model = to_keras(text_model("g (float[n] x) => (float[n] y) { y = LeakyRelu <alpha = -0.5> (x) }"))
    x = np.array([-2, -0.0, 0, 3], np.float32)
    np.testing.assert_array_equal(keras_model(x), np.where(x < 0, -0.5 * x, x))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("g (float[n] x) => (float[0] y) <float[0] y = {}> { z = Neg(x) }", "output 'y': .* without elements"),
        ("g () => (float[1] y) <float[1] w = {1}> { y = Neg(w) }", "no inputs"),
        ("g (float[1] x) => () { y = Neg(x) }", "no outputs"),
    ],
)
def test_outputs_that_no_model_has(text, says):
    with pytest.raises(OnnxTfError, match=says):
        to_keras(text_model(text))


def test_gelu_that_is_written_out(tmp_path):
    body = """g (float[n, 4] x) => (float[n, 4] y) {
        s = Constant<value_float=1.4142135>()
        one = Constant<value_float=1.0>()
        half = Constant<value_float=0.5>()
        a = Div(x, s)
        b = Erf(a)
        c = Add(b, one)
        d = Mul(x, c)
        y = Mul(d, half)
    }"""
    assert layers_of(check_keras(text_model(body), {"x": floats(3, 4)}, tmp_path)) == ["Activation"]


def test_embedding_and_a_mask_along_open_dimensions(tmp_path):
    body = """g (int64[b, s] ids) => (float[b, s, 8] y) {
        e = Gather(table, ids)
        shape = Shape(ids)
        zero = Constant<value_int=0>()
        one = Constant<value_int=1>()
        ones = Constant<value_ints=[1]>()
        zeros = Constant<value_ints=[0]>()
        n = Gather(shape, one)
        r = Range(zero, n, one)
        p = Gather(places, r)
        end = Unsqueeze(n, zeros)
        part = Slice(line, zeros, end, ones)
        target = Constant<value_ints=[1, -1, 1]>()
        column = Reshape(part, target)
        sum = Add(e, p)
        y = Add(sum, column)
    }"""
    weights = {"table": floats(20, 8), "places": floats(16, 8), "line": floats(1, 16)}
    feeds = [{"ids": RNG.integers(0, 20, size=shape)} for shape in ((2, 5), (3, 7))]
    assert "Embedding" in layers_of(check_keras(with_weights(body, weights), feeds, tmp_path))


def test_heads_of_an_open_batch_and_length(tmp_path):
    body = """g (float[b, s, 8] x) => (float[b, 2, s, 4] y, float[b, s, 2] z) {
        shape = Shape(x)
        two = Constant<value_ints=[0, 1]>()
        lead = Gather(shape, two)
        heads = Constant<value_ints=[2, 4]>()
        target = Concat<axis=0>(lead, heads)
        h = Reshape(x, target)
        y = Transpose<perm=[0, 2, 1, 3]>(h)
        one = Constant<value_ints=[2]>()
        wide = Concat<axis=0>(lead, one)
        c = ConstantOfShape<value = float[1] {2.5}>(wide)
        e = Expand(w, wide)
        z = Add(c, e)
    }"""
    feeds = [{"x": floats(2, 5, 8)}, {"x": floats(3, 7, 8)}]
    check_keras(with_weights(body, {"w": floats(1, 1, 2)}), feeds, tmp_path)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("y = Div(x, w)", np.int64),
        ("y = Slice(x, starts, ends, axes, steps)", np.float32),
        ("y, z = Split<axis=1>(x)", np.float32),
        ("c = Cast<to=1>(x) y = Sqrt(c)", np.int64),
        ("a = Abs(x) b = Greater(a, w) y = Where(b, x, w)", np.float32),
        ("y = CumSum<reverse=1, exclusive=1>(x, one)", np.float32),
        ("y = Trilu<upper=0>(x)", np.float32),
        ("y = GatherND(x, pairs)", np.float32),
        ("y = ScatterND(x, pairs, values)", np.float32),
        ('y = Pad<mode="edge">(x, pads)', np.float32),
        ('y = Pad<mode="reflect">(x, pads)', np.float32),
        ("y = ArgMax<axis=1>(x)", np.float32),
    ],
)
def test_static(body, kind, tmp_path):
    element = {"float32": "float", "int64": "int64"}[np.dtype(kind).name]
    weights: dict[str, Any] = {
        "w": np.array([3, -2, 5, 7, 2, -9], kind).reshape(1, 6),
        "starts": np.array([-1, 1]),
        "ends": np.array([-9, 9]),
        "axes": np.array([0, 1]),
        "steps": np.array([-1, 2]),
        "one": np.array(1),
        "pairs": np.array([[0, 1], [3, -1]]),
        "values": np.array([8, 9], kind),
        "pads": np.array([1, 0, 0, 2]),
    }
    weights = {name: array for name, array in weights.items() if name in body.replace("(", " ").replace(",", " ")}
    outputs = f"{element}[?] y" + f", {element}[?] z" * ("z = " in body)
    model = with_weights(f"g ({element}[4, 6] x) => ({outputs}) {{ {body} }}", weights)
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    x = (RNG.normal(size=(4, 6)) * 20).astype(kind)
    if "Sqrt" in body:
        x = abs(x)
    if "Cast" in body or "ArgMax" in body:
        model.graph.output[0].type.tensor_type.elem_type = 1 if "Cast" in body else 7
    check_keras(model, {"x": x}, tmp_path)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("place", ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"])
def test_resize(mode, place, tmp_path):
    body = f"""g (float[1, 2, 5, 6] x) => (float[1, 2, 8, 9] y) {{
        y = Resize<mode="{mode}", coordinate_transformation_mode="{place}">(x, , , sizes)
    }}"""
    check_keras(with_weights(body, {"sizes": np.array([1, 2, 8, 9])}), {"x": floats(1, 2, 5, 6)}, tmp_path)


def test_resize_by_repeated_pixels_is_a_layer(tmp_path):
    body = """g (float[n, 2, h, w] x) => (float[n, 2, H, W] y) {
        a = MaxPool<kernel_shape=[2, 2]>(x)
        y = Resize<mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor">(a, , scales)
    }"""
    model = with_weights(body, {"scales": np.array([1, 1, 2, 3], np.float32)})
    assert "UpSampling2D" in layers_of(check_keras(model, {"x": floats(1, 2, 4, 5)}, tmp_path))


def test_quantized_weights_become_floats(tmp_path):
    body = """g (float[n, 4] x) => (float[n, 5] y) {
        q = QuantizeLinear(x, s, z)
        d = DequantizeLinear(q, s, z)
        w = DequantizeLinear<axis=1>(weight, scales)
        y = MatMul(d, w)
    }"""
    weights = {
        "s": np.array(0.1, np.float32),
        "z": np.array(3, np.uint8),
        "weight": RNG.integers(-9, 9, size=(4, 5)).astype(np.int8),
        "scales": abs(floats(5)),
    }
    assert "Dense" in layers_of(check_keras(with_weights(body, weights), {"x": floats(3, 4)}, tmp_path))


def test_dtypes_without_layers(tmp_path):
    body = """g (uint8[n, 2, 6] x) => (uint8[n, 12] y) {
        a = Transpose<perm=[0, 2, 1]>(x)
        b = Reshape(a, target)
        y = Flatten(b)
    }"""
    feed = {"x": RNG.integers(0, 255, size=(3, 2, 6)).astype(np.uint8)}
    check_keras(with_weights(body, {"target": np.array([-1, 3, 4])}), feed, tmp_path)


@pytest.mark.parametrize(
    ("left", "right"), [((1, 8), (8, 1)), ((2, 3, 3), (3, 1)), ((2, 8, 1), (8,)), ((8, 1), (1, 8))]
)
def test_sums_that_keras_would_take_for_biases(left, right, tmp_path):
    dims = [", ".join(map(str, shape)) for shape in (left, right)]
    body = f"g (float[{dims[0]}] x, float[{dims[1]}] z) => (float[?, ?] y) {{ y = Add(x, z) }}"
    model = text_model(body)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    check_keras(model, {"x": floats(*left), "z": floats(*right)}, tmp_path)


@pytest.mark.parametrize(("kind", "layer"), [("centred", "LayerNormalization"), ("squares", "RMSNormalization")])
def test_normalizations_that_are_written_out(kind, layer, tmp_path):
    source = "m = ReduceMean<axes=[-1]>(x) d = Sub(x, m)" if kind == "centred" else "d = Identity(x)"
    body = f"""g (float[n, 3, 4] x) => (float[n, 3, 4] y) {{
        two = Constant<value_float=2.0>()
        epsilon = Constant<value_float=1e-5>()
        {source}
        p = Pow(d, two)
        v = ReduceMean<axes=[-1]>(p)
        a = Add(v, epsilon)
        s = Sqrt(a)
        q = Div(d, s)
        y = Mul(q, scale)
    }}"""
    model = with_weights(body, {"scale": floats(4)})
    assert layers_of(check_keras(model, {"x": floats(2, 3, 4)}, tmp_path)) == [layer]


def test_products_and_their_biases_are_dense(tmp_path):
    body = "g (float[n, 3, 4] x) => (float[n, 3, 5] y) { p = MatMul(x, w) y = Add(b, p) }"
    model = with_weights(body, {"w": floats(4, 5), "b": floats(5)})
    assert layers_of(check_keras(model, {"x": floats(2, 3, 4)}, tmp_path)) == ["Dense"]


def test_a_table_and_its_transpose_are_one_weight(tmp_path):
    body = "g (int64[n, 3] ids) => (float[n, 3, 9] y) { e = Gather(table, ids) y = MatMul(e, matrix) }"
    table = floats(9, 4)
    model = with_weights(body, {"table": table, "matrix": table.T.copy()})
    loaded = check_keras(model, {"ids": RNG.integers(0, 9, size=(2, 3))}, tmp_path)
    assert len(loaded.weights) == 1
