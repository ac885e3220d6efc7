"""Constant weights are stored as TensorFlow's kernels read them, unless something else reads them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from onnx_tf import prepare
from onnx_tf.model.loading import load_model
from onnx_tf.passes.pack_weights import pack_weights
from test.layout.running import run

HEADER = '<ir_version: 8, opset_import: ["" : 17]>\n'
RNG = np.random.default_rng(0)


def model_of(text: str, **constants: np.ndarray) -> onnx.ModelProto:
    proto = onnx.parser.parse_model(HEADER + text)
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(a, name) for name, a in constants.items())
    return proto


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


GEMM = "g (float[2,3] x) => (float[2,5] y) { y = Gemm<transB = 1>(x, w, b) }"


def packed_shapes(proto: onnx.ModelProto) -> dict[str, list[int]]:
    model = load_model(proto)
    pack_weights(model)
    return {name: list(value.const_value.shape.numpy()) for name, value in model.graph.initializers.items()}


def assert_same_numbers(proto: onnx.ModelProto, **feed: np.ndarray) -> None:
    expected = run(proto, feed)
    for array, name in zip(prepare(proto).run(feed), expected, strict=True):
        np.testing.assert_allclose(array, expected[name], rtol=1e-4, atol=1e-4)


def test_matrix_of_a_gemm() -> None:
    proto = model_of(GEMM, w=floats(5, 3), b=floats(5))
    assert packed_shapes(proto)["w"] == [3, 5]
    assert_same_numbers(proto, x=floats(2, 3))


@pytest.mark.parametrize("other", ["Gemm(z, w)", "MatMul(z, w)", "Transpose(w)"])
def test_matrix_that_something_else_reads(other: str) -> None:
    text = f"g (float[2,3] x, float[4,5] z) => (float[2,5] y, float[a,c] o) {{ y = Gemm<transB=1>(x, w) o = {other} }}"
    proto = model_of(text, w=floats(5, 3))
    assert packed_shapes(proto)["w"] == [5, 3]
    assert_same_numbers(proto, x=floats(2, 3), z=floats(4, 5))


QUANTIZED = """g (float[1,4,6,6] x) => (float[1,6,4,4] y, float[1,5] o) {
    f = DequantizeLinear<axis = AXIS>(w, scale, zero)
    y = Conv(x, f)
    p = GlobalAveragePool(y)
    flat = Flatten(p)
    m = DequantizeLinear<axis = AXIS>(wm, scale_m)
    o = Gemm<transB = 1>(flat, m)
}"""


@pytest.mark.parametrize(("axis", "sizes"), [(0, (6, 5)), (1, (4, 6)), (-1, (3, 6)), (0, ())])
def test_quantized_weights(axis: int, sizes: tuple[int, ...]) -> None:
    shapes = [(sizes[0],), (sizes[1],)] if sizes else [(), ()]
    constants = {
        "w": RNG.integers(-100, 100, (6, 4, 3, 3), np.int8),
        "wm": RNG.integers(-100, 100, (5, 6), np.int8),
        "zero": RNG.integers(-9, 9, shapes[0], np.int8),
        "scale": RNG.uniform(0.01, 0.02, shapes[0]).astype(np.float32),
        "scale_m": RNG.uniform(0.01, 0.02, shapes[1]).astype(np.float32),
    }
    proto = model_of(QUANTIZED.replace("AXIS", str(axis)), **constants)
    assert {name: packed_shapes(proto)[name] for name in ("w", "wm")} == {"w": [3, 3, 4, 6], "wm": [6, 5]}
    assert_same_numbers(proto, x=floats(1, 4, 6, 6))


def test_quantized_weights_that_are_an_output_too() -> None:
    text = "g (float[2,3] x) => (float[2,5] y, float[5,3] f) { f = DequantizeLinear(w, s) y = Gemm<transB=1>(x, f) }"
    proto = model_of(text, w=RNG.integers(-9, 9, (5, 3), np.int8), s=np.array(0.5, np.float32))
    assert packed_shapes(proto)["w"] == [5, 3]
    assert_same_numbers(proto, x=floats(2, 3))


@pytest.mark.parametrize("layout", ["auto", "keep"])
def test_values_that_have_the_names_of_what_is_added(layout: str) -> None:
    text = """g (float[1,4,6,6] x) => (float[1,4,6,6] z) {
        y_channels_last = Neg(x)
        y = Conv(y_channels_last, w)
        y_channels_last_2 = Abs(y)
        z = Add(y, y_channels_last_2)
    }"""
    proto = model_of(text, w=floats(4, 4, 1, 1))
    x = floats(1, 4, 6, 6)
    np.testing.assert_allclose(
        prepare(proto, layout=layout).run([x])[0], run(proto, {"x": x})["z"], rtol=1e-4, atol=1e-4
    )
