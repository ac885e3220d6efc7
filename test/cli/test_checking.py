"""``onnx-tf check`` and ``onnx-tf bisect`` as people call them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from onnx_tf import convert
from onnx_tf.check import through
from onnx_tf.cli import main
from test.check.test_bisect import mistaken
from test.models import text_model

MODEL = """
    agraph (float[N, 4] x) => (float[N, 4] y)
    <float[4] one = {1, 1, 1, 1}> {
        a = Add (x, one)
        s = Softmax (a)
        d = Mul (s, one)
        t = Tanh (d)
        y = Add (t, a)
    }"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    onnx.save(text_model(MODEL), "model.onnx")
    onnx.save(text_model(MODEL.replace("Tanh", "Sigmoid")), "other.onnx")
    np.save("x.npy", np.arange(8, dtype=np.float32).reshape(2, 4))
    return tmp_path


def test_all_is_right(capsys):
    assert main(["check", "model.onnx", "--input", "x.npy"]) == 0
    out = capsys.readouterr().out
    assert "all 5 values are ONNX Runtime's" in out
    assert "x: float32[2, 4]" in out


def test_the_node_that_differs(capsys):
    with mistaken("Softmax", lambda result, _: result * 1.5):
        assert main(["check", "model.onnx"]) == 1
    out = capsys.readouterr().out
    assert "first that differs: node 'Softmax_1' (Softmax)" in out
    assert "error from input to output:" in out


@pytest.mark.parametrize("path", ["saved", "file.tflite"])
def test_an_artefact_of_another_model(path, capsys):
    convert("other.onnx", path, check=False)
    assert main(["check", "model.onnx", path]) == 1
    assert "convert it again" in capsys.readouterr().out
    convert("model.onnx", path, check=False)
    assert main(["check", "model.onnx", path]) == 0


@pytest.mark.parametrize("path", ["saved", "file.tflite", "file.keras"])
def test_values_are_those_of_the_format(path, capsys, monkeypatch):
    """A fault that one format alone has is found at its node."""
    convert("model.onnx", path, check=False)
    right = through.ThroughFiles.intermediate_values
    told = []

    def wrong(self, inputs, names):
        told.append(self.kind)
        found = right(self, inputs, names)
        return found | {"t": found["t"] + 1}

    monkeypatch.setattr(through.ThroughFiles, "intermediate_values", wrong)
    assert main(["check", "model.onnx", path]) == 1
    assert "first that differs: node 'Tanh_3' (Tanh)" in capsys.readouterr().out
    assert told == [{"saved": "saved_model", "file.tflite": "tflite", "file.keras": "keras"}[path]]


def test_what_can_be_known_before(capsys):
    for arguments in (
        ["check", "none.onnx"],
        ["check", "model.onnx", "nothing"],
        ["check", "model.onnx", "--input", "z=x.npy"],
        ["bisect", "model.onnx", "-o", "small.txt"],
        ["bisect", "model.onnx", "-o", "no/such/folder/small.onnx"],
    ):
        assert main(arguments) == 2, arguments
    assert capsys.readouterr().err.count("onnx-tf") == 5


def test_the_smallest_part(capsys):
    with mistaken("Softmax", lambda result, _: result * 1.5):
        assert main(["bisect", "model.onnx", "-o", "small.onnx", "--neutral"]) == 0
    assert [node.op_type for node in onnx.load("small.onnx").graph.node] == ["Softmax"]
    assert np.load("small.npz").files == ["v0"]
    assert "small.onnx: 1 node" in capsys.readouterr().out
    assert main(["bisect", "model.onnx", "-o", "none.onnx"]) == 1


def test_a_part_does_not_replace_its_model(folder, capsys):
    before = (folder / "model.onnx").read_bytes()
    assert main(["bisect", "model.onnx", "-o", "model.onnx"]) == 2
    assert "is the model itself" in capsys.readouterr().err
    assert (folder / "model.onnx").read_bytes() == before


def test_a_saved_model_of_other_inputs(capsys):
    onnx.save(text_model("g (float[N, 4] photo) => (float[N, 4] y) { y = Neg (photo) }"), "photo.onnx")
    convert("photo.onnx", "saved", check=False)
    assert main(["check", "model.onnx", "saved"]) == 1
    assert "the SavedModel has no input 'x', its inputs are ['photo']" in capsys.readouterr().out


def test_random_values_differ_rightly(capsys):
    onnx.save(text_model("g (float[N, 4] x) => (float[N, 4] y) { r = RandomNormalLike (x)  y = Add (r, x) }"), "r.onnx")
    assert main(["check", "r.onnx"]) == 0
    assert "all 2 values are ONNX Runtime's" in capsys.readouterr().out
