"""Operators on maps, whose types the IR does not have, beside others."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, helper

from onnx_tf import prepare
from onnx_tf.model.loading import load_model
from onnx_tf.passes.infer_shapes import infer_shapes
from test.reference import ort_outputs

ML = "ai.onnx.ml"


def zip_model() -> onnx.ModelProto:
    """Return scores of two classes, as tensor and as maps, of flattened data whose shape is computed."""
    return onnx.parser.parse_model(f"""
    <ir_version: 8, opset_import: ["": 17, "{ML}": 3]>
    scores (float[n, 2, 2] x, float[4, 2] w) => (float[n, 2] p, seq(map(int64, float)) z) {{
        shape = Constant <value_ints = [-1, 4]> ()
        flat = Reshape (x, shape)
        s = MatMul (flat, w)
        p = Softmax (s)
        z = {ML}.ZipMap <classlabels_int64s = [3, 5]> (p)
    }}""")


def map_model() -> onnx.ModelProto:
    """Return a model with map inputs, whose values inference cannot know, and a path without maps."""
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])]
    for name, key in (("m", TensorProto.INT64), ("d", TensorProto.STRING)):
        value = onnx.ValueInfoProto(name=name)
        value.type.map_type.key_type = key
        value.type.map_type.value_type.tensor_type.elem_type = TensorProto.FLOAT
        inputs.append(value)
    nodes = [
        helper.make_node("CastMap", ["m"], ["a"], domain=ML, map_form="SPARSE", max_map=3),
        helper.make_node("DictVectorizer", ["d"], ["b"], domain=ML, string_vocabulary=["k", "l"]),
        helper.make_node("Neg", ["x"], ["c"]),
        helper.make_node("Abs", ["c"], ["e"]),
    ]
    outputs = [helper.make_empty_tensor_value_info(name) for name in ("a", "b", "e")]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(ML, 3)]
    return helper.make_model(helper.make_graph(nodes, "g", inputs, outputs), opset_imports=opsets, ir_version=8)


def types(model: ir.Model) -> dict[str, tuple[ir.DataType | None, str]]:
    return {str(o.name): (o.dtype, str(o.shape)) for node in model.graph for o in node.outputs}


def test_a_zip_map_leaves_the_rest_its_types():
    model = load_model(zip_model())
    assert infer_shapes(model)
    found = types(model)
    dtype, shape = found["s"]
    assert dtype is ir.DataType.FLOAT
    assert shape.endswith(",2]")
    assert found["z"] == (None, "None")
    assert [node.op_type for node in model.graph][-1] == "ZipMap"


def test_map_inputs_leave_the_rest_its_types():
    model = load_model(map_model())
    assert infer_shapes(model)
    found = types(model)
    assert found["c"] == (ir.DataType.FLOAT, "[n,3]")
    assert found["a"] == found["b"] == (None, "None")
    assert [node.op_type for node in model.graph][:2] == ["CastMap", "DictVectorizer"]


def test_numbers_of_a_model_with_a_zip_map():
    random = np.random.default_rng(0)
    feed = {"x": random.normal(size=(3, 2, 2)).astype(np.float32), "w": random.normal(size=(4, 2)).astype(np.float32)}
    p, z = prepare(zip_model()).run(feed)
    expected = ort_outputs(zip_model(), feed)
    np.testing.assert_allclose(p, expected["p"], rtol=1e-5)
    assert [list(row) for row in z] == [list(row) for row in expected["z"]]
    rows = [list(row.values()) for row in expected["z"]]
    np.testing.assert_allclose([list(row.values()) for row in z], rows, rtol=1e-5)
