"""Frozen GraphDefs: loaded by ``tf.compat.v1`` alone, under the model's names, with open dimensions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf

from onnx_tf import ExportError, OptionError, PathError, convert
from onnx_tf.cli import main
from onnx_tf.export import saved_model
from onnx_tf.export.frozen_graph import OperationNames
from test.models import relu_model, text_model
from test.reference import ort_outputs

RNG = np.random.default_rng(0)
CONVOLUTION = """g (float[n, 3, h, 8] "image:0") => (float[n, 4, p, 8] "a/b:1", float[n, 3, h, 8] r) {
    c = Conv <pads = [1, 1, 1, 1]> ("image:0", w)
    "a/b:1" = Relu(c)
    r = Relu("image:0")
}"""
LOOP = """g (float[n] x, int64 count) => (float[n] y, float[k, n] all) <bool go = {1}> {
    y, all = Loop (count, go, x) <body = b (int64 i, bool c, float[n] s) => (bool d, float[n] t, float[n] u) {
        d = Identity(c)
        t = Add(s, s)
        u = Neg(s)
    }>
}"""


def image_model() -> onnx.ModelProto:
    model = text_model(CONVOLUTION)
    weight = RNG.normal(0, 0.3, (4, 3, 3, 3)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    return model


def run(file: Path, outputs: list[str], feed: dict[str, Any]) -> list[np.ndarray]:
    """Return what a session gives, as a user of ``tf.compat.v1`` writes it."""
    definition = tf.compat.v1.GraphDef.FromString(file.read_bytes())
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(definition, name="")
        return session.run([f"{name}:0" for name in outputs], {f"{name}:0": value for name, value in feed.items()})


def test_a_session_runs_it_under_the_names_of_the_model_in_any_size(tmp_path):
    model = image_model()
    (written,) = convert(model, tmp_path / "model.pb", check=True).artifacts
    assert written.accuracy.fits
    assert written.names == {"image:0": "image_0", "a/b:1": "a/b_1"}
    for shape in ((1, 3, 8, 8), (2, 3, 5, 8)):
        x = RNG.normal(size=shape).astype(np.float32)
        expected = list(ort_outputs(model, {"image:0": x}).values())
        for found, wanted in zip(run(written.path, ["a/b_1", "r"], {"image_0": x}), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_it_is_frozen(tmp_path):
    convert(image_model(), tmp_path / "model.pb")
    definition = tf.compat.v1.GraphDef.FromString((tmp_path / "model.pb").read_bytes())
    operations = {node.op for node in definition.node}
    assert not operations & {"VarHandleOp", "ReadVariableOp", "PartitionedCall", "StatefulPartitionedCall"}
    assert [node.name for node in definition.node if node.op == "Placeholder"] == ["image_0"]


def test_loops_and_inputs_that_are_outputs(tmp_path):
    model = text_model(LOOP)
    convert(model, tmp_path / "model.pb", check=True)
    feed = {"x": np.array([1.0, -2.0], np.float32), "count": np.array(3)}
    pairs = zip(run(tmp_path / "model.pb", ["y", "all"], feed), ort_outputs(model, feed).values(), strict=True)
    for found, wanted in pairs:
        np.testing.assert_array_equal(found, wanted)
    model = text_model("g (float[n] x) => (float[n] x, float[n] X) { X = Neg(x) }")
    (written,) = convert(model, tmp_path / "model.pb", check=True).artifacts
    assert written.names == {"x": "x_1"}
    assert [list(v) for v in run(written.path, ["x_1", "X"], {"x": np.ones(1)})] == [[1.0], [-1.0]]


def test_names_that_tensorflow_does_not_take():
    names = OperationNames.of(["a:0", "a_0", "/b/"], ["a:0", "ä", "1"])
    assert names.inputs == {"a:0": "a_0", "a_0": "a_0_1", "/b/": "b"}
    assert names.outputs == {"a:0": "a_0_2", "ä": "n_", "1": "1"}


def test_several_formats_go_into_a_folder_and_nothing_half_written_stays(tmp_path, monkeypatch):
    done = convert(relu_model(), tmp_path / "out", formats=["frozen_graph", "saved_model"])
    assert [written.format for written in done.artifacts] == ["saved_model", "frozen_graph"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["out.pb", "saved_model"]
    monkeypatch.setattr(saved_model, "MAX_GRAPH_BYTES", 8)
    with pytest.raises(ExportError, match="holds 8 B at most: write a SavedModel"):
        convert(relu_model(), tmp_path / "new" / "model.pb")
    assert not (tmp_path / "new").exists()
    with pytest.raises(PathError, match="exists already"):
        convert(relu_model(), tmp_path / "out" / "out.pb", overwrite=False)
    with pytest.raises(OptionError, match="a frozen graph's"):
        convert(relu_model(), tmp_path / "model.pb", tflite=["float32"])


def test_the_command_line_writes_and_checks_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    onnx.save(image_model(), "model.onnx")
    assert main(["convert", "model.onnx", "-o", "model.pb"]) == 0
    assert "image:0 is image_0" in capsys.readouterr().out
    assert main(["check", "model.onnx", "model.pb"]) == 0
    onnx.save(relu_model(), "other.onnx")
    assert main(["check", "other.onnx", "model.pb"]) == 1
    Path("broken.pb").write_bytes(b"\x0a\xff")
    assert main(["check", "other.onnx", "broken.pb"]) == 1
