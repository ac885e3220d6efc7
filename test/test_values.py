"""Inputs that become constants."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from onnx_tf import EditError, OnnxTfError, convert, prepare
from onnx_tf.cli import main
from test.models import text_model

RESHAPED = "g (float[2, 6] x, int64[r] dims) => (float y) { y = Reshape(x, dims) }"
X = np.arange(12, dtype=np.float32).reshape(2, 6)


@pytest.mark.parametrize("value", [[3, 4], np.array([3, 4])])
def test_what_it_decides_is_known(value):
    rep = prepare(text_model(RESHAPED), values={"dims": value})
    assert list(rep.inputs) == ["x"]
    assert rep.outputs.types["y"].shape == (3, 4)
    np.testing.assert_array_equal(rep.run(X), X.reshape(3, 4))


def test_files_are_compared_with_it(tmp_path):
    done = convert(text_model(RESHAPED), tmp_path / "m.tflite", values={"dims": [4, 3]}, check=True)
    assert done.fits
    assert list(done.accuracy.inputs) == ["x"]
    assert "RESHAPE" in done.artifacts[0].operators


def test_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    onnx.save(text_model(RESHAPED), "m.onnx")
    np.save("dims.npy", np.array([6, 2]))
    np.save("x.npy", X)
    for value, shape in (("[3, 4]", "[3, 4]"), ("dims.npy", "[6, 2]")):
        assert main(["run", "m.onnx", "--input", "x.npy", "--value", f"dims={value}"]) == 0
        assert f"y: float32{shape}" in capsys.readouterr().out
    assert main(["run", "m.onnx", "--input", "x.npy", "--value", "dims"]) == 2
    assert "--value dims: state NAME=VALUE once for each input" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"dim": [3, 4]}, r"values: the model has no input 'dim' \(did you mean 'dims'\?\)"),
        ({"dims": [3.5, 4]}, "which cannot hold the given values"),
        ({"dims": np.array([3, 4], np.int32)}, "got int32"),
        ({"x": [[1.0]]}, r"input 'x' is float32\[2, 6\], got shape \[1, 1\]"),
    ],
)
def test_refused(values, says):
    with pytest.raises(OnnxTfError, match=says):
        prepare(text_model(RESHAPED), values=values)


def test_sequences_are_no_constants():
    model = text_model("g (seq(float[N]) s) => (int64 n) { n = SequenceLength(s) }")
    with pytest.raises(EditError, match="is no tensor, and so cannot be a constant"):
        prepare(model, values={"s": [1]})
