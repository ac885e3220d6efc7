"""Files as users get them: names, order, open dimensions, outputs, formats, origin."""

from __future__ import annotations

import copy
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.python import schema_py_generated as schema

from onnx_tf import UnsupportedError, convert
from onnx_tf.errors import ExportError, OptionError
from onnx_tf.export import tflite
from onnx_tf.export.flatbuffer import finished, operators, read_metadata
from onnx_tf.export.packing import packed
from test.litert.check import check_tflite
from test.models import relu_model, text_model

THREE = """g (float[N, 4] c, float[N, 4] a, float[N, 4] b) => (float[N, 4] z, float[N, 4] y, float[N, 4] x)
{ y = Mul(a, b) z = Add(y, c) x = Relu(z) }"""

OF_NO_OPERATOR = """g (float[N, 4] x, bool[N] flag) => (float[N, 4] same, float[N, 4] y, float[N, 4] twin,
float[2] constant, bool[N] kept) <float[2] two = {1.0, 2.0}>
{ same = Identity(x) y = Relu(x) twin = Identity(y) constant = Identity(two) kept = Identity(flag) }"""


def test_names_order_and_open_dims_are_those_of_the_model(tmp_path):
    file = tmp_path / "model.tflite"
    convert(text_model(THREE), file, check=False)
    interpreter = Interpreter(str(file))
    assert [d["name"] for d in interpreter.get_input_details()] == ["c", "a", "b"]
    assert [d["name"] for d in interpreter.get_output_details()] == ["z", "y", "x"]
    assert all(list(d["shape_signature"]) == [-1, 4] for d in interpreter.get_input_details())
    assert interpreter.get_signature_list()["serving_default"]["inputs"] == ["a", "b", "c"]


def test_every_output_is_an_operators_own_result(tmp_path):
    rng = np.random.default_rng(0)
    feeds = [
        {"x": rng.standard_normal((n, 4)).astype(np.float32), "flag": rng.integers(0, 2, n).astype(bool)}
        for n in (1, 3)
    ]
    found = check_tflite(text_model(OF_NO_OPERATOR), feeds, tmp_path)
    assert found["MAXIMUM"] == 3
    assert found["LOGICAL_OR"] == 1


def test_bytes_are_the_same_each_time_and_tell_their_origin(tmp_path):
    files = [tmp_path / "a.tflite", tmp_path / "b.tflite"]
    source = tmp_path / "model.onnx"
    source.write_bytes(text_model(THREE).SerializeToString())
    for file in files:
        convert(source, file, check=False)
    first, second = (file.read_bytes() for file in files)
    assert first == second
    found = read_metadata(first)
    assert found["producer"] == "onnx-tf"
    assert found["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()


def test_a_folder_of_all_formats(tmp_path):
    source = tmp_path / "net.onnx"
    source.write_bytes(relu_model().SerializeToString())
    done = convert(source, tmp_path / "out", formats=["saved_model", "tflite"], check=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "net_float16.tflite",
        "net_float32.tflite",
        "saved_model",
    ]
    assert done.fits
    assert [written.format for written in done.artifacts] == ["saved_model", "tflite", "tflite"]
    assert all(written.accuracy is not None for written in done.artifacts)
    assert done.artifacts[1].operators == operators((tmp_path / "out" / "net_float32.tflite").read_bytes())


def test_files_are_compared_unless_told_otherwise(tmp_path):
    assert convert(relu_model(), tmp_path / "a.tflite").accuracy.fits
    assert convert(relu_model(), tmp_path / "b.tflite", check=False).accuracy is None


def test_what_needs_more_is_refused_with_its_nodes_and_nothing_is_written(tmp_path):
    model = text_model("g (float[3] x, float[2, 2] m) => (float[3] y) { a = Det(m) y = Add(x, a) }", opset=22)
    with pytest.raises(UnsupportedError, match=r"Det .*MatrixDeterminant.*allow_flex"):
        convert(model, tmp_path / "model.tflite")
    assert not list(tmp_path.iterdir())
    done = convert(model, tmp_path / "model.tflite", allow_flex=True, check=False)
    assert "FlexMatrixDeterminant" in done.artifacts[0].operators


def test_weights_that_no_file_holds_are_refused_first(tmp_path, monkeypatch):
    model = text_model("g (float[N, 100] x) => (float[N, 100] y) { y = Add(x, w) }")
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.arange(100, dtype=np.float32), "w"))
    monkeypatch.setattr(tflite, "MAX_FILE_BYTES", 300)
    with pytest.raises(ExportError, match=r"in float32, a \.tflite file holds \S+ B at most: store them as float16"):
        convert(model, tmp_path / "out", formats=["tflite"])
    assert not list(tmp_path.iterdir())
    convert(model, tmp_path / "out.tflite", tflite=["float16"], check=False)


