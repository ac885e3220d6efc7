"""What is left of a model that fails: few nodes, and the same failure."""

from __future__ import annotations

import contextlib
import functools

import numpy as np
import onnx
import pytest

from onnx_tf import prepare
from onnx_tf.check.artifacts import Prepared
from onnx_tf.check.bisect import bisect
from onnx_tf.check.onnx_runtime import OnnxRuntime
from onnx_tf.edits.neutral import with_neutral_names
from onnx_tf.errors import ModelError, OnnxTfError
from onnx_tf.registry import registry
from test.models import text_model
from test.zoo.compare import MODELS, manifest
from test.zoo.materialize import make_inputs, materialize


@contextlib.contextmanager
def mistaken(op_type, mistake, version=17):
    """Let the handler of an operator make a mistake: ``mistake(right result, inputs)``."""
    handler = registry.find("", op_type, version)

    @functools.wraps(handler.function)
    def function(*inputs, **keywords):
        return mistake(handler.function(*inputs, **keywords), inputs)

    registry.unregister(op_type, since=handler.since)
    registry.register(op_type, function, since=handler.since, domain="")
    try:
        yield
    finally:
        registry.unregister(op_type, since=handler.since)
        registry.register(op_type, handler.function, since=handler.since, domain="")


CHAIN = """
    agraph (float[N, 4] x) => (float[N, 4] y, float[N, 4] e)
    <float[4] one = {1, 1, 1, 1}, float[4] two = {2, 2, 2, 2}> {
        a = Add (x, one)
        b = Mul (a, two)
        e = Exp (b)
        c = Sqrt (b)
        s = Softmax (c)
        d = Mul (s, two)
        f = Add (d, c)
        y = Tanh (f)
    }"""


def test_a_wrong_operator_alone():
    model = text_model(CHAIN)
    with mistaken("Softmax", lambda result, _: result * 1.5):
        found = bisect(model)
        assert [node.op_type for node in found.model.graph.node] == ["Softmax"]
        assert list(found.inputs) == ["c"]
        expected = OnnxRuntime(found.model).run(found.inputs)
        assert not np.allclose(expected["s"], Prepared(prepare(found.model)).run(found.inputs)["s"], rtol=1e-3)
    assert found.failure.startswith("s: ")


def test_a_mistake_that_the_outputs_do_not_show():
    model = text_model(
        CHAIN.replace("y = Tanh (f)", "z = Mul (f, zero)  y = Add (z, one)").replace(
            "float[4] two", "float[4] zero = {0, 0, 0, 0}, float[4] two"
        )
    )
    with mistaken("Softmax", lambda result, _: result * 1.5):
        found = bisect(model)
    assert [node.op_type for node in found.model.graph.node] == ["Softmax"]


def test_a_mistake_that_needs_the_node_before():
    """Wrong only behind a square root, as where two nodes become one operation."""
    model = text_model(CHAIN)
    with mistaken("Softmax", lambda result, inputs: result * (1.5 if "sqrt" in inputs[0].name.lower() else 1.0)):
        found = bisect(model)
    assert [node.op_type for node in found.model.graph.node] == ["Sqrt", "Softmax"]


def test_a_refusal():
    model = text_model(CHAIN.replace("Tanh", "Tanh"))
    model.graph.node[4].op_type, model.graph.node[4].domain = "Unheard", "test"
    model.opset_import.append(onnx.helper.make_opsetid("test", 1))
    found = bisect(model)
    assert [node.op_type for node in found.model.graph.node] == ["Unheard"]
    assert "Unheard" in found.failure
    with pytest.raises(OnnxTfError, match="Unheard"):
        prepare(found.model)


def test_nothing_fails():
    assert bisect(text_model(CHAIN)) is None


def test_no_model():
    with pytest.raises(ModelError):
        bisect(b"no model")


@pytest.mark.parametrize("name", ["mpnet", "resnet18"])
def test_a_network(name):
    model = materialize(MODELS / f"{name}.onnx")
    op_type = {"mpnet": "Softmax", "resnet18": "Gemm"}[name]
    version = next(entry.version for entry in model.opset_import if not entry.domain)
    with mistaken(op_type, lambda result, _: result * 1.5, version):
        found = bisect(model, make_inputs(manifest()[name]["inputs"]))
    assert len(found.nodes) <= 5
    assert op_type in {node.op_type for node in found.model.graph.node}


def test_neutral_names_and_weights():
    model = text_model(CHAIN.replace("a = Add", "secret = Add").replace("(a, two)", "(secret, two)"))
    model.producer_name = "secret"
    with mistaken("Mul", lambda result, inputs: result + 1 if "exp" not in inputs[0].name.lower() else result):
        found = bisect(model, neutral=True)
        (node,) = found.model.graph.node
        assert node.op_type == "Mul"
        assert b"secret" not in found.model.SerializeToString()
        assert set(found.inputs) <= {"v0", "v1"}
        again = bisect(found.model, found.inputs)
    assert again is not None


def test_names_that_tell_nothing_keep_the_numbers():
    model = materialize(MODELS / "scripted_if_loop.onnx")
    feed = make_inputs(manifest()["scripted_if_loop"]["inputs"])
    neutral, names = with_neutral_names(model)
    expected = OnnxRuntime(model).run(feed)
    found = OnnxRuntime(neutral).run({names[name]: value for name, value in feed.items()})
    for name, value in expected.items():
        np.testing.assert_array_equal(found[names[name]], value)
