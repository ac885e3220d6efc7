"""Simplification leaves the numbers alone and removes what need not be computed at run time."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx.reference import ReferenceEvaluator

from test.layout.running import simplified as simplified_model

HEADER = '<ir_version: 8, opset_import: ["" : 17, "local" : 1]>\n'


def simplified(text: str, without: frozenset[str] = frozenset(), opset: int = 17) -> tuple[onnx.ModelProto, ir.Model]:
    """Return the model of a textual graph, and the same simplified as if `without` had no handler."""
    proto = onnx.parser.parse_model(HEADER.replace("17", str(opset)) + text)
    given = proto.SerializeToString(deterministic=True)
    model = simplified_model(proto, lambda domain, op_type: domain == "" and op_type not in without)
    assert proto.SerializeToString(deterministic=True) == given, "the caller's model was changed"
    return proto, model


def operators(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph.all_nodes()]


def assert_same_numbers(proto: onnx.ModelProto, model: ir.Model, **feed: np.ndarray) -> None:
    expected = ReferenceEvaluator(proto).run(None, feed)
    actual = ReferenceEvaluator(ir.to_proto(model)).run(None, feed)
    for e, a in zip(expected, actual, strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-6)


X = np.arange(1, 13, dtype=np.float32).reshape(2, 6)


def test_shape_arithmetic_of_static_shapes_is_folded() -> None:
    proto, model = simplified(
        """agraph (float[2, 6] x) => (float[a, b] y) {
            shape = Shape(x)
            one = Constant<value_ints = [1]>()
            rows = Gather(shape, one)
            three = Constant<value_ints = [3]>()
            minus = Constant<value_ints = [-1]>()
            columns = Div(rows, three)
            target = Concat<axis = 0>(minus, columns)
            y = Reshape(x, target)
        }"""
    )
    assert operators(model) == ["Reshape"]
    assert_same_numbers(proto, model, x=X)


def test_shapes_of_dynamic_inputs_stay() -> None:
    proto, model = simplified(
        """agraph (float[n, 6] x) => (float[a, b] y) {
            shape = Shape(x)
            zero = Constant<value_ints = [0]>()
            rows = Gather(shape, zero)
            minus = Constant<value_ints = [-1]>()
            target = Concat<axis = 0>(minus, rows)
            y = Reshape(x, target)
        }"""
    )
    assert "Shape" in operators(model)
    assert_same_numbers(proto, model, x=X)


@pytest.mark.parametrize("op_type", ["QuantizeLinear", "RandomNormalLike"])
def test_quantised_and_random_constants_stay(op_type: str) -> None:
    inputs = "w, scale" if op_type == "QuantizeLinear" else "w"
    _, model = simplified(
        f"""agraph (float[2] x) => (float[2] y) <float[2] w = {{1, 2}}, float scale = {{1}}> {{
            q = {op_type}({inputs})
            f = Cast<to = 1>(q)
            y = Add(x, f)
        }}"""
    )
    assert op_type in operators(model)


def test_nested_functions_are_inlined_each_with_its_own_opset() -> None:
    proto = onnx.parser.parse_model(
        HEADER
        + """agraph (float[2, 6] x) => (float[a] y) { y = local.outer(x) }
        <domain: "local", opset_import: ["" : 17, "local" : 1]>
        outer (x) => (y) { t = local.inner(x)  y = Neg(t) }
        <domain: "local", opset_import: ["" : 11]>
        inner (x) => (y) { y = Squeeze<axes = [0]>(x) }"""
    )
    model = simplified_model(proto, lambda domain, _: domain == "")
    assert {node.op_type: node.version for node in model.graph} == {"Squeeze": 11, "Neg": 17}


def test_functions_that_call_each_other_are_refused() -> None:
    proto = onnx.parser.parse_model(
        HEADER
        + """agraph (float[2] x) => (float[2] y) { y = local.one(x) }
        <domain: "local", opset_import: ["" : 17, "local" : 1]>
        one (x) => (y) { y = local.two(x) }
        <domain: "local", opset_import: ["" : 17, "local" : 1]>
        two (x) => (y) { y = local.one(x) }"""
    )
    with pytest.raises(ValueError, match=r"local.*one"):
        simplified_model(proto, lambda domain, _: domain == "")


@pytest.mark.parametrize("op_type", ["Celu", "HardSwish", "Softmax"])
def test_operators_without_handler_become_their_function_body(op_type: str) -> None:
    proto, model = simplified(
        f"agraph (float[2, 6] x) => (float[2, 6] y) {{ y = {op_type}(x) }}", without=frozenset({op_type})
    )
    assert op_type not in operators(model)
    assert_same_numbers(proto, model, x=X - 4)


def test_dead_and_repeated_nodes_go() -> None:
    proto, model = simplified(
        """agraph (float[2, 6] x) => (float[2, 6] y) {
            a = Exp(x)
            b = Exp(x)
            unused = Log(x)
            i = Identity(a)
            y = Add(i, b)
        }"""
    )
    assert operators(model) == ["Exp", "Add"]
    assert_same_numbers(proto, model, x=X)


def test_an_initializer_that_is_an_output_keeps_its_name() -> None:
    proto, model = simplified("agraph (float[2] x) => (float[2] y, float[2] w) <float[2] w = {1, 2}> { y = Add(x, w) }")
    assert [output.name for output in model.graph.outputs] == ["y", "w"]
    assert_same_numbers(proto, model, x=np.ones(2, np.float32))


def test_two_outputs_that_are_one_value_keep_their_names() -> None:
    proto, model = simplified("agraph (float[2] x) => (float[2] a, float[2] b) { a = Exp(x)  b = Identity(a) }")
    assert [output.name for output in model.graph.outputs] == ["a", "b"]
    assert_same_numbers(proto, model, x=np.ones(2, np.float32))


def test_an_output_that_renames_a_value_takes_its_place() -> None:
    proto, model = simplified("agraph (float[2] x) => (float[2] y) { a = Exp(x)  y = Identity(a) }")
    assert operators(model) == ["Exp"]
    assert_same_numbers(proto, model, x=np.ones(2, np.float32))


@pytest.mark.parametrize(
    ("opset", "results", "attributes", "trains"),
    [
        (13, "b, m2, v2, m3, v3", "epsilon = 0.1", True),  # as PyTorch standardises weights
        (13, "b", "epsilon = 0.1", False),
        (17, "b, m2, v2", "epsilon = 0.1, training_mode = 1", True),
        (17, "b", "epsilon = 0.1", False),
    ],
)
def test_batch_normalization_of_weights_is_folded(opset: int, results: str, attributes: str, trains: bool) -> None:
    _, model = simplified(
        f"""agraph (float[2, 2] x) => (float[2, 3] y) {{
            w = Constant<value = float[1, 2, 3] {{1, 2, 3, 5, 7, 9}}>()
            scale = Constant<value = float[2] {{1, 2}}>()
            bias = Constant<value = float[2] {{0, 1}}>()
            m = Constant<value = float[2] {{3, 4}}>()
            v = Constant<value = float[2] {{2, 5}}>()
            {results} = BatchNormalization<{attributes}>(w, scale, bias, m, v)
            f = ReduceMax<axes = [0], keepdims = 0>(b)
            y = MatMul(x, f)
        }}""",
        opset=opset,
    )
    assert operators(model) == ["MatMul"]
    w = np.array([[1, 2, 3], [5, 7, 9]], np.float64)
    mean, variance = (w.mean(1), w.var(1)) if trains else (np.array([3, 4]), np.array([2, 5]))
    expected = ((w.T - mean) / np.sqrt(variance + 0.1) * [1, 2] + [0, 1]).T
    (weights,) = (v.const_value for v in model.graph.initializers.values())
    np.testing.assert_allclose(weights.numpy(), expected, rtol=1e-6)
