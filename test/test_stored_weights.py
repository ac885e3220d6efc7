"""Large weights of a file stay there until they are read, and whatever is wrong is said as it is of a whole file."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, numpy_helper

from onnx_tf import FileError, ModelError, convert, prepare
from onnx_tf.model import stored
from onnx_tf.model.loading import load_model
from onnx_tf.model.reading import read_proto
from test.fuzz.of_bytes import FAULTS
from test.models import text_model

TWO_LAYERS = """
    g (float[N, 8] x) => (float[N, 4] y)
    <float[4] b = {1, 2, 3, 4}> { h = MatMul(x, v) r = Relu(h) y = Gemm <transB = 1> (r, w, b) }"""


def two_layers() -> onnx.ModelProto:
    model, rng = text_model(TWO_LAYERS), np.random.default_rng(0)
    model.graph.initializer.append(numpy_helper.from_array(rng.normal(size=(8, 16)).astype(np.float32), "v"))
    model.graph.initializer.append(numpy_helper.from_array(rng.normal(size=(4, 16)).astype(np.float32), "w"))
    return model


@pytest.fixture(autouse=True)
def _small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "MIN_FILE_BYTES", 0)
    monkeypatch.setattr(stored, "MIN_BYTES", 200)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "two_layers.onnx"
    onnx.save(two_layers(), file)
    return file


def left(path: Path) -> list[str]:
    return list(read_proto(path, leaves_weights=True).stored)


def test_large_weights_are_left_in_the_file(path: Path) -> None:
    read = read_proto(path, leaves_weights=True)
    assert list(read.stored) == ["v", "w"]
    assert not any(tensor.raw_data for tensor in read.proto.graph.initializer if tensor.name in read.stored)
    assert read_proto(path).proto == two_layers()


def test_they_are_read_when_they_are_asked_for(path: Path) -> None:
    model = load_model(path)
    for tensor in two_layers().graph.initializer:
        found = model.graph.initializers[tensor.name].const_value
        assert found is not None
        np.testing.assert_array_equal(found.numpy(), numpy_helper.to_array(tensor))
    assert ir.to_proto(model).graph.initializer[1] == two_layers().graph.initializer[1]


@pytest.mark.parametrize("how", ["as it is", "linked", "hard linked"])
def test_the_model_is_the_same(path: Path, how: str) -> None:
    x = np.random.default_rng(1).normal(size=(3, 8)).astype(np.float32)
    other = path.with_name("other.onnx")
    if how == "linked":
        (path.parent / "blobs").mkdir()
        other.symlink_to(path.rename(path.parent / "blobs" / "1f"))
    elif how == "hard linked":
        os.link(path, other)
    file = path if how == "as it is" else other
    assert left(file) == ["v", "w"]
    np.testing.assert_array_equal(prepare(file).run(x).y, prepare(two_layers()).run(x).y)


def test_what_is_written_is_the_same(path: Path, tmp_path: Path) -> None:
    convert(path, tmp_path / "left.tflite", check=True)
    convert(path.read_bytes(), tmp_path / "whole.tflite", check=False)
    assert (tmp_path / "left.tflite").read_bytes() == (tmp_path / "whole.tflite").read_bytes()


@pytest.mark.parametrize("change", ["longer", "another", "gone"])
def test_a_file_that_changes_meanwhile_is_refused(path: Path, change: str) -> None:
    model, state = load_model(path), path.stat()
    if change == "longer":
        path.write_bytes(path.read_bytes() + b"\0")
    elif change == "another":
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    else:
        path.unlink()
    tensor = model.graph.initializers["w"].const_value
    assert tensor is not None
    with pytest.raises(FileError, match="cannot be read any more" if change == "gone" else "was changed while"):
        tensor.numpy()


def test_what_is_not_as_stated_is_read_and_refused(tmp_path: Path) -> None:
    model = two_layers()
    tensor = model.graph.initializer[2]
    tensor.raw_data = tensor.raw_data + b"\0\0\0\0"
    onnx.save(model, tmp_path / "long.onnx")
    assert left(tmp_path / "long.onnx") == ["v"]
    with pytest.raises(ModelError, match=r"'w' of shape .* needs 256 bytes or elements, the file has 260"):
        load_model(tmp_path / "long.onnx")


def test_names_that_are_not_unique_are_refused(tmp_path: Path) -> None:
    model = two_layers()
    model.graph.initializer.append(model.graph.initializer[2])
    onnx.save(model, tmp_path / "twice.onnx")
    with pytest.raises(ModelError, match="two initializers are called 'w'"):
        load_model(tmp_path / "twice.onnx")


@pytest.mark.parametrize("dtype", ["STRING", "INT4", "external"])
def test_what_is_no_plain_raw_data_is_read_with_the_graph(tmp_path: Path, dtype: str) -> None:
    model = two_layers()
    tensor = model.graph.initializer.add(name="more", dims=[1024])
    if dtype == "STRING":
        tensor.data_type = TensorProto.STRING
        tensor.string_data.extend([b"word"] * 1024)
    elif dtype == "INT4":
        tensor.data_type, tensor.raw_data = TensorProto.INT4, bytes(512)
    else:
        tensor.CopyFrom(numpy_helper.from_array(np.zeros(1024, np.float32), "more"))
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="more.bin")
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    assert left(tmp_path / "model.onnx") == ["v", "w"]


def test_groups_of_fields_are_left_to_who_parses_them(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(two_layers().SerializeToString() + b"\xfb\x07\x08\x01\xfc\x07")
    assert left(tmp_path / "model.onnx") == []
    assert load_model(tmp_path / "model.onnx").graph.initializers.keys() == {"b", "v", "w"}


def outcome(source: Path | bytes) -> tuple[str, object]:
    """Return what is loaded, or the error without what it calls the source."""
    try:
        loaded = ir.to_proto(load_model(source))
    except ModelError as error:
        return type(error).__name__, str(error).replace(str(source), "").removeprefix("the given bytes")
    return "a model", loaded


@pytest.mark.parametrize("seed", range(4))
def test_broken_files_are_as_broken_as_before(tmp_path: Path, seed: int) -> None:
    rng, whole = random.Random(seed), two_layers().SerializeToString()
    refused = 0
    for number in range(100):
        content = bytearray(whole)
        rng.choice(FAULTS)(rng, content)
        file = tmp_path / f"{number}.onnx"
        file.write_bytes(content)
        found, expected = outcome(file), outcome(bytes(content))
        assert found == expected
        refused += expected[0] != "a model"
    assert refused > 10
