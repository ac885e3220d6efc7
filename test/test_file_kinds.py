"""What is no ONNX model is told by its first bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from onnx_tf import ModelError
from onnx_tf.model.file_kinds import HEAD_BYTES, foreign_kind
from onnx_tf.model.loading import load_model
from test.models import relu_model

ONNX = relu_model().SerializeToString()
ZOO = Path(__file__).parent / "zoo" / "models"


def zipped(*names: str, content: bytes = b"x" * 40) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return stream.getvalue()


def npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, x=np.ones(3))
    return stream.getvalue()


def npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.ones(3))
    return stream.getvalue()


def tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        info = tarfile.TarInfo("model.onnx")
        info.size = len(ONNX)
        archive.addfile(info, io.BytesIO(ONNX))
    return stream.getvalue()


def safetensors() -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(4)


def graph_def() -> bytes:
    graph = tf.Graph()
    with graph.as_default():
        tf.compat.v1.placeholder(tf.float32, name="x")
    return graph.as_graph_def().SerializeToString()


def saved_model() -> bytes:
    from tensorflow.core.protobuf import saved_model_pb2

    proto = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    proto.meta_graphs.add().meta_info_def.stripped_op_list.op.add(name="Add" * 60)
    return proto.SerializeToString()


def tflite() -> bytes:
    function = tf.function(lambda x: x + 1.0, input_signature=[tf.TensorSpec([2], tf.float32)])
    return tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()]).convert()


LEGACY_TORCH = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)

KINDS = {
    "empty": (lambda: b"", "empty"),
    "git-lfs": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n", "git lfs pull"),
    "ort": (lambda: b"\x18\0\0\0ORTM" + bytes(60), ".ort"),
    "tflite": (tflite, ".tflite"),
    "torch": (lambda: zipped("archive/data.pkl", "archive/data/0"), "torch.onnx.export"),
    "torchscript": (lambda: zipped("net/data.pkl", "net/code/__torch__.py"), "torch.onnx.export"),
    "legacy torch": (lambda: LEGACY_TORCH, "PyTorch"),
    "pickle": (lambda: pickle.dumps({"a": 1}, protocol=4), "skl2onnx"),
    "keras": (lambda: zipped("metadata.json", "config.json", "model.weights.h5"), "keras.models.load_model"),
    "npz": (npz, "--input"),
    "npy": (npy, "--input"),
    "zip": (lambda: zipped("model.onnx", content=ONNX), "unpack it"),
    "empty zip": (zipped, "unpack it"),
    "safetensors": (safetensors, ".safetensors"),
    "h5": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(100), ".h5"),
    "gz": (lambda: gzip.compress(ONNX), "gzip -d"),
    "bz2": (lambda: bz2.compress(ONNX), "bzip2 -d"),
    "xz": (lambda: lzma.compress(ONNX), "xz -d"),
    "tar": (tar, "tar -xf"),
    "html": (lambda: b"<!DOCTYPE html>\n<html></html>", "web page"),
    "html, no doctype": (lambda: b"\n <HTML lang='en'><head>", "web page"),
    "xml": (lambda: b'<?xml version="1.0"?>\n<net name="m" version="11">', "OpenVINO"),
    "json": (lambda: b'{"format": "layers-model"}', "JSON"),
    "text": (lambda: b'<ir_version: 8, opset_import: ["" : 17]>\ng (float x) => (float y) { y = Relu(x) }', "text"),
    "prototxt": (lambda: b"# a model\nir_version: 8\n", "text"),
    "png": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(100), "picture"),
    "SavedModel": (saved_model, "SavedModel"),
    "GraphDef": (graph_def, "TensorFlow graph"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_told_in_one_line_with_advice(kind, tmp_path):
    make, says = KINDS[kind]
    path = tmp_path / "model.onnx"
    path.write_bytes(make())
    for source, called in ((path, str(path)), (path.read_bytes(), "the given bytes")):
        with pytest.raises(ModelError) as caught:
            load_model(source)
        message = str(caught.value)
        assert message.startswith(f"{called}: ")
        assert says in message
        assert "\n" not in message
        assert len(message) < len(called) + 120


if os.name == "posix":  # files with holes

    def test_a_large_foreign_file_is_not_read(tmp_path):
        path = tmp_path / "weights.safetensors"
        with path.open("wb") as file:
            file.write(safetensors())
            file.truncate(1 << 36)
        with pytest.raises(ModelError, match="safetensors"):
            load_model(path)


def test_no_model_is_taken_for_anything_else():
    for path in ZOO.glob("*.onnx"):
        with path.open("rb") as file:
            assert foreign_kind(file.read(HEAD_BYTES)) is None, path.name


@pytest.mark.parametrize("producer", ["", "x", "pytorch", "ORTM", "TFL3", "{", "PK", "BZh9", "<html>", "\x80\x02"])
@pytest.mark.parametrize("ir_version", [1, 3, 8, 13])
def test_no_producer_is_taken_for_a_kind(producer, ir_version):
    model = relu_model(ir_version=ir_version)
    model.producer_name = producer
    assert foreign_kind(model.SerializeToString()[:HEAD_BYTES]) is None


def test_a_folder_is_told_by_what_lies_in_it(tmp_path):
    with pytest.raises(ModelError, match=r"is a directory: pass the \.onnx file in it$"):
        load_model(tmp_path)
    (tmp_path / "a.onnx").write_bytes(ONNX)
    with pytest.raises(ModelError, match=r"pass the \.onnx file in it, as 'a\.onnx'$"):
        load_model(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(saved_model())
    with pytest.raises(ModelError, match="with a SavedModel, TensorFlow runs it as it is"):
        load_model(tmp_path)