@pytest.mark.parametrize(
    ("path", "options", "error"),
    [
        ("model", {"formats": ["onnx"]}, OptionError),
        ("model", {"formats": []}, OptionError),
        ("model", {"formats": "tflite"}, OptionError),
        ("model", {"formats": 5}, OptionError),
        ("model.tflite", {"formats": ["tflite"]}, OptionError),
        ("model.tflite", {"tflite": ["float32", "float16"]}, OptionError),
        ("model.tflite", {"tflite": ["int3"]}, OptionError),
        ("there.tflite", {"overwrite": False}, ExportError),
        ("folder.tflite", {}, ExportError),
        ("there.tflite/model.tflite", {}, ExportError),
    ],
)
def test_what_cannot_be_written_is_refused_first(tmp_path, path, options, error):
    (tmp_path / "there.tflite").write_text("kept")
    (tmp_path / "folder.tflite").mkdir()
    with pytest.raises(error):
        convert(relu_model(), tmp_path / path, **options)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["folder.tflite", "there.tflite"]
    assert (tmp_path / "there.tflite").read_text() == "kept"


def test_a_newer_runtime_is_required_where_an_added_operator_needs_it(tmp_path):
    plain = convert(relu_model(), tmp_path / "plain.tflite", check=False)
    copied = convert(text_model(OF_NO_OPERATOR), tmp_path / "copied.tflite", check=False)
    assert [min_runtime(done.path) for done in (plain, copied)] == ["1.5.0", "1.14.0"]


def min_runtime(file: Path) -> str:
    model = schema.ModelT.InitFromPackedBuf(file.read_bytes(), 0)
    (entry,) = [entry for entry in model.metadata if entry.name == b"min_runtime_version"]
    return bytes(model.buffers[entry.buffer].data).rstrip(b"\0").decode()


def test_bytes_are_the_same_in_every_process(tmp_path):
    (tmp_path / "model.onnx").write_bytes(text_model(OF_NO_OPERATOR).SerializeToString())
    root = Path(__file__).parents[2]
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-m", "onnx_tf", "convert", "model.onnx", "-o", f"{seed}.tflite", "--no-check"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(root), "PYTHONHASHSEED": seed},
            check=True,
        )
    assert (tmp_path / "1.tflite").read_bytes() == (tmp_path / "2.tflite").read_bytes()


def test_both_runners_of_litert_give_the_same(tmp_path):
    flag = np.array([True])
    feed = {"x": np.array([[-1, 0.5, 2, -3]], np.float32), "flag": flag}
    done = convert(text_model(OF_NO_OPERATOR), tmp_path / "model.tflite", batch_size=1, check=feed)
    assert done.fits
    runner = Interpreter(str(done.path)).get_signature_runner()
    expected = runner(**feed)
    compiled = CompiledModel.from_file(str(done.path))
    signature = compiled.get_signature_list()["serving_default"]
    assert signature == {"inputs": ["x", "flag"], "outputs": ["same", "y", "twin", "constant", "kept"]}
    inputs, outputs = compiled.create_input_buffers(0), compiled.create_output_buffers(0)
    for name, buffer in zip(signature["inputs"], inputs, strict=True):
        buffer.write(feed[name])
    compiled.run_by_index(0, inputs, outputs)
    for name, buffer in zip(signature["outputs"], outputs, strict=True):
        found = buffer.read(expected[name].size, expected[name].dtype)
        np.testing.assert_array_equal(found.reshape(expected[name].shape), expected[name])


def test_equal_numbers_have_one_buffer_and_no_tensor_loses_its_own(tmp_path):
    convert(text_model(OF_NO_OPERATOR), tmp_path / "model.tflite", check=False)
    file = schema.ModelT.InitFromPackedBuf((tmp_path / "model.tflite").read_bytes(), 0)
    graph, signature = file.subgraphs[0], file.signatureDefs[0]
    constant = next(tensor for tensor in graph.tensors if file.buffers[tensor.buffer].data is not None)
    file.buffers.append(copy.copy(file.buffers[constant.buffer]))
    for name in (b"one", b"two"):  # of one buffer, equal to that of the constant
        twin = copy.copy(constant)
        twin.name, twin.buffer = name, len(file.buffers) - 1
        graph.tensors.append(twin)
    names = ([entry.name.decode() for entry in side] for side in (signature.inputs, signature.outputs))
    done = schema.ModelT.InitFromPackedBuf(finished(bytes(packed(file, 1 << 16)), *names, {}), 0)
    places = [t.buffer for t in done.subgraphs[0].tensors if t.name in (constant.name, b"one", b"two")]
    assert len(places) == 3
    assert len(set(places)) == 1
    np.testing.assert_array_equal(done.buffers[places[0]].data, file.buffers[constant.buffer].data)
