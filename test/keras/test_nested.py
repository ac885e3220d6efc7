"""Deep models are models of models, which Keras loads."""

from __future__ import annotations

import runpy

import keras
import numpy as np
import onnx
import pytest
from onnx import helper

import onnx_tf
from test.keras.check import check_keras
from test.models import node_model


def chain(scopes: bool) -> onnx.ModelProto:
    """A model of 960 operations one after another, from ``x`` [n, 2] and ``z`` [n, 1] to ``y`` and ``middle``."""
    nodes, value = [], "x"
    for i in range(960):
        prefix = f"/trunk/stage{i // 240}/block{i // 20 % 12}/" if scopes else ""
        op = ("Add", "Sin", "Cos", "Sub")[i % 4]
        inputs = [value, "z"] if i % 4 in (0, 3) else [value]
        value = "y" if i == 959 else "middle" if i == 500 else f"v{i}"
        nodes.append(helper.make_node(op, inputs, [value], name=f"{prefix}{op}_{i}"))
    return node_model(nodes, {"x": ["n", 2], "z": ["n", 1]}, ["y", "middle"])


@pytest.mark.parametrize("scopes", [True, False])
def test_deep_models(scopes, tmp_path):
    feeds = [
        {"x": np.random.default_rng(n).normal(size=(n, 2)).astype(np.float32), "z": np.ones((n, 1), np.float32)}
        for n in (1, 3)
    ]
    model = check_keras(chain(scopes), feeds, tmp_path)
    assert [tensor.name for tensor in model.inputs] == ["x", "z"]
    assert model.output_names == ["y", "middle"]
    inner = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    names = {layer.name for layer in inner}
    assert names == ({f"trunk_stage{i}" for i in range(4)} if scopes else {"part", "part_2", "part_3", "part_4"})
    assert model.count_params() == 0


def test_layers_of_deep_models_are_found_and_trained():
    model = chain(scopes=True)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.eye(2, dtype=np.float32), "w"))
    matmul = helper.make_node("MatMul", ["v956", "w"], ["v957"], name="/trunk/stage3/block11/fc/MatMul")
    model.graph.node[957].CopyFrom(matmul)
    deep = onnx_tf.to_keras(model)
    layer = deep.get_layer("trunk_stage3").get_layer("trunk_stage3_block11_fc_MatMul")
    np.testing.assert_array_equal(layer.kernel, np.eye(2))
    deep.compile("sgd", "mse")
    x, z = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)
    deep.fit([x, z], [x, x], verbose=0)
    assert (layer.kernel.numpy() != np.eye(2)).any()


def with_a_layer_of_all_parts(model: onnx.ModelProto) -> onnx.ModelProto:
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.eye(2, dtype=np.float32) * 0.5, "w"))
    for i in (3, 320, 600, 956):
        given, made = model.graph.node[i].input[0], model.graph.node[i].output[0]
        matmul = helper.make_node("MatMul", [given, "w"], [made], name=f"/trunk/stage{i // 240}/fc/MatMul_{i}")
        model.graph.node[i].CopyFrom(matmul)
    return model


def feed(batch: int) -> dict[str, np.ndarray]:
    x = np.random.default_rng(batch).normal(size=(batch, 2)).astype(np.float32)
    return {"x": x, "z": np.ones((batch, 1), np.float32)}


def test_layers_that_parts_would_share_stay_outside(tmp_path):
    model = check_keras(with_a_layer_of_all_parts(chain(scopes=True)), [feed(1), feed(3)], tmp_path)
    assert [tuple(weight.shape) for weight in model.weights] == [(2, 2)]
    assert sum(isinstance(layer, keras.layers.Dense) for layer in model.layers) == 1


@pytest.mark.parametrize(("scopes", "shared"), [(True, False), (False, True)])
def test_the_source_of_a_deep_model_is_nested_too(scopes, shared, tmp_path):
    model = with_a_layer_of_all_parts(chain(scopes)) if shared else chain(scopes)
    assert onnx_tf.convert(model, tmp_path / "model.py", check=feed(2)).fits
    source = runpy.run_path(str(tmp_path / "model.py"))
    built = source["build_model"]()
    source["load_weights"](built, tmp_path / "model.npz")
    assert sum(isinstance(layer, keras.Model) for layer in built.layers) >= 4
    assert [tuple(weight.shape) for weight in built.weights] == [(2, 2)] * shared
    built.save(tmp_path / "again.keras")
    again = keras.saving.load_model(tmp_path / "again.keras")
    inputs = list(feed(4).values())
    for found, expected in zip(again(inputs), built(inputs), strict=True):
        np.testing.assert_allclose(found, expected)
