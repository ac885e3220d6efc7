from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
import tensorflow as tf

from onnx_tf import convert, prepare
from onnx_tf.check import accuracy
from onnx_tf.check.accuracy import compare_saved_model
from onnx_tf.check.expected import expected_of
from onnx_tf.check.interface import Interface
from onnx_tf.cli import main
from onnx_tf.errors import InputError, OnnxTfError
from test.models import text_model

LRN = "g (float[N, 2, 5, 4] x) => (float[N, 2, 5, 4] y) { y = LRN <size = 3> (x) }"
POOL = """g (float[N, 3, H, W] x) => (float[N, 3, h, w] y) { y = MaxPool <kernel_shape = [9, 9]> (x) }"""
UNIQUE = "g (float[5] x) => (float[n] y, float[5] z) { y = Unique (x)  z = Neg (x) }"
NAN = np.array([3, np.nan, 1, 3, np.nan], np.float32)


def checked(model, folder, feed=True, **options):
    return convert(model, folder / "saved", check=feed, **options).accuracy


def test_drawn_sizes_are_told(tmp_path):
    found = checked(text_model(POOL), tmp_path)
    assert found.fits
    assert found.inputs == {"x": "float32[2, 3, 32, 32]"}


def test_inputs_of_ones_own_are_told(tmp_path):
    found = checked(text_model(POOL), tmp_path, {"x": np.ones((1, 3, 20, 30), np.float32)})
    assert found.fits
    assert found.inputs == {"x": "float32[1, 3, 20, 30]"}


@pytest.mark.parametrize("drawn", [True, False])
def test_channels_last_interfaces(tmp_path, drawn):
    feed = True if drawn else {"x": np.random.default_rng(0).normal(size=(3, 5, 4, 2)).astype(np.float32)}
    found = checked(text_model(LRN), tmp_path, feed, channels_last_inputs=["x"], channels_last_outputs=["y"])
    assert found.fits
    assert found.inputs == {"x": f"float32[{2 if drawn else 3}, 5, 4, 2]"}


def test_a_saved_model_that_differs(tmp_path):
    model = text_model("g (float[2] x) => (float[2] y) { y = Neg (x) }")
    rep = prepare(model)
    prepare(text_model("g (float[2] x) => (float[2] y) { y = Abs (x) }")).export_graph(tmp_path / "other")
    found = compare_saved_model(tmp_path / "other", rep, expected_of(Interface.of(rep), model))
    assert not found.fits
    assert found.outputs[0].at
    assert found.known == {}


def test_known_differences_are_named_beside_the_outputs_that_differ(tmp_path):
    found = checked(text_model(UNIQUE), tmp_path, {"x": NAN})
    assert [output.fits for output in found.outputs] == [False, True]
    (sentence,) = found.known["y"]
    assert list(found.known) == ["y"]
    assert "Unique" in sentence


def test_known_refusals_are_named(tmp_path):
    text = """g (float[2, 3] x, float[3] s) => (float[2, 3] y) {
        y = BatchNormalization <training_mode = 1> (x, s, s, s, s)
    }"""
    with pytest.raises(OnnxTfError, match=r"(?s)does not take the model.*two of them optional"):
        checked(text_model(text), tmp_path)


def test_inputs_that_do_not_fit(tmp_path):
    with pytest.raises(InputError, match="no input 'z'"):
        checked(text_model(LRN), tmp_path, {"z": NAN})


def test_overflowing_inputs_of_models_in_bytes(tmp_path):
    model = text_model("g (float[2] x) => (float[2] y) { y = Exp (x) }").SerializeToString()
    assert checked(model, tmp_path, {"x": np.array([1000, np.nan], np.float32)}).fits


class TestCommand:
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

    def test_what_was_drawn(self, capsys):
        onnx.save(text_model("g (float[batch, seq] x) => (float[batch, seq] y) { y = Neg (x) }"), "model.onnx")
        assert main(["convert", "model.onnx", "-o", "out", "--check"]) == 0
        assert " on 3 inputs: x: float32[2, 8]; x: float32[3, 16]\n" in capsys.readouterr().out
        assert main(["convert", "model.onnx", "-o", "out", "--check", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["check"]["inputs"][0] == {"x": "float32[2, 8]"}

    def test_nothing_that_could_be_drawn_runs(self, capsys):
        text = "g (float[N, 3] x) => (float[1, 3] y) <int64[1] i = {500}> { y = Gather (x, i) }"
        onnx.save(text_model(text), "model.onnx")
        assert main(["convert", "model.onnx", "-o", "out", "--check"]) == 1
        printed = capsys.readouterr().err
        for part in ("float32[2, 3]", "--input FILE", "--input-shape"):
            assert part in printed
        assert tf.saved_model.contains_saved_model("out")

    def test_differences(self, capsys):
        onnx.save(text_model(UNIQUE), "model.onnx")
        np.save("x.npy", NAN)
        arguments = ["convert", "model.onnx", "-o", "out", "--check", "--input", "x.npy"]
        assert main(arguments) == 1
        y, sentence, z = capsys.readouterr().out.splitlines()[-4:-1]
        assert y == "  y: shape [3] where [2] is expected: DIFFERS"
        assert sentence.startswith("    node ")
        assert z.endswith(": ok")
        assert main([*arguments, "--json"]) == 1
        check = json.loads(capsys.readouterr().out)["check"]
        assert [(o["name"], o["fits"], o["error"], o["reason"]) for o in check["outputs"]] == [
            ("y", False, "Infinity", "shape [3] where [2] is expected"),
            ("z", True, 0.0, ""),
        ]
        assert "NaN" in check["outputs"][0]["known"][0]

    def test_numbers_that_differ(self, capsys, monkeypatch):
        onnx.save(text_model("g (float[3] x) => (float[3] y) { y = Neg (x) }"), "model.onnx")
        outputs = {"y": np.full(3, 1.5, np.float32)}
        monkeypatch.setattr(accuracy.SavedModel, "run", lambda *_: outputs)
        assert main(["convert", "model.onnx", "-o", "out", "--check"]) == 1
        lines = capsys.readouterr().out.splitlines()
        assert "(tolerance 1e-03), absolute " in lines[-3]
        assert lines[-3].endswith(": DIFFERS")
        assert lines[-2].startswith("    at [")
        assert " 1.5 for -" in lines[-2]
