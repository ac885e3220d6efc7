""".keras files: what is written, its names and dimensions, that it is checked, and what is refused."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnx_tf
from onnx_tf.cli import main
from test.keras.check import check_keras
from test.models import node_model, relu_model, text_model
from test.test_docs import image_network

TWO = """g (float[N, 3] left, int64[2, M] right) => (float[N, 3] first, int64[2, M] second) {
    second = Neg(right)
    first = Relu(left)
}"""


def test_a_file_is_checked_where_the_package_is_not(tmp_path):
    done = onnx_tf.convert(image_network(), tmp_path / "model.keras")
    assert done.path == tmp_path / "model.keras"
    assert done.fits
    assert done.accuracy.runtime.startswith("keras ")
    assert done.rep.inputs == ("image",)
    assert done.rep.outputs == ("scores",)


def test_a_difference_is_found(tmp_path, monkeypatch):
    from onnx_tf.export.keras import write_keras

    def spoil(model, path):
        layer = next(layer for layer in model.layers if layer.name.startswith("node_Conv") or layer.weights)
        layer.set_weights([weight + 1 for weight in layer.get_weights()])
        write_keras(model, path)

    monkeypatch.setattr("onnx_tf.export.keras_files.write_keras", spoil)
    assert not onnx_tf.convert(image_network(), tmp_path / "model.keras").fits


def test_many_small_layers_take_little_more_than_their_weights(tmp_path):
    rng = np.random.default_rng(0)
    names = [*(f"h{i}" for i in range(39)), "y"]
    nodes = [helper.make_node("Gemm", [x, f"w_{y}", f"b_{y}"], [y]) for x, y in zip(["x", *names], names, strict=False)]
    model = node_model(nodes, {"x": [2, 32]}, ["y"])
    for name in names:
        for initializer, shape in {f"w_{name}": (32, 32), f"b_{name}": (32,)}.items():
            array = (rng.normal(size=shape) / 6).astype(np.float32)
            model.graph.initializer.append(numpy_helper.from_array(array, initializer))
    done = onnx_tf.convert(model, tmp_path / "model.keras")
    assert done.fits
    weights = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    assert done.path.stat().st_size <= 1.3 * weights  # 1.7 times in the groups that h5py makes


def test_all_formats_in_a_folder(tmp_path):
    done = onnx_tf.convert(relu_model(), tmp_path / "all", formats=["keras", "saved_model"])
    assert {path.name for path in (tmp_path / "all").iterdir()} == {"saved_model", "all.keras"}
    assert [written.format for written in done.artifacts] == ["saved_model", "keras"]


def test_the_command_line(tmp_path, capsys):
    (tmp_path / "model.onnx").write_bytes(image_network().SerializeToString())
    target = str(tmp_path / "out.keras")
    assert main(["convert", str(tmp_path / "model.onnx"), "-o", target, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["format"] == "keras"
    assert summary["check"]["fits"]


def test_names_order_dimensions_and_dtypes(tmp_path):
    feed = {"left": np.ones((2, 3), np.float32), "right": np.array([[1, 2], [3, -4]], np.int64)}
    model = check_keras(text_model(TWO), feed, tmp_path)
    assert [tensor.name for tensor in model.inputs] == ["left", "right"]
    assert [tensor.shape for tensor in model.inputs] == [(None, 3), (2, None)]
    assert [tensor.dtype for tensor in model.inputs] == ["float32", "int64"]
    assert model.output_names == ["first", "second"]


def test_layers_have_the_names_of_nodes(tmp_path):
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name="/block.0/act/Relu"),
        helper.make_node("Sigmoid", ["a"], ["b"], name="/block 0/act/Relu"),
        helper.make_node("Exp", ["b"], ["y/out:0"], name="y"),
    ]
    model = node_model(nodes, {"x": [2, 3]}, ["y/out:0"])
    found = check_keras(model, {"x": np.ones((2, 3), np.float32)}, tmp_path)
    assert [operation.name for operation in found.operations] == [
        "x",
        "block_0_act_Relu",
        "block_0_act_Relu_2",
        "y",
        "y_out_0",
    ]


def test_every_node_without_a_form_is_refused_at_once(tmp_path):
    body = """g (float[N, 3] x) => (int64[2, M] y, float[K] z) {
        y = NonZero(x)
        a = Relu(x)
        z = Unique(a)
    }"""
    with pytest.raises(onnx_tf.UnsupportedError) as caught:
        onnx_tf.convert(text_model(body), tmp_path / "model.keras")
    assert [node.op_type for node in caught.value.nodes] == ["NonZero", "Unique"]
    assert "a SavedModel or a .tflite file" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_needs_numbers_is_refused_at_once():
    body = """g (float[2, 3] x, int64[1] k) => (float[K, 3] y, float[2, K] z) {
        y = Tile(x, k)
        z = Tile(x, k)
    }"""
    with pytest.raises(onnx_tf.UnsupportedError, match="its repeats is computed") as caught:
        onnx_tf.to_keras(text_model(body))
    assert len(caught.value.nodes) >= 1


def test_strings_are_refused():
    value = helper.make_tensor_value_info("x", TensorProto.STRING, [2])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [value])
    graph.output[0].name = "y"
    with pytest.raises(onnx_tf.ExportError, match="strings"):
        onnx_tf.to_keras(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))


def test_channels_last_inputs(tmp_path):
    model = onnx_tf.to_keras(image_network(), channels_last_inputs="all")
    assert model.inputs[0].shape == (None, 32, 32, 3)
    done = onnx_tf.convert(image_network(), tmp_path / "model.keras", channels_last_inputs="all")
    assert done.fits


def test_it_trains():
    model = onnx_tf.to_keras(image_network(), training=True)
    before = [weight.numpy().copy() for weight in model.trainable_weights]
    model.compile("adam", keras.losses.MeanSquaredError())
    rng = np.random.default_rng(0)
    model.fit(rng.normal(size=(8, 3, 32, 32)), rng.normal(size=(8, 10)), verbose=0)
    assert all((weight.numpy() != old).any() for weight, old in zip(model.trainable_weights, before, strict=True))


def test_convert_says_how_images_become_channels_last(tmp_path, capsys):
    (tmp_path / "model.onnx").write_bytes(image_network().SerializeToString())
    command = ["convert", str(tmp_path / "model.onnx"), "-o", str(tmp_path / "model.keras"), "--no-check"]
    said = []
    for options in ([], ["--channels-last-inputs", "all"]):
        assert main([*command, *options]) == 0
        said.append("(--channels-last-inputs all: N, spatial..., C)" in capsys.readouterr().out)
    assert said == [True, False]
