from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import onnx.backend.test
import pytest
import tensorflow as tf
from onnx import TensorProto, helper
from onnx.backend.base import Backend, BackendRep

import onnx_tf
import onnx_tf.backend
from onnx_tf import TensorflowBackend, TensorflowRep, prepare, run_model, run_node, supports_device
from test.models import relu_model, text_model

X = np.array([[-1, 0, 2]], np.float32)


def test_importing_the_package_imports_neither_tensorflow_nor_onnx():
    code = "import sys, onnx_tf; onnx_tf.__version__; assert not {'tensorflow', 'onnx', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", onnx_tf.__all__)
def test_every_public_name_is_there(name):
    assert getattr(onnx_tf, name) is not None
    assert name in dir(onnx_tf)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        onnx_tf.nothing  # noqa: B018


def test_the_backend_is_one_of_onnx():
    assert issubclass(TensorflowBackend, Backend)
    rep = TensorflowBackend.prepare(relu_model(), "CPU")
    assert isinstance(rep, BackendRep)
    assert isinstance(rep, TensorflowRep)
    np.testing.assert_array_equal(TensorflowBackend.run_model(relu_model(), [X])[0], np.maximum(X, 0))
    np.testing.assert_array_equal(run_model(relu_model(), X), np.maximum(X, 0))


@pytest.mark.filterwarnings("ignore")  # onnx computes its cases on the way
@pytest.mark.parametrize("backend", [onnx_tf.backend, TensorflowBackend])
def test_onnx_can_test_it(backend):
    cases = onnx.backend.test.BackendTest(backend, __name__)
    cases.include(r"^test_relu_cpu$")
    (case,) = [case for case in cases.test_cases.values() if hasattr(case, "test_relu_cpu")]
    result = case("test_relu_cpu").run()
    assert result.wasSuccessful()
    assert not result.skipped


def test_devices():
    assert supports_device("CPU")
    assert supports_device("cpu:0")
    assert not supports_device("TPU")
    assert not supports_device("CPU:x")
    assert not supports_device("CUDA:99")
    assert supports_device("CUDA") == bool(tf.config.list_physical_devices("GPU"))
    with pytest.raises(ValueError, match="device 'TPU' is not known"):
        prepare(relu_model(), "TPU")


def test_is_compatible():
    assert TensorflowBackend.is_compatible(relu_model())
    assert not TensorflowBackend.is_compatible(relu_model(), "TPU")
    unknown = helper.make_node("Thing", ["x"], ["y"])
    model = relu_model()
    model.graph.node[0].CopyFrom(unknown)
    assert not onnx_tf.backend.is_compatible(model)
    assert not onnx_tf.backend.is_compatible(b"nonsense")


DET = "g (float[2, 2] m) => (float y) { y = Det(m) }"


@pytest.mark.parametrize(
    ("model", "fits"),
    [
        (relu_model(), True),
        (text_model(DET), False),
        (text_model("g (float[A] x, float[B] z) => (float[C] y) { y = Add(x, z) }"), True),
        (text_model("g (float[2] x, float[3] z) => (float[c] y) { y = Add(x, z) }"), False),
        (b"nonsense", False),
    ],
)
def test_is_compatible_with_litert_as_convert_says(model, fits, tmp_path):
    assert TensorflowBackend.is_compatible(model, target="litert") == fits
    if not fits:
        with pytest.raises(onnx_tf.OnnxTfError):
            onnx_tf.convert(model, tmp_path / "model.tflite")


def test_is_compatible_with_targets_by_name():
    assert TensorflowBackend.is_compatible(text_model(DET), target="saved_model")
    with pytest.raises(onnx_tf.OptionError, match="target 'coreml' is not known: choose 'saved_model' or 'litert'"):
        TensorflowBackend.is_compatible(relu_model(), target="coreml")


