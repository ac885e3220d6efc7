"""Model-local functions."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import TensorProto, helper

from onnx_tf import ModelError, prepare
from onnx_tf.registry import onnx_op, registry

X = np.arange(8, dtype=np.float32).reshape(2, 2, 2)


def model(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(text)


HEADER = '<ir_version: 10, opset_import: ["" : 17, "local" : 1]>'
GRAPH = "g (float[2, 2, 2] x) => (float[2, 2, 2] y)"


def run(text: str) -> np.ndarray:
    return prepare(model(text)).run(X)[0]


def test_a_function():
    text = f"""{HEADER} {GRAPH} {{ y = local.twice(x) }}
    <domain: "local", opset_import: ["" : 17]> twice (a) => (b) {{ b = Add(a, a) }}"""
    np.testing.assert_array_equal(run(text), 2 * X)


def test_functions_in_functions_called_often():
    text = f"""{HEADER} {GRAPH} {{ h = local.four(x) y = local.four(h) }}
    <domain: "local", opset_import: ["" : 17]> twice (a) => (b) {{ b = Add(a, a) }}
    <domain: "local", opset_import: ["" : 17, "local" : 1]> four (a) => (b) {{
        h = local.twice(a)
        b = local.twice(h)
    }}"""
    np.testing.assert_array_equal(run(text), 16 * X)


def test_attributes_and_their_defaults():
    text = f"""{HEADER} {GRAPH} {{ h = local.lift(x) y = local.lift <by = 5.0> (h) }}
    <domain: "local", opset_import: ["" : 17]> lift <by: float = 1.0> (a) => (b) {{
        c = Constant <value_float: float = @by> ()
        b = Add(a, c)
    }}"""
    np.testing.assert_array_equal(run(text), X + 6)


def test_absent_inputs_and_unused_outputs():
    text = f"""{HEADER} {GRAPH} {{ y, other = local.limit(x, , high) }}
    <domain: "local", opset_import: ["" : 17]> limit (a, low, high) => (b, c) {{ b = Clip(a, low, high) c = Neg(a) }}"""
    proto = model(text.replace("y)", "y) <float high = {3}>", 1))
    np.testing.assert_array_equal(prepare(proto).run(X)[0], np.minimum(X, 3))


def test_a_function_may_import_another_opset_than_the_model():
    """Softmax of opset 11 flattens from axis 1 on; of opset 17 it takes the last axis."""
    text = f"""{HEADER} {GRAPH} {{ a = local.old(x) b = Softmax(x) y = Add(a, b) }}
    <domain: "local", opset_import: ["" : 11]> old (a) => (b) {{ b = Softmax(a) }}"""
    flat = np.exp(X).reshape(2, 4)
    old = (flat / flat.sum(1, keepdims=True)).reshape(X.shape)
    new = np.exp(X) / np.exp(X).sum(-1, keepdims=True)
    np.testing.assert_allclose(run(text), old + new, rtol=1e-6)


def test_overloads():
    body = {"a": "Add", "b": "Mul"}
    functions = [
        helper.make_function(
            "local",
            "f",
            ["p"],
            ["q"],
            [helper.make_node(op, ["p", "p"], ["q"])],
            [helper.make_opsetid("", 17)],
            overload=overload,
        )
        for overload, op in body.items()
    ]
    nodes = [
        helper.make_node("f", ["x"], ["h"], domain="local", overload="a"),
        helper.make_node("f", ["h"], ["y"], domain="local", overload="b"),
    ]
    value = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 2, 2]) for name in "xy"}
    graph = helper.make_graph(nodes, "g", [value["x"]], [value["y"]])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    proto = helper.make_model(graph, functions=functions, opset_imports=opsets, ir_version=10)
    np.testing.assert_array_equal(prepare(proto).run(X)[0], (2 * X) ** 2)


def test_a_function_called_in_a_branch():
    text = f"""{HEADER} {GRAPH} {{
        total = ReduceSum <keepdims = 0> (x)
        zero = Constant <value_float = 0.0> ()
        positive = Greater(total, zero)
        y = If (positive) <
            then_branch = yes () => (float[2, 2, 2] t) {{ t = local.twice(x) }},
            else_branch = no () => (float[2, 2, 2] e) {{ e = Neg(x) }}
        >
    }}
    <domain: "local", opset_import: ["" : 17]> twice (a) => (b) {{ b = Add(a, a) }}"""
    rep = prepare(model(text))
    np.testing.assert_array_equal(rep.run(X)[0], 2 * X)
    np.testing.assert_array_equal(rep.run(-X - 1)[0], X + 1)


def test_a_handler_goes_before_the_models_own_function():
    @onnx_op("twice", domain="local")
    def twice(x):
        return tf.zeros_like(x)

    try:
        text = f"""{HEADER} {GRAPH} {{ y = local.twice(x) }}
        <domain: "local", opset_import: ["" : 17]> twice (a) => (b) {{ b = Add(a, a) }}"""
        np.testing.assert_array_equal(run(text), 0 * X)
    finally:
        registry.unregister("twice", since=1, domain="local")


def test_names_inside_functions_do_not_clash():
    text = f"""{HEADER} {GRAPH} {{ h = local.f(x) x_1 = local.f(h) y = Add(x_1, h) }}
    <domain: "local", opset_import: ["" : 17]> f (x) => (h) {{ y = Add(x, x) h = Neg(y) }}"""
    np.testing.assert_array_equal(run(text), 4 * X - 2 * X)


def test_a_broken_function_is_refused():
    text = f"""{HEADER} {GRAPH} {{ y = local.f(x) }}
    <domain: "local", opset_import: ["" : 17]> f (a) => (b) {{ b = Add(a, nowhere) }}"""
    with pytest.raises(ModelError, match="reads 'nowhere'"):
        run(text)
