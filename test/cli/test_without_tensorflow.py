"""What needs no TensorFlow does not import it: a command answers before an import of seconds would be over."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import onnx
import pytest

from onnx_tf.cli import main
from onnx_tf.handler_table import known_handlers
from onnx_tf.model.survey import has_only_handled_nodes
from test.cli.test_cli import ROOT
from test.models import node_model, relu_model, text_model

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
    (tmp_path / "o.json").write_text('{"nodes": [{"node": "none", "replace_by": "Abs"}]}')
    np.save("x.npy", np.zeros((2, 3), np.float32))
    return tmp_path


def answer(*arguments: str) -> tuple[int, str, str]:
    """Return exit code, standard output and error of a command that must not import TensorFlow."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": ROOT},
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
    node = onnx.helper.make_node("Thing", ["x"], ["y"], name="n", domain="acme")
    model = node_model([node], {"x": [1]}, ["y"])
    model.opset_import.add(domain="acme", version=1)
    onnx.save(model, "model.onnx")
    code, out, _ = answer("info", "model.onnx")
    assert code == 1
    assert "node 'n': acme.Thing (opset 1): a custom operator" in out


REFUSED = {
    "convert none.onnx -o out": "none.onnx does not exist",
    "convert model.onnx -o x.npy": "x.npy is a file: a SavedModel is a folder",
    "convert model.onnx -o model.onnx/out": "model.onnx/out cannot be written: ",
    "convert model.onnx -o out --formats tflight": "did you mean 'tflite'",
    "convert model.onnx -o out --batch-size 2 --input-shape x:3,3": "--batch-size",
    "convert model.onnx -o out --input-shape X:2,3": "--input-shape: the model has no input 'X' (did you mean 'x'?)",
    "convert model.onnx -o out --output-names Y": "--output-names: 'Y' is unknown (did you mean 'y'?)",
    "convert model.onnx -o out --overrides none.json": "the overrides none.json cannot be read: No such file",
    "convert model.onnx -o out --overrides o.json": "--overrides that do not fit the model:",
    "convert model.onnx -o out --report page.pdf": "--report page.pdf: the name must end in .html",
    "convert model.onnx -o out --report none/page.html": "none/page.html cannot be written: the folder none does not",
    "convert model.onnx -o out --channels-last-inputs z": "--channels-last-inputs: no input is called z",
    "convert model.onnx -o out --no-check --input x.npy": "leave out --no-check",
    "convert model.onnx -o out --cast": "--cast is for what --input gives",
    "convert model.onnx -o out --check --input x=wide.npy": "input 'x' is float32[N, 3], got shape [2, 4]",
    "convert model.onnx -o out.tflite --input x=double.npy": "cast it with --cast",
    "convert text.onnx -o out --check": "no random numbers can stand for input 'x'",
    "convert custom.onnx -o out": "node 'n': acme.Thing (opset 1): a custom operator",
    "plan model.onnx --formats tflight": "did you mean 'tflite'",
    "plan model.onnx --tflite integer_quant": "is calibrated with data of yours",
    "plan model.onnx --batch-size 2 --input-shape x:3,3": "--batch-size",
    "plan": "give the model once",
    "run model.onnx": "add --input x=FILE, or --input x=random",
    "run model.onnx --input x=none.npy": "the input file none.npy does not exist",
    "run model.onnx --input y=x.npy": "the model has no input 'y'",
    "run model.onnx --input x=double.npy": "got float64: cast it with --cast",
    "run model.onnx --input x.npy --output none/y.npy": "the folder none does not exist",
    "run custom.onnx --input random": "a custom operator",
    "layout model.onnx --layout other": "invalid choice",
}

ALL = """
import io, json, sys
from onnx_tf.cli import main
found = []
for line in json.loads(sys.argv[1]):
    sys.stderr = io.StringIO()
    try:
        code = main(line.split())
    except SystemExit as end:
        code = end.code
    found.append((code, sys.stderr.getvalue()))
print(json.dumps([found, sorted({"tensorflow", "keras", "onnxruntime"} & set(sys.modules))]))
"""


def test_what_cannot_be_is_refused_without_tensorflow(folder):
    node = onnx.helper.make_node("Thing", ["x"], ["y"], name="n", domain="acme")
    custom = node_model([node], {"x": [1]}, ["y"])
    custom.opset_import.add(domain="acme", version=1)
    onnx.save(custom, "custom.onnx")
    onnx.save(text_model("g (string[N] x) => (string[N] y) { y = Identity(x) }"), "text.onnx")
    np.save("wide.npy", np.zeros((2, 4), np.float32))
    np.save("double.npy", np.zeros((2, 3)))
    before = sorted(folder.iterdir())
    environment = os.environ | {"PYTHONPATH": ROOT}
    command = [sys.executable, "-c", ALL, json.dumps(list(REFUSED))]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    found, heavy = json.loads(done.stdout)
    assert heavy == []
    for (line, says), (code, error) in zip(REFUSED.items(), found, strict=True):
        assert code == (1 if "custom.onnx" in line else 2), (line, error)
        assert says in error, (line, error)
    assert sorted(folder.iterdir()) == before


class TestAtAGlance:
    """``info`` reads the proto alone, unless there is more to it than handlers for all of its operators."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("g (float[N] x) => (float[N] y) { y = Relu(x) }", True),
            ("g (float[N] x) => (float[N] y) { y = Relu(t) t = Neg(x) }", False),
            ("g (float[N] x) => (float[N] y) { y = Bogus(x) }", False),
            ("g (float[N] x) => (float[N] y) { y = Relu <beta = 1.0> (x) }", False),
            ("g (float[0] x) => (float[0] y) { y = Relu(x) }", False),
            (
                "g (bool c, float[N] x) => (float[N] y) { y = If (c) <"
                "then_branch = a () => (float[N] s) { s = Bogus(x) }, "
                "else_branch = b () => (float[N] t) { t = Neg(x) }> }",
                False,
            ),
        ],
    )
    def test_which_models(self, text, expected):
        assert has_only_handled_nodes(text_model(text), known_handlers()) == expected

    def test_weights_elsewhere_are_looked_for(self, folder, capsys):
        model = text_model("g (float[N, 64] x) => (float[N, 64] y) { y = MatMul(x, w) }")
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros((64, 64), np.float32), "w"))
        onnx.save(model, "far.onnx", save_as_external_data=True, location="far.bin", size_threshold=0)
        assert main(["info", "far.onnx"]) == 0
        assert "weights: 16.4 kB\nparameters: 4096\n" in capsys.readouterr().out
        (folder / "far.bin").unlink()
        assert main(["info", "far.onnx"]) == 2
        assert "far.bin, which does not exist: put the file beside the model" in capsys.readouterr().err
