"""A SavedModel as a layer of Keras 3: called, in a functional model, and trained."""

from __future__ import annotations

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf

from onnx_tf import ExportError, InputError, OnnxLayer, prepare
from test.models import text_model
from test.reference import ort_outputs

TWO = """g (float[n, 5] a, float[n, 3] b) => (float[n, 4] y, float[n, 8] c) {
    c = Concat <axis = 1> (a, b)
    y = MatMul(c, w)
}"""
ONE = "g (float[n, 8] c) => (float[n, 4] y) { y = MatMul(c, w) }"
RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(size=(8, 4)).astype(np.float32)
A, B = RNG.normal(size=(6, 5)).astype(np.float32), RNG.normal(size=(6, 3)).astype(np.float32)
TARGET = RNG.normal(size=(6, 4)).astype(np.float32)
FEEDS = {TWO: {"a": A, "b": B}, ONE: {"c": np.concatenate([A, B], 1)}}


def with_weight(text: str, weight: np.ndarray = WEIGHT) -> onnx.ModelProto:
    model = text_model(text)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    return model


@pytest.fixture(params=[False, True], ids=["variables", "frozen"])
def freeze(request):
    return request.param


def layer_of(text: str, folder, freeze: bool) -> keras.layers.TFSMLayer:
    prepare(with_weight(text)).export_graph(folder / "model", freeze=freeze)
    return keras.layers.TFSMLayer(str(folder / "model"), call_endpoint="serve")


@pytest.mark.parametrize("text", FEEDS, ids=["two inputs", "one input"])
def test_a_layer_takes_a_dict(text, tmp_path, freeze):
    layer = layer_of(text, tmp_path, freeze)
    expected = ort_outputs(with_weight(text), FEEDS[text])
    results = layer({name: tf.constant(array) for name, array in FEEDS[text].items()})
    assert set(results) == set(expected)
    for name, array in expected.items():
        np.testing.assert_allclose(results[name], array, rtol=1e-5, atol=1e-5)


def test_a_layer_takes_the_only_input(tmp_path, freeze):
    layer = layer_of(ONE, tmp_path, freeze)
    (expected,) = ort_outputs(with_weight(ONE), FEEDS[ONE]).values()
    np.testing.assert_allclose(layer(tf.constant(FEEDS[ONE]["c"]))["y"], expected, rtol=1e-5, atol=1e-5)


def test_the_variables_are_the_layers(tmp_path, freeze):
    layer = layer_of(TWO, tmp_path, freeze)
    assert [variable.shape for variable in layer.trainable_variables] == ([] if freeze else [(8, 4)])


def functional_model(layer: keras.layers.TFSMLayer) -> keras.Model:
    inputs = {name: keras.Input((array.shape[1],), name=name) for name, array in FEEDS[TWO].items()}
    scale = keras.layers.Dense(4, use_bias=False, kernel_initializer=keras.initializers.Identity(), name="scale")
    return keras.Model(inputs, scale(layer(inputs)["y"]))


def test_fit_in_a_functional_model(tmp_path, freeze):
    layer = layer_of(TWO, tmp_path, freeze)
    model = functional_model(layer)
    before = ort_outputs(with_weight(TWO), FEEDS[TWO])["y"]
    np.testing.assert_allclose(model.predict(FEEDS[TWO], verbose=0), before, rtol=1e-4, atol=1e-5)
    model.compile(keras.optimizers.SGD(0.05), "mse")
    losses = model.fit(FEEDS[TWO], TARGET, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]
    weight = WEIGHT if freeze else layer.trainable_variables[0].numpy()
    assert np.array_equal(weight, WEIGHT) == freeze
    # ONNX Runtime with the weights that Keras found gives what Keras gives.
    trained = ort_outputs(with_weight(TWO, weight), FEEDS[TWO])["y"] @ model.get_layer("scale").kernel.numpy()
    np.testing.assert_allclose(model.predict(FEEDS[TWO], verbose=0), trained, rtol=1e-4, atol=1e-5)


def test_a_fixed_batch(tmp_path):
    text = TWO.replace("[n, ", "[6, ")
    prepare(with_weight(text)).export_graph(tmp_path / "model")
    layer = keras.layers.TFSMLayer(str(tmp_path / "model"), call_endpoint="serve")
    inputs = {name: keras.Input(batch_shape=array.shape, name=name) for name, array in FEEDS[TWO].items()}
    model = keras.Model(inputs, layer(inputs)["y"])
    expected = ort_outputs(with_weight(TWO), FEEDS[TWO])["y"]
    np.testing.assert_allclose(model(FEEDS[TWO]), expected, rtol=1e-5, atol=1e-5)


def functional_of(layer, name: str) -> keras.Model:
    inputs = {key: keras.Input((array.shape[1],), name=key) for key, array in FEEDS[TWO].items()}
    return keras.Model(inputs, layer(inputs)["y"], name=name)


def test_a_saved_model_trains_with_adam_once_the_optimizer_is_built(tmp_path):
    """Keras takes ``w:0`` for a scope, which it is not; it need not make one where the variables are there already."""
    layer = layer_of(TWO, tmp_path, False)
    model = functional_of(layer, "served")
    model.compile(keras.optimizers.Adam(0.05), "mse")
    model.optimizer.build(model.trainable_variables)
    losses = model.fit(FEEDS[TWO], TARGET, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]
    trained = ort_outputs(with_weight(TWO, layer.trainable_variables[0].numpy()), FEEDS[TWO])["y"]
    np.testing.assert_allclose(model.predict(FEEDS[TWO], verbose=0), trained, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("training", [False, True])
def test_a_rep_is_a_layer_whose_weights_train(training):
    rep = prepare(with_weight(TWO), training=training)
    layer = OnnxLayer(rep)
    model = functional_of(layer, "layer")
    assert [variable.path for variable in layer.trainable_variables] == ["w"]
    model.compile(keras.optimizers.Adam(0.05), "mse")
    losses = model.fit(FEEDS[TWO], TARGET, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]
    # What fit found is what the rep computes, and what ONNX Runtime computes with these weights.
    weight = rep.tf_module.weights["w"].numpy()
    assert not np.array_equal(weight, WEIGHT)
    trained = ort_outputs(with_weight(TWO, weight), FEEDS[TWO])["y"]
    np.testing.assert_allclose(model.predict(FEEDS[TWO], verbose=0), trained, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(rep.run(FEEDS[TWO])["y"], trained, rtol=1e-4, atol=1e-5)


def test_a_layer_drops_while_it_trains_alone():
    text = "g (float[n, 8] c) => (float[n, 8] y) { y, m = Dropout(c, ratio) }".replace("y, m", "y")
    model = text_model(text)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(0.5), "ratio"))
    layer = OnnxLayer(prepare(model, training=True))
    ones = np.ones((64, 8), np.float32)
    assert (layer(ones)["y"].numpy() == 1).all()
    assert (layer(ones, training=True)["y"].numpy() == 0).any()
    layer.trainable = False
    assert layer.trainable_variables == []


def test_a_layer_says_what_it_takes_and_that_no_file_holds_it(tmp_path):
    layer = OnnxLayer(prepare(with_weight(TWO)))
    with pytest.raises(InputError, match="takes a dict of 'a', 'b', got 'a'"):
        layer({"a": A})
    with pytest.raises(ExportError, match=r"a \.keras file cannot hold an OnnxLayer"):
        functional_of(layer, "saved").save(tmp_path / "model.keras")
