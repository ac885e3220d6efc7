"""What Keras users do with a model: configurations, clones, precision, quantisation, exports, and fine-tuning."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from onnx import helper

import onnx_tf
from test.keras.training import NAMES, fine_tune
from test.models import node_model

RNG = np.random.default_rng(0)


def drawn(*shape: int) -> np.ndarray:
    return RNG.normal(0, 0.3, shape).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """Return a network with a convolution, statistics, a Dropout, two uses of one matrix, and one of 4 numbers."""
    nodes = [
        helper.make_node("Conv", ["x", "filter"], ["c"], "block/conv", pads=[1] * 4),
        helper.make_node("BatchNormalization", ["c", "gain", "shift", "mean", "variance"], ["n"], "block/norm"),
        helper.make_node("Relu", ["n"], ["r"], "block/relu"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["f"], "features"),
        helper.make_node("Dropout", ["f", "ratio"], ["d"], "drop"),
        helper.make_node("MatMul", ["d", "matrix"], ["first"], "first"),
        helper.make_node("Tanh", ["first"], ["t"], "tanh"),
        helper.make_node("MatMul", ["t", "copy"], ["second"], "second"),
        helper.make_node("Mul", ["second", "scale"], ["y"], "scaled"),
    ]
    weights = {"filter": drawn(4, 3, 3, 3), "gain": np.ones(4, np.float32), "shift": np.zeros(4, np.float32)}
    weights |= {"mean": np.zeros(4, np.float32), "variance": np.ones(4, np.float32)}
    weights |= {"ratio": np.array(0.25, np.float32), "matrix": drawn(4, 4), "scale": drawn(4)}
    weights["copy"] = weights["matrix"]
    return onnx_tf.to_keras(node_model(nodes, {"x": ["n", 3, 8, 8]}, ["y"], weights), training=True)


def test_layers_are_named_after_nodes(model):
    assert {"block_conv", "block_norm", "block_relu", "drop", "first", "features"} <= {
        layer.name for layer in model.layers
    }
    assert model.get_layer("drop").rate == 0.25


def test_equal_matrices_are_one_weight_and_scales_are_weights(model):
    kernels = [weight for weight in model.trainable_weights if weight.path.startswith("first")]
    assert len(kernels) == 1
    assert not any(layer.name == "second" for layer in model.layers)
    assert any(tuple(weight.shape) == (1, 4) for weight in model.trainable_weights)


def test_configurations_and_clones(model):
    x = drawn(2, 3, 8, 8)
    expected = np.asarray(model(x, training=False))
    again = type(model).from_config(model.get_config())
    clone = keras.models.clone_model(model)
    for made in (again, clone):
        made.set_weights(model.get_weights())
        np.testing.assert_allclose(made(x, training=False), expected, atol=1e-6)


def test_it_is_exported(model, tmp_path):
    x = drawn(2, 3, 8, 8)
    expected = np.asarray(model(x, training=False))
    model.export(tmp_path / "saved", format="tf_saved_model", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "saved"))
    np.testing.assert_allclose(served.serve(x), expected, atol=1e-5)
    model.save_weights(tmp_path / "model.weights.h5")
    model.load_weights(tmp_path / "model.weights.h5")


def test_quantized_and_of_mixed_precision(model):
    x = drawn(4, 3, 8, 8)
    expected = np.asarray(model(x, training=False))
    quantized = keras.models.clone_model(model)
    quantized.set_weights(model.get_weights())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras says which layers it leaves as they are
        quantized.quantize("int8")
    assert abs(np.asarray(quantized(x, training=False)) - expected).max() < 0.1 * abs(expected).max()
    mixed = keras.models.clone_model(model)
    mixed.set_weights(model.get_weights())
    for layer in mixed.layers:
        layer.dtype_policy = keras.dtype_policies.DTypePolicy("mixed_float16")
    assert abs(np.asarray(mixed(x, training=False)) - expected).max() < 0.02 * abs(expected).max()


def test_it_learns(model, tmp_path):
    tuned = keras.models.clone_model(model)
    tuned.set_weights(model.get_weights())
    tuned.compile(keras.optimizers.Adam(0.05), "mse")
    before = [weight.numpy().copy() for weight in tuned.weights]
    x, y = drawn(16, 3, 8, 8), drawn(16, 4) + 1
    losses = tuned.fit(x, y, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    seeds = [weight.name.startswith("seed_") for weight in tuned.weights]
    moved = [(weight.numpy() != old).any() for weight, old in zip(tuned.weights, before, strict=True)]
    assert all(m or seed for m, seed in zip(moved, seeds, strict=True))
    tuned.save(tmp_path / "tuned.keras")
    loaded = keras.saving.load_model(tmp_path / "tuned.keras")
    np.testing.assert_allclose(loaded(x, training=False), tuned(x, training=False), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_models_of_the_zoo_are_tuned(name):
    found = fine_tune(name)
    assert found.fits, found
