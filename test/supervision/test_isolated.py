"""``convert(..., isolated=True)`` is ``convert`` in another process: results, errors and warnings come back."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import tensorflow as tf

from onnx_tf import OptionError, ProcessLimitError, UnsupportedError, convert, onnx_op, prepare
from onnx_tf.errors import CrashError
from onnx_tf.registry import registry
from onnx_tf.supervision import isolated
from test.models import relu_model, text_model

X = np.array([[-1, 0, 2]], np.float32)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_result_is_that_of_a_conversion():
    steps: list[str] = []
    done = convert(ir.from_proto(relu_model()), "out", check=X, isolated=True, progress=steps.append)
    assert steps == ["Converting", "Writing SavedModel", "Checking SavedModel"]
    assert (done.path, done.fits, done.artifacts[0].format) == (Path("out"), True, "saved_model")
    assert done.accuracy is not None
    assert done.timings["trace"] > 0
    loaded = tf.saved_model.load("out").signatures["serving_default"]
    np.testing.assert_array_equal(loaded(tf.constant(X))["y"], np.maximum(X, 0))
    with pytest.raises(OptionError, match=r"its rep \(run was asked for\) ended with its process: load what was writ"):
        done.rep.run(X)


def test_errors_and_warnings_come_back(folder):
    declared = text_model("g (float[N, 3] x) => (float[N, 4] y) { y = Relu(x) }")
    with pytest.warns(UserWarning, match="the model declares the shape") as here:
        prepare(declared)
    declared.graph.node.add(op_type="Bogus", input=["y"], output=["z"], name="b")
    declared.graph.output.add(name="z")
    with warnings.catch_warnings(record=True) as there:
        warnings.simplefilter("always")
        with pytest.raises(UnsupportedError) as caught:
            convert(declared, "out", max_memory="8G")
    assert [node.name for node in caught.value.nodes] == ["b"]
    assert str(here[0].message) in [str(warning.message) for warning in there]
    assert os.listdir(folder) == []


def test_what_cannot_be_handed_over(folder):
    with pytest.raises(OptionError, match="data cannot be handed to another process"):
        convert(relu_model(), "out.tflite", data=lambda: iter([X]), isolated=True)
    assert os.listdir(folder) == []


def test_limits_imply_it(folder):
    with pytest.raises(
        ProcessLimitError, match=r"the conversion took \d+\.\d MB of memory, max_memory allows 60\.0 MB"
    ):
        convert(relu_model(), "out", max_memory=60_000_000)
    with pytest.raises(ProcessLimitError, match="longer than timeout allows"):
        convert(relu_model(), "out", timeout=0.2)
    assert os.listdir(folder) == []


def test_a_crash_is_an_error_here(folder, monkeypatch):
    end = "import os, sys; from onnx_tf.supervision.child import supervised; supervised(lambda: os._exit(9))"
    monkeypatch.setattr(isolated, "_WORK", end)
    with pytest.raises(
        CrashError, match=r"ended inside a library \(exit code 9\): nothing is written; its standard er"
    ):
        convert(relu_model(), "out", isolated=True)
    assert os.listdir(folder) == []


CUSTOM = 'import tensorflow as tf\nfrom onnx_tf import onnx_op\n@onnx_op("Swish", domain="acme")\ndef swish(x):\n'


@pytest.fixture
def custom():
    model = text_model("g (float[N] x) => (float[N] y) { y = Relu(x) }")
    model.graph.node[0].op_type, model.graph.node[0].domain = "Swish", "acme"
    model.opset_import.add(domain="acme", version=1)
    yield model
    registry.unregister("Swish", since=1, domain="acme")


def test_functions_of_modules_are_known(folder, custom, monkeypatch):
    (folder / "my_operators.py").write_text(f"{CUSTOM}    return x * tf.sigmoid(x)\n")
    monkeypatch.syspath_prepend(folder)
    __import__("my_operators")
    convert(custom, "out", isolated=True)
    loaded = tf.saved_model.load("out").signatures["serving_default"]
    np.testing.assert_allclose(loaded(tf.constant([1.0]))["y"], [0.731058], rtol=1e-5)


def test_functions_of_the_main_script_are_said_to_be_unknown(custom):
    def swish(x):
        return x

    swish.__module__ = "__main__"
    onnx_op("Swish", domain="acme")(swish)
    with pytest.raises(OptionError, match="put the function into a module that can be imported"):
        convert(custom, "out", isolated=True)
