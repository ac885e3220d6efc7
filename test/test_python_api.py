"""What Python users see: values that show themselves, errors that say what to do, registration, loaded SavedModels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import tensorflow as tf

import onnx_tf
from onnx_tf import CheckError, ConversionError, InputError, OptionError, convert, onnx_op, prepare
from onnx_tf.backend import supports_device
from onnx_tf.registry import registry
from onnx_tf.removed import REMOVED
from test.models import text_model

X = np.array([[-1, 0, 2], [3, -4, 5]], np.float32)
RELU = text_model("g (float[N, 3] x) => (float[N, 3] y) { y = Relu(x) }")
CUSTOM = onnx.parser.parse_model(
    '<ir_version: 8, opset_import: ["": 17, "acme": 1]> g (float[n] x) => (float[n] y) { y = acme.Swish (x) }'
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    known = {key: list(versions) for key, versions in registry._handlers.items()}
    yield tmp_path
    registry._handlers.clear()
    registry._handlers.update(known)


@pytest.fixture(scope="module")
def rep():
    return prepare(RELU)


def test_convert_is_the_function():
    assert onnx_tf.convert is convert
    assert callable(convert)


def test_a_rep_shows_what_it_takes_and_gives(rep):
    assert rep.inputs == ("x",)
    assert repr(rep.inputs) == "(x: float32[N, 3])"
    assert rep.outputs.as_json() == [{"name": "y", "dtype": "float32", "shape": ["N", 3]}]
    assert repr(rep) == "<TensorflowRep (x: float32[N, 3]) -> (y: float32[N, 3]), 0 weights, no Transposes left>"
    assert repr(rep.signatures) == "{'serving_default': (x: float32[N, 3]) -> (y: float32[N, 3])}"
    images = text_model("g (float[N, 2, 5, 4] x) => (float[N, 2, 5, 4] y) { y = LRN <size = 3> (x) }")
    assert repr(prepare(images, channels_last_inputs=["x"]).inputs) == "(x: float32[N, 5, 4, 2] channels-last)"


def test_outputs_say_how_to_get_the_array(rep):
    outputs = rep.run(X)
    np.testing.assert_array_equal(outputs[0], np.maximum(X, 0))
    assert outputs[0][1, 2] == 5
    for index, error in (((1, 2), TypeError), (1, IndexError)):
        with pytest.raises(error, match=r"indices go over the 1 output \['y'\].*outputs\[0\]"):
            outputs[index]
    with pytest.raises(KeyError, match="did you mean 'y'"):
        outputs["Y"]


@pytest.mark.parametrize("name", REMOVED)
def test_what_1_x_had_is_refused_with_the_row_of_the_documents(name, rep):
    page = (Path(__file__).parents[1] / "doc" / "migrating.md").read_text(encoding="utf-8")
    assert f"| `{name}` |" in page
    if name == "tensor_dict":
        with pytest.raises(AttributeError, match=r"row `tensor_dict` of doc/migrating\.md"):
            rep.tensor_dict  # noqa: B018
        return
    with pytest.raises(OptionError, match=f"no argument {name!r} any more.*row `{name}` of doc/migrating.md"):
        prepare(RELU, **{name: True})


def test_unknown_arguments_are_none_of_1_x():
    with pytest.raises(TypeError, match="unexpected keyword argument 'layuot'"):
        prepare(RELU, layuot="keep")


def test_prepare_and_supports_device_agree():
    device = f"CUDA:{len(tf.config.list_physical_devices('GPU'))}"
    assert not supports_device(device)
    with pytest.raises(OptionError, match="TensorFlow sees"):
        prepare(RELU, device)


def swish(x):
    return x * tf.sigmoid(x)


class TestRegistering:
    def test_again_from_the_same_module_and_name(self):
        for factor in (1.0, 2.0):

            def swish(x, factor=factor):
                return factor * x

            onnx_op("Swish", domain="acme")(swish)
        assert prepare(CUSTOM).run(np.ones(1, np.float32))[0] == 2

    def test_another_function_needs_override(self):
        onnx_op("Swish", domain="acme")(swish)

        def other(x):
            return -x

        with pytest.raises(OptionError, match=r"already, swish of .*override=True"):
            onnx_op("Swish", domain="acme")(other)
        onnx_op("Swish", domain="acme", override=True)(other)
        assert prepare(CUSTOM).run(np.ones(1, np.float32))[0] == -1

    def test_without_parentheses(self):
        with pytest.raises(OptionError, match="needs the operator's name"):
            onnx_op(swish)  # type: ignore[arg-type]

    def test_a_handler_that_returns_nothing_or_takes_too_much(self):
        def nothing(x):  # noqa: ARG001
            return None

        def greedy(x, y, z):  # noqa: ARG001
            return x

        for function, says in ((nothing, "it returned None"), (greedy, "it takes 3 inputs, the node has 1")):
            onnx_op("Swish", domain="acme", override=True)(function)
            with pytest.raises(ConversionError, match=rf"acme.Swish.*its handler, .*{function.__name__} of .*{says}"):
                prepare(CUSTOM)


def test_a_loaded_model_has_its_variables_and_is_callable():
    model = text_model("g (float[N, 8] x) => (float[N, 2] y) { y = MatMul(x, w) }")
    weight = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    rep, x = prepare(model), np.ones((3, 8), np.float32)
    rep.export_graph("out")
    loaded = tf.saved_model.load("out")
    assert [v.shape for v in loaded.variables] == [v.shape for v in loaded.trainable_variables] == [(8, 2)]
    for outputs in (loaded(x), loaded({"x": x})):
        np.testing.assert_allclose(outputs["y"], x @ weight, rtol=1e-5)
    loaded.trainable_variables[0].assign(np.zeros((8, 2), np.float32))
    assert not loaded(x)["y"].numpy().any()
    rep.export_graph("frozen", freeze=True)
    frozen = tf.saved_model.load("frozen")
    assert list(frozen.variables) == list(frozen.trainable_variables) == []
    np.testing.assert_allclose(frozen(x)["y"], x @ weight, rtol=1e-5)


@pytest.mark.parametrize("given", [X, [X], {"x": X}], ids=["array", "list", "dict"])
def test_a_check_takes_what_run_takes(given):
    done = convert(RELU, "out", check=given)
    assert done.fits
    assert done.accuracy.inputs == {"x": "float32[2, 3]"}


class TestBeforeConverting:
    @pytest.fixture(autouse=True)
    def nothing_is_converted(self, monkeypatch):
        def fail(*_args, **_settings):
            raise AssertionError("it converts")

        monkeypatch.setattr("onnx_tf.artifacts.lower", fail)

    @pytest.mark.parametrize(
        ("given", "says"),
        [
            (X.astype(np.float64), "got float64: cast it"),
            (X[0], "the batch axis is missing"),
            ({"z": X}, "no input 'z'"),
            ({}, "'x' is missing"),
        ],
    )
    def test_inputs_that_do_not_fit(self, given, says, folder):
        with pytest.raises(InputError, match=says):
            convert(RELU, "out", check=given)
        assert not list(folder.iterdir())

    def test_strings_cannot_be_drawn(self):
        with pytest.raises(InputError, match="no random numbers can stand for input 'x'"):
            convert(text_model("g (string[N] x) => (string[N] y) { y = Identity(x) }"), "out", check=True)


@pytest.mark.parametrize("path", ["out", "out.tflite"])
def test_a_check_that_fails_says_where_the_artefact_lies(path, folder, monkeypatch):
    def fail(*_args, **_settings):
        raise onnx_tf.OnnxTfError("no kernel")

    monkeypatch.setattr("onnx_tf.check.reference.OnnxRuntime", fail)
    with pytest.raises(CheckError, match=f"{path} is written, but not verified: no kernel"):
        convert(RELU, path, check=True)
    assert (folder / path).exists()


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((3, 8, 6), r"the batch axis is missing; add it with x\[numpy.newaxis\]"),
        ((2, 8, 6, 3), r"it is channels-last; transpose it with x.transpose\(\[0, 3, 1, 2\]\)"),
        ((8, 6, 3), "it is channels-last and has no batch axis"),
        ((1, 2, 3, 8, 6), "it has one axis too many"),
    ],
)
def test_shapes_get_the_likely_mend(shape, says):
    rep = prepare(text_model("g (float[N, 3, 8, 6] x) => (float[N, 3, 8, 6] y) { y = Relu(x) }"))
    with pytest.raises(InputError, match=says):
        rep.run(np.zeros(shape, np.float32))


def test_inputs_that_share_a_symbol_and_disagree():
    rep = prepare(text_model("g (float[n] a, float[n] b) => (float[c] y) { y = Add(a, b) }"))
    with pytest.raises(InputError, match="n is 2 for a, 3 for b") as caught:
        rep.run([np.ones(2, np.float32), np.ones(3, np.float32)])
    assert caught.value.node == "Add_0"
    np.testing.assert_array_equal(rep.run([np.ones(2, np.float32), np.ones(1, np.float32)])[0], [2, 2])
