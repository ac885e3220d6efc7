"""Passes around subgraphs and function bodies: names, weights, refusals."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import pytest

from onnx_tf import prepare
from onnx_tf.errors import UnsupportedError
from onnx_tf.model.loading import load_model
from onnx_tf.passes.expand_functions import expand_schema_functions
from onnx_tf.passes.infer_shapes import infer_shapes
from onnx_tf.passes.lift_initializers import lift_initializers

LAYER_NORM = """<ir_version: 8, opset_import: ["" : 17]> g (float[2, 4] x, float[4] s) => (float[2, 4] y) {
    [norm] y = LayerNormalization (x, s)
}"""


def loaded(text):
    model = load_model(onnx.parser.parse_model(text))
    infer_shapes(model)
    return model


def test_nodes_of_a_body_are_named_after_the_node():
    model = loaded(LAYER_NORM)
    assert expand_schema_functions(model, lambda _, op, __: op != "LayerNormalization")
    assert all(str(node.name).startswith("norm/") for node in model.graph)


def test_values_of_a_body_take_no_name_that_a_value_has():
    model = loaded(LAYER_NORM)
    source = model.graph.inputs[0]
    for name in ("norm/XU", "norm/Mean2D"):
        before = ir.node("Relu", [source])
        before.outputs[0].name = name
        model.graph.insert_before(model.graph[0], before)
    assert expand_schema_functions(model, lambda _, op, __: op != "LayerNormalization")
    names = [output.name for node in model.graph for output in node.outputs]
    assert {"norm/XU_2", "norm/Mean2D_2"} <= set(names)
    assert len(names) == len(set(names))


def test_a_node_stays_if_its_body_is_unsupported():
    model = loaded(LAYER_NORM)
    assert not expand_schema_functions(model, lambda _, op, __: op not in ("LayerNormalization", "ReduceMean"))
    assert [(node.name, node.op_type) for node in model.graph] == [("norm", "LayerNormalization")]


def test_initializers_of_subgraphs_move_up_under_unique_names():
    weights = ", ".join(["1.0"] * 16)
    text = f"""<ir_version: 8, opset_import: ["" : 17]> g (bool c, float[2, 4] x) => (float[2, 4] y)
        <float[4, 4] w = {{{weights}}}> {{
        w_2 = MatMul (x, w)
        y = If (c) <then_branch = t () => (float[2, 4] a) <float[4, 4] k = {{{weights}}}> {{ a = MatMul (w_2, k) }},
                    else_branch = e () => (float[2, 4] b) <float[4, 4] k = {{{weights}}}> {{
                        k_2 = Neg (k)
                        b = MatMul (w_2, k_2)
                    }}>
    }}"""
    model = loaded(text)
    assert lift_initializers(model)
    assert set(model.graph.initializers) == {"w", "k", "k_3"}
    x = np.ones((2, 4), np.float32)
    rep = prepare(onnx.parser.parse_model(text))
    np.testing.assert_array_equal(rep.run([True, x])[0], np.full((2, 4), 16))
    np.testing.assert_array_equal(rep.run([False, x])[0], np.full((2, 4), -16))


def test_unsupported_nodes_in_branches_are_listed():
    text = """<ir_version: 8, opset_import: ["" : 17, "my" : 1]> g (bool c, float[2] x) => (float[2] y) {
        y = If (c) <then_branch = t () => (float[2] a) { [inner] a = my.Twice (x) },
                    else_branch = e () => (float[2] b) { b = Neg (x) }>
    }"""
    with pytest.raises(UnsupportedError, match=r"node 'inner': my\.Twice"):
        prepare(onnx.parser.parse_model(text))