class TestRunNode:
    node = helper.make_node("Add", ["a", "b"], ["c"])

    @pytest.mark.parametrize("inputs", [[X, X], (X, X), {"a": X, "b": X}])
    def test_inputs(self, inputs):
        np.testing.assert_array_equal(run_node(self.node, inputs)["c"], 2 * X)

    def test_one_array(self):
        np.testing.assert_array_equal(run_node(helper.make_node("Neg", ["x"], ["y"]), X), -X)
        np.testing.assert_array_equal(run_node(helper.make_node("Add", ["x", "x"], ["y"]), X), 2 * X)

    def test_absent_inputs_are_left_out(self):
        node = helper.make_node("Clip", ["x", "", "high"], ["y"])
        np.testing.assert_array_equal(run_node(node, [X, np.float32(1)]), np.minimum(X, 1))

    def test_the_opset_counts(self):
        node = helper.make_node("Softmax", ["x"], ["y"])
        x = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
        assert run_node(node, x, opset_version=9)[0].sum() == pytest.approx(2)
        assert run_node(node, x, opset_version=13)[0].sum() == pytest.approx(4)

    def test_strings(self):
        node = helper.make_node("Identity", ["x"], ["y"])
        assert list(run_node(node, np.array(["a", "ü"], object))[0]) == ["a", "ü"]


SOFTMAX = "g (float[2, 2, 2] x) => (float[2, 2, 2] y) { y = Softmax(x) }"
CLIP = {
    9: "g (float[3] x) => (float[3] y) { y = Clip <min = -1.0, max = 1.0> (x) }",
    13: "g (float[3] x) => (float[3] y) <float low = {-1}, float high = {1}> { y = Clip(x, low, high) }",
}
SQUEEZE = {
    9: "g (float[1, 2, 1] x) => (float[1, 2] y) { y = Squeeze <axes = [2]> (x) }",
    13: "g (float[1, 2, 1] x) => (float[2, 1] y) <int64[1] axes = {0}> { y = Squeeze(x, axes) }",
}
NORM = """g (float[1, 1, 2] x) => (float[1, 1, 2] y)
    <float[1] s = {1}, float[1] b = {0}, float[1] m = {1}, float[1] v = {4}>
    { y = BatchNormalization <epsilon = 0.0> (x, s, b, m, v) }"""
CASES = {
    "softmax": ({9: SOFTMAX, 13: SOFTMAX}, np.arange(8).reshape(2, 2, 2)),
    "clip": (CLIP, np.array([-2, 0, 2])),
    "squeeze": (SQUEEZE, np.zeros((1, 2, 1))),
    "batch normalization": ({9: NORM, 13: NORM}, np.array([[[1, 5]]])),
}
EXPECTED = {
    ("softmax", 9): lambda x: (np.exp(x).reshape(2, 4) / np.exp(x).reshape(2, 4).sum(1, keepdims=True)).reshape(
        2, 2, 2
    ),
    ("softmax", 13): lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True),
    ("clip", 9): lambda x: np.clip(x, -1, 1),
    ("clip", 13): lambda x: np.clip(x, -1, 1),
    ("squeeze", 9): lambda x: x[:, :, 0],
    ("squeeze", 13): lambda x: x[0],
    ("batch normalization", 9): lambda x: (x - 1) / 2,
    ("batch normalization", 13): lambda x: (x - 1) / 2,
}


@pytest.mark.parametrize("prepared", [(9, 13), (13, 9)])
@pytest.mark.parametrize("ran", [(9, 13), (13, 9)])
@pytest.mark.parametrize("name", CASES)
def test_models_of_two_opsets_keep_their_own_semantics(name, prepared, ran):
    bodies, x = CASES[name]
    x = x.astype(np.float32)
    reps = {opset: prepare(text_model(bodies[opset], opset=opset)) for opset in prepared}
    for opset in ran:
        np.testing.assert_allclose(reps[opset].run(x), EXPECTED[name, opset](x), rtol=1e-6)


def test_handlers_registered_later_change_no_model_that_is_prepared():
    from onnx_tf.registry import onnx_op, registry

    model = text_model("g (float[3] x) => (float[3] y) { y = acme.Twice(x) }")
    model.opset_import.add(domain="acme", version=1)

    @onnx_op("Twice", domain="acme")
    def twice(x):
        return x + x

    try:
        rep = prepare(model)
        registry.unregister("Twice", since=1, domain="acme")
        np.testing.assert_array_equal(rep.run(X[0]), 2 * X[0])
        with pytest.raises(onnx_tf.UnsupportedError):
            prepare(model)
    finally:
        registry._handlers.pop(("acme", "Twice"), None)


def test_a_prepared_model_does_not_depend_on_the_callers_arrays():
    weight = np.ones((4, 4), np.float32)
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])]
    graph = helper.make_graph([node], "g", inputs, outputs, [onnx.numpy_helper.from_array(weight, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    rep = prepare(model)
    model.graph.initializer[0].raw_data = bytes(64)
    np.testing.assert_array_equal(rep.run(np.ones((1, 4), np.float32)), np.full((1, 4), 4))
