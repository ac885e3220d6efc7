"""What is supported from a later opset on: the advice to convert a model stands only where onnx can do so."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

from onnx_tf import UnsupportedError
from onnx_tf.model.loading import load_model
from onnx_tf.refusals import refuse_unsupported
from onnx_tf.registry import Registry
from test.handlers.check import make_op_model

X = np.ones((1, 3, 4, 5), np.float32)

NEWER = [  # an operator at an opset, and the first that a registry knows
    ("Relu", {}, 7, 14),
    ("Add", {}, 7, 13),
    ("Softmax", {"axis": 1}, 11, 13),
    ("Squeeze", {"axes": [0]}, 11, 13),
    ("Upsample", {"mode": "nearest", "scales": [1.0, 1.0, 2.0, 2.0]}, 7, 9),
    ("ThresholdedRelu", {}, 7, 10),
    ("MeanVarianceNormalization", {}, 7, 9),
    ("Scatter", {}, 9, 11),
    ("Gelu", {}, 13, 20),
    ("HardSwish", {}, 11, 14),
    ("Celu", {}, 9, 12),
]


def _refusal(op_type: str, inputs: list, attributes: dict, opset: int, first: int) -> tuple[onnx.ModelProto, str]:
    registry = Registry()
    registry.register(op_type, lambda *inputs, **_: inputs[0], since=first, domain="")
    model = make_op_model(op_type, inputs, attributes, opset=opset)
    with pytest.raises(UnsupportedError) as caught:
        refuse_unsupported(load_model(model).graph, registry)
    return model, str(caught.value)


def _converts(model: onnx.ModelProto, version: int) -> bool:
    try:
        onnx.version_converter.convert_version(model, version)
    except Exception:
        return False
    return True


@pytest.mark.parametrize(("op_type", "attributes", "opset", "first"), NEWER, ids=lambda v: str(v))
def test_the_converter_is_advised_where_it_can(op_type, attributes, opset, first):
    inputs = {"Add": [X, X], "Scatter": [X, np.zeros(X.shape, np.int64), X]}.get(op_type, [X])
    model, message = _refusal(op_type, inputs, attributes, opset, first)
    assert f"supported from opset {first} on" in message
    assert ("version_converter" in message) is _converts(model, first), message


def test_both_kinds_are_among_them():
    found = {
        _converts(make_op_model(op, [X], attributes, opset=opset), first) for op, attributes, opset, first in NEWER
    }
    assert found == {True, False}


def test_the_converter_is_not_advised_for_other_domains():
    registry = Registry()
    registry.register("Thing", lambda x: x, since=3, domain="acme")
    graph = helper.make_graph(
        [helper.make_node("Thing", ["x"], ["y"], domain="acme")],
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("acme", 2)])
    with pytest.raises(UnsupportedError, match="supported from opset 3 on; export the model again") as caught:
        refuse_unsupported(load_model(model).graph, registry)
    assert "version_converter" not in str(caught.value)
