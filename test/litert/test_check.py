"""The comparison of .tflite files with ONNX Runtime: what ran, what differs, interpreters that refuse, die or lack."""

from __future__ import annotations

import os

import numpy as np
import pytest

from onnx_tf import convert, own_process
from onnx_tf.check import litert, reference
from onnx_tf.check.accuracy import compare_tflite
from onnx_tf.check.expected import expected_of
from onnx_tf.check.interface import Interface
from test.models import relu_model, text_model


@pytest.fixture(scope="module")
def rep(tmp_path_factory):
    return convert(relu_model(), tmp_path_factory.mktemp("whole") / "model.tflite", check=False).rep


@pytest.fixture(scope="module")
def expected(rep):
    return expected_of(Interface.of(rep), relu_model())


def package(folder, code: str) -> str:
    """Write a package that stands before ai-edge-litert's own."""
    (folder / "ai_edge_litert").mkdir()
    (folder / "ai_edge_litert" / "__init__.py").write_text(code)
    return str(folder)


def test_what_ran_and_the_errors_of_each_way(tmp_path):
    accuracy = convert(relu_model(), tmp_path / "model.tflite").accuracy
    assert accuracy.runtime.startswith("ai-edge-litert ")
    assert accuracy.modes == {"with XNNPACK": 0.0, "without XNNPACK": 0.0}


def test_tensorflows_own_interpreter_where_no_other_is(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(package(tmp_path, "raise ImportError"))
    accuracy = convert(relu_model(), tmp_path / "model.tflite").accuracy
    assert accuracy.fits
    assert accuracy.runtime.startswith("tensorflow ")


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_a_file_that_is_none_is_a_verdict(content, rep, expected, tmp_path):
    file = tmp_path / "model.tflite"
    if content is not None:
        file.write_bytes(content)
    accuracy = compare_tflite(file, rep, expected)
    assert not accuracy.fits
    assert "with XNNPACK: LiteRT's interpreter refuses the file" in str(accuracy)


def test_an_interpreter_that_dies_is_a_verdict(rep, expected, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(package(tmp_path, "import os\nos.abort()"))
    accuracy = compare_tflite("model.tflite", rep, expected)
    assert "LiteRT's interpreter died (exit code -6)" in str(accuracy) or os.name != "posix"
    assert not accuracy.fits
    assert accuracy.runtime == ""


def test_an_interpreter_that_hangs_or_cannot_start_is_a_verdict(rep, expected, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(package(tmp_path, "import time\ntime.sleep(60)"))
    monkeypatch.setattr(own_process, "MAX_SECONDS", 1.0)
    assert "did not end within 1 s" in str(compare_tflite("model.tflite", rep, expected))
    monkeypatch.setattr(own_process.sys, "executable", str(tmp_path / "no python"))
    assert "cannot be started" in str(compare_tflite("model.tflite", rep, expected))


def test_wrong_numbers_are_found(tmp_path):
    other = text_model("g (float[N, 3] x) => (float[N, 3] y) { y = Abs(x) }")
    done = convert(other, tmp_path / "model.tflite", check=False)
    feed = {"x": np.full((2, 3), -1, np.float32)}
    accuracy = compare_tflite(done.path, done.rep, expected_of(Interface.of(done.rep), relu_model(), feed))
    assert not accuracy.fits
    assert all(error > 0.5 for error in accuracy.modes.values())


def test_a_second_batch_counts(tmp_path, monkeypatch):
    fed = []
    monkeypatch.setattr(litert.LiteRT, "runs", lambda _, feeds: fed.append(feeds) or [{"y": f["x"]} for f in feeds])
    assert convert(relu_model(), tmp_path / "model.tflite", check={"x": np.ones((2, 3), np.float32)}).fits
    assert [[feed["x"].shape for feed in feeds] for feeds in fed] == [[(2, 3), (4, 3)]] * 2


UNCHECKED = {
    "no random numbers": text_model("g (string[N] x) => (string[N] y) { y = Identity(x) }"),
    "no kernel for FlexMatrixDeterminant": text_model("g (float[2, 2] x) => (float y) { y = Det(x) }"),
}


@pytest.mark.parametrize("reason", UNCHECKED)
def test_what_cannot_be_compared_is_written_and_said(reason, tmp_path):
    done = convert(UNCHECKED[reason], tmp_path / "model.tflite", allow_flex=True)
    assert done.fits
    assert done.accuracy is None
    assert reason in done.artifacts[0].unchecked


def test_onnxs_reference_implementation_where_onnx_runtime_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(reference, "has_onnx_runtime", lambda: False)
    for check in (None, True):
        accuracy = convert(relu_model(), tmp_path / "a.tflite", check=check).accuracy
        assert accuracy.fits
        assert accuracy.reference.startswith("onnx.reference ")
        assert len(accuracy.fed) == 3
