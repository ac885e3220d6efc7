"""What needs no TensorFlow does not import it: a command answers before an import of seconds would be over."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from test.cli.test_cli import ROOT
from test.models import node_model, relu_model

SCRIPT = """
import sys
from onnx_tf.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as end:
    code = end.code
heavy = {"tensorflow", "keras", "onnxruntime"} & set(sys.modules)
assert not heavy, heavy
sys.exit(code)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.onnx").write_bytes(relu_model().SerializeToString())
    np.save("x.npy", np.zeros((2, 3), np.float32))
    return tmp_path


def answer(*arguments: str) -> tuple[int, str, str]:
    """Return exit code, standard output and error of a command that must not import TensorFlow."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ROOT},
        check=False,
    )
    assert "AssertionError" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["info", "model.onnx"], "x: float32[N, 3]"),
        (["info", "model.onnx", "--batch-size", "2", "--json"], '"shape": ['),
        (["layout", "model.onnx"], "Transposes"),
        (["layout", "model.onnx", "--html", "page.html"], "Transposes"),
        (["ops", "Conv"], "Conv"),
    ],
)
def test_answers(arguments, text):
    code, out, err = answer(*arguments)
    assert (code, err) == (0, "")
    assert text in out


def test_unsupported_nodes_are_found():
    import onnx

    node = onnx.helper.make_node("Thing", ["x"], ["y"], name="n", domain="acme")
    model = node_model([node], {"x": [1]}, ["y"])
    model.opset_import.add(domain="acme", version=1)
    onnx.save(model, "model.onnx")
    code, out, _ = answer("info", "model.onnx")
    assert code == 1
    assert "node 'n': acme.Thing (opset 1): a custom operator" in out
