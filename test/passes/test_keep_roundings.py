"""Constants that TensorFlow would merge, with other numbers, stay apart; others are left to it."""

from __future__ import annotations

import numpy as np
import pytest

from onnx_tf import prepare, to_keras
from onnx_tf.check.artifacts import SavedModel
from onnx_tf.check.interface import Interface
from onnx_tf.check.onnx_runtime import OnnxRuntime
from test.models import text_model

X = np.array([[0.12, 0.17, 0.449], [0, 3, -1]], np.float32)
WEIGHTS = (
    "<float[3] big = {1e5, 1e5, 1e5}, float wide = {1e8}, float huge = {1e30}, "
    "float tiny = {1e-30}, float one = {1}, float two = {2}>"
)
APART = {
    "rounding": "a = Add(x, big) y = Sub(a, big)",
    "rounding of what is subtracted": "a = Sub(big, x) y = Sub(big, a)",
    "one more between": "a = Add(x, big) b = Add(a, one) y = Sub(b, big)",
    "a small one behind large ones": "a = Add(x, wide) b = Sub(a, wide) y = Add(b, one)",
    "a small one behind a large one": "a = Sub(x, wide) y = Add(a, one)",
    "overflow of the constants": "a = Mul(x, huge) b = Mul(a, huge) y = Mul(b, tiny)",
    "overflow on the way": "a = Mul(x, huge) b = Mul(a, two) c = Mul(b, huge) y = Div(c, huge)",
}
MERGED = {
    "sums": "a = Add(x, one) y = Add(a, two)",
    "products": "a = Mul(x, two) y = Div(a, two)",
    "sum and product": "a = Add(x, big) y = Mul(a, two)",
}


def barriers(rep) -> int:
    return sum(node.context.op_type == "Barrier" for node in rep.tf_module.graph.nodes)


@pytest.mark.parametrize("name", {**APART, **MERGED})
@pytest.mark.parametrize("freeze", [False, True])
def test_numbers_are_those_of_onnx_runtime(name, freeze, tmp_path):
    body = {**APART, **MERGED}[name]
    model = text_model(f"g (float[N, 3] x) => (float[N, 3] y) {WEIGHTS} {{ {body} }}")
    rep = prepare(model)
    expected = OnnxRuntime(model, optimized=False).run({"x": X})["y"]
    assert (barriers(rep) > 0) == (name in APART)
    rep.export_graph(tmp_path / "saved", freeze=freeze)
    saved = SavedModel(tmp_path / "saved", Interface.of(rep)).run({"x": X})["y"]
    for found in (rep.run(X)[0], saved):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", {**APART, **MERGED})
def test_keras_predicts_so(name):
    body = {**APART, **MERGED}[name]
    model = text_model(f"g (float[N, 3] x) => (float[N, 3] y) {WEIGHTS} {{ {body} }}")
    expected = OnnxRuntime(model, optimized=False).run({"x": X})["y"]
    np.testing.assert_allclose(to_keras(model).predict_on_batch(X), expected, rtol=1e-6, atol=0)


def test_halves_overflow_earlier():
    body = "c = Cast<to = 10>(x) h = Cast<to = 10>(k) a = Mul(c, h) b = Mul(a, h) y = Cast<to = 1>(b)"
    model = text_model(f"g (float[2] x) => (float[2] y) <float k = {{300}}> {{ {body} }}")
    np.testing.assert_allclose(prepare(model).run(np.array([0.001, 0], np.float32))[0], [90, 0], rtol=1e-2)
