"""SavedModels with several signatures, loaded where this package is not needed: serving, training, values inside."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import tensorflow as tf

from onnx_tf import InputError, OptionError, convert, prepare
from onnx_tf.cli import main
from test.models import text_model
from test.reference import ort_outputs
from test.test_training import _model as network

RNG = np.random.default_rng(1)
X = RNG.normal(size=(4, 3, 8, 8)).astype(np.float32)


def loaded(path):
    return tf.saved_model.load(str(path))


def gradients(call, variables):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(call()["y"]))
    return [gradient.numpy() for gradient in tape.gradient(loss, variables)]


@pytest.fixture(scope="module", params=[False, "both"])
def trained(request, tmp_path_factory):
    """A network in a folder with all signatures, with the rep that it is compared with."""
    path, model = tmp_path_factory.mktemp("signatures") / "model", network()
    names = ["serving_default", "train", "intermediate"]
    convert(model, path, signatures=names, freeze=request.param, check=True)
    return path, model, request.param


def test_serving_is_what_onnx_runtime_computes(trained):
    path, model, _ = trained
    served = loaded(path).signatures["serving_default"](x=tf.constant(X))["y"]
    np.testing.assert_allclose(served, ort_outputs(model, {"x": X})["y"], rtol=1e-4, atol=1e-5)


def test_gradients_go_through_the_signature_as_through_the_rep(tmp_path):
    model = network()
    (ratio,) = (tensor for tensor in model.graph.initializer if tensor.name == "ratio")
    ratio.CopyFrom(onnx.numpy_helper.from_array(np.zeros((), np.float32), "ratio"))  # nothing is left to chance
    convert(model, tmp_path / "model", signatures=["train"])
    rep, served = prepare(model, training=True), loaded(tmp_path / "model")
    own = {variable.name: variable for variable in rep.tf_module.trainable_variables}
    weights = {variable.name: variable for variable in served.trainable_variables}
    assert weights.keys() == own.keys()
    expected = gradients(lambda: rep.tf_module(x=X), list(own.values()))
    found = gradients(lambda: served.signatures["train"](x=tf.constant(X)), [weights[name] for name in own])
    for name, wanted, gradient in zip(own, expected, found, strict=True):
        assert np.abs(gradient).max() > 1e-4, name
        np.testing.assert_allclose(gradient, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max(), err_msg=name)


def test_what_is_loaded_trains_and_serving_follows_unless_it_is_frozen(trained):
    path, _, freeze = trained
    served = loaded(path)
    serve, train = served.signatures["serving_default"], served.signatures["train"]
    before = serve(x=tf.constant(X))["y"].numpy()
    np.testing.assert_array_equal(serve(x=tf.constant(X))["y"], before)
    assert (train(x=tf.constant(X))["y"] != train(x=tf.constant(X))["y"]).numpy().any()  # Dropout drops
    labels, optimizer = X.mean((2, 3)).argmax(1), tf.keras.optimizers.SGD(0.2)
    losses, variables = [], list(served.trainable_variables)
    for _ in range(20):
        with tf.GradientTape() as tape:
            logits = train(x=tf.constant(X))["y"]
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        losses.append(float(loss))
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    assert np.array_equal(before, serve(x=tf.constant(X))["y"]) == (freeze == "both")


def test_all_values_inside_are_those_of_onnx_runtime(trained):
    path, model, _ = trained
    found = loaded(path).signatures["intermediate"](x=tf.constant(X))
    names = [name for node in model.graph.node for name in node.output]
    assert found.keys() == {"x", *names}
    extended = onnx.ModelProto()
    extended.CopyFrom(model)
    del extended.graph.output[:]
    extended.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    for name, wanted in ort_outputs(extended, {"x": X}).items():
        np.testing.assert_allclose(found[name], wanted, rtol=1e-4, atol=1e-4, err_msg=name)


GROUPS = """g (float[n, 4, 6, 6] x) => (float[n, 4, 6, 6] y)
<int64[3] groups = {0, 2, -1}, int64[4] whole = {0, 4, 6, 6}> {
    grouped = Reshape(x, groups)
    normal = InstanceNormalization <epsilon = 1e-5> (grouped, one, none)
    back = Reshape(normal, whole)
    scaled = Mul(back, scale)
    shifted = Add(scaled, shift)
    y = Conv <pads = [1, 1, 1, 1]> (shifted, w)
}"""


@pytest.mark.parametrize("freeze", [False, True])
def test_values_that_are_fused_come_back_in_order(tmp_path, freeze):
    model = text_model(GROUPS)
    arrays = {"one": np.ones(2), "none": np.zeros(2), "w": RNG.normal(size=(4, 4, 3, 3))}
    arrays |= {"scale": RNG.uniform(1, 2, (4, 1, 1)), "shift": RNG.normal(size=(4, 1, 1))}
    for name, array in arrays.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(array.astype(np.float32), name))
    rep = prepare(model)
    x = RNG.normal(size=(2, 4, 6, 6)).astype(np.float32)
    expected = rep.intermediate_values(x)
    rep.export_graph(tmp_path / "model", freeze=freeze, signatures=["intermediate"])
    found = loaded(tmp_path / "model").signatures["intermediate"](x=tf.constant(x))
    assert found.keys() == expected.keys() > {"grouped", "normal", "scaled"}
    for name, wanted in expected.items():
        np.testing.assert_allclose(found[name], wanted, rtol=1e-4, atol=1e-5, err_msg=name)


NAMES = 'g (float[n] "a:0", float[n] b) => (float[n] y) { "in/side:0" = Add("a:0", b) y = Neg("in/side:0") }'


def test_chosen_values_and_names_that_are_no_keywords(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    onnx.save(text_model(NAMES), "model.onnx")
    assert main(["convert", "model.onnx", "-o", "model", "--intermediate-names", "in/side:0"]) == 0
    signatures = loaded("model").signatures
    assert list(signatures) == ["serving_default", "intermediate"]
    feed = {"a:0": tf.constant([1.0]), "b": tf.constant([2.0])}
    inside = signatures["intermediate"](**feed)
    assert {name: list(value.numpy()) for name, value in inside.items()} == {"in/side:0": [3]}
    assert list(signatures["serving_default"](**feed)["y"].numpy()) == [-3]


def test_freeze_alone_may_stand_before_the_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    onnx.save(text_model(NAMES), "model.onnx")
    assert main(["convert", "--freeze", "model.onnx", "-o", "model"]) == 0
    assert list(loaded("model").signatures) == ["serving_default"]
    with pytest.raises(SystemExit):
        main(["convert", "model.onnx", "--freeze", "all", "-o", "model"])


REFUSED = {
    "not known": {"signatures": ["training"]},
    "did you mean 'train'": {"signatures": ["trian"]},
    "freeze='both'": {"signatures": ["train"], "freeze": True},
    "must be a bool or 'both'": {"freeze": "all"},
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_does_not_fit_is_refused_before_anything_is_written(tmp_path, text):
    model = text_model(NAMES)
    for write in (prepare(model).export_graph, lambda path, **given: convert(model, path, **given)):
        with pytest.raises(OptionError, match=text):
            write(tmp_path / "model", **REFUSED[text])
    assert not list(tmp_path.iterdir())


def test_a_rep_that_is_not_for_training_and_values_that_are_not_there(tmp_path):
    model = text_model(NAMES)
    with pytest.raises(OptionError, match="prepared with training=True"):
        prepare(model).export_graph(tmp_path / "model", signatures=["train"])
    with pytest.raises(InputError, match="computes no value 'none'"):
        prepare(model).export_graph(tmp_path / "model", intermediate_names=["none"])
    with pytest.raises(OptionError, match="of a SavedModel, and none is asked for"):
        convert(model, tmp_path / "model.tflite", signatures=["train"])
    assert not list(tmp_path.iterdir())
