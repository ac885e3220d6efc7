"""Where a model and ONNX Runtime part: a fault put into one node is found at that node."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from onnx_tf import prepare
from onnx_tf.check.values import check_values
from test.models import text_model
from test.zoo.compare import MODELS, manifest
from test.zoo.materialize import make_inputs, materialize

ENTRIES = manifest()
QUICK = ["vit_opset20_gelu", "silu_mlp_mixer"]
SLOW = [
    "resnet18",
    "bert_cls",
    "dinov2_swiglu_reg",
    "mobilevit_deeplab",
    "squeezebert",
    "mpnet",
    "llama",
    "mobilevitv2",
]
NAMES = [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]


def wrong_weight(model: onnx.ModelProto) -> str:
    node, tensor = _with_weight(model, {"Conv", "MatMul", "Gemm"})
    tensor.CopyFrom(numpy_helper.from_array(np.flip(numpy_helper.to_array(tensor)) + np.float32(0.25), tensor.name))
    return node.name


def wrong_operator(model: onnx.ModelProto) -> str:
    node = _middle(model, {"Add", "Mul", "Sub"})
    node.op_type = {"Add": "Mul", "Mul": "Add", "Sub": "Add"}[node.op_type]
    return node.name


CHANGED = {
    "LeakyRelu": ("alpha", 5.0),
    "BatchNormalization": ("epsilon", 5.0),
    "LayerNormalization": ("epsilon", 5.0),
    "Gemm": ("alpha", 3.0),
    "Conv": ("dilations", [2, 2]),
}
"""Other values of attributes that leave the shape of the result as it is; of a Conv with padded windows of 3."""


def changed_attribute(model: onnx.ModelProto) -> str | None:
    found = next(filter(None, map(_changeable, model.graph.node)), None)
    if found is None:
        return None
    node, name, value = found
    replaced = {name, "pads"} if name == "dilations" else {name}
    kept = [attribute for attribute in node.attribute if attribute.name not in replaced]
    del node.attribute[:]
    pads = [onnx.helper.make_attribute("pads", [2, 2, 2, 2])] if name == "dilations" else []
    node.attribute.extend([*kept, *pads, onnx.helper.make_attribute(name, value)])
    return node.name


def _changeable(node: onnx.NodeProto):
    given = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    is_padded = list(given.get("kernel_shape", ())) == [3, 3] and list(given.get("pads", ())) == [1, 1, 1, 1]
    if node.op_type not in CHANGED or (node.op_type == "Conv" and not is_padded):
        return None
    return node, *CHANGED[node.op_type]


def swapped_axis(model: onnx.ModelProto) -> str | None:
    """Exchange the axes of a square weight, or the first two of a filter that has as many of both."""
    uses = [name for node in model.graph.node for name in node.input]
    weights = {tensor.name: tensor for tensor in model.graph.initializer if uses.count(tensor.name) == 1}
    for node in reversed(model.graph.node):
        for name in list(node.input)[1:2]:
            if node.op_type in {"Conv", "MatMul", "Gemm"} and name in weights:
                array = numpy_helper.to_array(weights[name])
                if array.ndim >= 2 and array.shape[0] == array.shape[1]:
                    weights[name].CopyFrom(numpy_helper.from_array(array.swapaxes(0, 1).copy(), name))
                    return node.name
    return None


FAULTS = (wrong_weight, wrong_operator, changed_attribute, swapped_axis)


def _middle(model, kinds):
    """Return a node that takes two computed values: a small constant may make no difference."""
    constants = {tensor.name for tensor in model.graph.initializer}
    constants |= {name for node in model.graph.node if node.op_type == "Constant" for name in node.output}
    nodes = [node for node in model.graph.node if node.op_type in kinds and constants.isdisjoint(node.input)]
    return nodes[len(nodes) // 2]


def _with_weight(model, kinds):
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    found = [
        (node, weights[name])
        for node in model.graph.node
        if node.op_type in kinds
        for name in list(node.input)[1:2]
        if name in weights and sum(name in other.input for other in model.graph.node) == 1
    ]
    return found[len(found) // 3]


@pytest.mark.parametrize("name", NAMES)
def test_the_guilty_node(name):
    right = materialize(MODELS / f"{name}.onnx")
    feed = make_inputs(ENTRIES[name]["inputs"])
    assert check_values(right, prepare(right), feed).first_diverging is None
    tried = 0
    for fault in FAULTS:
        wrong = onnx.ModelProto()
        wrong.CopyFrom(right)
        guilty = fault(wrong)
        if guilty is None:
            continue
        tried += 1
        found = check_values(right, prepare(wrong), feed).first_diverging
        assert found, fault.__name__
        assert found.node == guilty, fault.__name__
    assert tried >= 3  # not every model has a square weight, or an attribute that may be another


SMALL = """
    agraph (float[2, 3] x) => (float[2, 3] y, float[2, 3] r)
    <float[3] one = {1, 1, 1}, float[3] zero = {0, 0, 0}> {
        a = Add (x, one)
        m = Mul (a, a)
        r = Relu (m)
        d = Div (one, zero)
        y = Add (r, d)
    }"""


def test_every_value_in_its_order_with_its_node():
    model = text_model(SMALL)
    values = check_values(model, prepare(model))
    assert [value.name for value in values.checked] == ["a", "m", "r", "d", "y"]
    assert [value.op for value in values.checked] == ["Add", "Mul", "Relu", "Div", "Add"]
    assert values.fits
    assert values.first_diverging is None
    assert values.inputs == {"x": "float32[2, 3]"}
    assert values.first_not_finite.name == "d"


def test_groups_of_values_are_as_all_at_once():
    model = text_model(SMALL)
    feed = {"x": np.arange(6, dtype=np.float32).reshape(2, 3)}
    told = []
    rep = prepare(model)
    assert check_values(model, rep, feed, max_bytes=1, progress=told.append) == check_values(model, rep, feed)
    assert len(told) == 5


def test_fields_are_json():
    model, other = text_model(SMALL), text_model(SMALL.replace("Relu", "Neg"))
    values = check_values(model, prepare(other))
    fields = json.loads(json.dumps(values.first_diverging.fields(), allow_nan=False))
    assert (fields["value"], fields["op"], fields["fits"]) == ("r", "Relu", False)
    assert fields["error"] > 1
    assert [value.name for value in values.worst(2)] == ["r"]


def test_a_value_that_became_part_of_another():
    model = text_model("""
        agraph (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
        <int64[4] s = {2, 3, 1, 1}, float[2] scale = {1, 2}, float[2] b = {0, 1}, float[2] m = {0, 0},
         float[2] v = {1, 1}> {
            w = ConstantOfShape <value = float[1] {0.5}> (s)
            c = Conv (x, w)
            n = BatchNormalization (c, scale, b, m, v)
            y = Relu (n)
        }""")
    values = check_values(model, prepare(model))
    assert values.fits
    assert {value.name for value in values.checked} | set(values.dropped) >= {"c", "n", "y"}
