"""GELU is recognised in every order in which it is written, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from onnx_tf.options import Options
from onnx_tf.pipeline import lower
from onnx_tf.targets import LITERT
from test.models import text_model

CONSTANTS = """<float half = {0.5}, float one = {1.0}, float two = {2.0}, float three = {3.0}, float r = {0.70710678},
float s = {1.4142135}, float16 h = {14760}, float k = {0.7978846}, float c = {0.044715}, float kc = {0.03567741},
float[1] ones = {1.0}, float[1, 1, 1, 1] wide = {0.5}, float other = {0.7}, int64 cube = {3}, float k2 = {1.5957691}>"""

ERF = {
    "PyTorch": "a = Div(x, s) e = Erf(a) p = Add(e, one) m = Mul(x, p) y = Mul(m, half)",
    "of a product": "a = Mul(r, x) e = Erf(a) p = Add(one, e) m = Mul(p, x) y = Mul(half, m)",
    "half first": "g = Mul(half, x) a = Div(x, s) e = Erf(a) p = Add(e, one) y = Mul(p, g)",
    "half of the erf": "a = Mul(x, r) e = Erf(a) p = Add(e, ones) m = Mul(half, p) y = Mul(x, m)",
    "half of each": "a = Mul(x, r) e = Erf(a) f = Mul(e, half) p = Add(f, half) y = Mul(p, x)",
    "halved": "a = Div(x, s) e = Erf(a) p = Add(e, one) m = Mul(x, p) y = Div(m, two)",
    "spread": "a = Div(x, s) e = Erf(a) g = Mul(x, half) m = Mul(g, e) y = Add(m, g)",
    "rounded": "w = Cast<to = 1>(h) a = Mul(x, w) e = Erf(a) p = Add(e, one) m = Mul(x, p) y = Mul(m, half)",
}
TANH = {
    "Pow": "q = Pow(x, three) d = Mul(c, q) i = Add(x, d) a = Mul(k, i) t = Tanh(a) p = Add(one, t) g = Mul(half, x) "
    "y = Mul(g, p)",
    "integer power": "q = Pow(x, cube) d = Mul(q, c) i = Add(d, x) a = Mul(i, k) t = Tanh(a) p = Add(t, one) "
    "g = Mul(x, half) y = Mul(p, g)",
    "products": "q = Mul(x, x) w = Mul(x, q) d = Mul(c, w) i = Add(x, d) a = Mul(k, i) t = Tanh(a) p = Add(one, t) "
    "m = Mul(x, p) y = Mul(m, half)",
    "factored": "q = Mul(x, x) d = Mul(q, kc) i = Add(d, k) a = Mul(x, i) t = Tanh(a) p = Add(one, t) g = Mul(half, p) "
    "y = Mul(x, g)",
    "sigmoid": "q = Pow(x, three) d = Mul(c, q) i = Add(x, d) a = Mul(k2, i) t = Sigmoid(a) y = Mul(x, t)",
}
NONE = {
    "another slope": "a = Mul(x, other) e = Erf(a) p = Add(e, one) m = Mul(x, p) y = Mul(m, half)",
    "no half": "a = Mul(x, r) e = Erf(a) p = Add(e, one) y = Mul(x, p)",
    "another factor": "z = Add(x, one) a = Mul(x, r) e = Erf(a) p = Add(e, one) m = Mul(z, p) y = Mul(m, half)",
    "more axes": "a = Mul(x, r) e = Erf(a) p = Add(e, one) m = Mul(x, p) y = Mul(m, wide)",
    "erf alone": "a = Mul(x, r) y = Erf(a)",
    "swish": "t = Sigmoid(x) y = Mul(x, t)",
}


def recognized(body: str, outputs: str = "float[N, 4] y"):
    model = text_model(f"g (float[N, 4] x) => ({outputs}) {CONSTANTS} {{ {body} }}")
    return lower(model, Options(target=LITERT), until="recognize gelu").model.graph


@pytest.mark.parametrize(
    ("body", "approximate"),
    [
        pytest.param(body, how, id=name)
        for how, forms in (("none", ERF), ("tanh", TANH))
        for name, body in forms.items()
    ],
)
def test_one_node_is_left(body, approximate):
    (node,) = recognized(body)
    assert (node.op_type, node.version, node.outputs[0].name) == ("Gelu", 20, "y")
    assert node.attributes["approximate"].as_string() == approximate


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in NONE.items()])
def test_what_is_something_else_stays(body):
    outputs = "float[1, 1, N, 4] y" if "wide" in body else "float[N, 4] y"
    assert "Gelu" not in [node.op_type for node in recognized(body, outputs)]


def test_what_else_is_read_stays():
    body = ERF["half first"]
    assert [n.op_type for n in recognized(body, "float[N, 4] y, float[N, 4] g")] == ["Mul", "Gelu"]
    assert "Gelu" not in [n.op_type for n in recognized(body, "float[N, 4] y, float[N, 4] e")]


def test_the_product_that_follows_stays():
    graph = recognized("a = Div(x, s) e = Erf(a) p = Add(e, one) g = Mul(x, half) m = Mul(g, p) y = Mul(m, x)")
    assert [node.op_type for node in graph] == ["Gelu", "Mul"]


def test_in_a_body():
    inner = "then () => (float[N, 4] b) { a = Div(x, s) e = Erf(a) p = Add(e, one) m = Mul(x, p) b = Mul(m, half) }"
    model = text_model(
        f"g (float[N, 4] x, bool cond) => (float[N, 4] y) {CONSTANTS} "
        f"{{ y = If(cond) <then_branch = {inner}, else_branch = other () => (float[N, 4] o) {{ o = Relu(x) }}> }}"
    )
    graph = lower(model, Options(target=LITERT), until="recognize gelu").model.graph
    assert "Gelu" in [node.op_type for node in graph.all_nodes()]


def test_a_result_of_half_precision():
    bits = "<float16 half = {14336}, float16 one = {15360}, float16 s = {15784}>"
    model = text_model(f"g (float16[N, 4] x) => (float16[N, 4] y) {bits} {{ {ERF['PyTorch']} }}")
    graph = lower(model, Options(target=LITERT), until="recognize gelu").model.graph
    assert [node.op_type for node in graph] == ["Cast", "Gelu", "Cast"]
    assert graph.outputs[0].dtype.numpy() == np.float16
