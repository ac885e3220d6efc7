"""``onnx-tf convert`` to .tflite files, as users call it: the screen, the summary, failures and interrupts."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from onnx_tf import WriteError, convert
from onnx_tf.cli import main
from onnx_tf.export import tflite
from test.cli.test_cli import ROOT, command
from test.models import relu_model, text_model

CONVERT = ["convert", "model.onnx", "-o", "model.tflite"]
STRINGS = "g (string[N] a, string[N] b) => (string[N] y) { y = StringConcat(a, b) }"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.onnx").write_bytes(relu_model().SerializeToString())
    return tmp_path


def test_nothing_but_the_result_is_printed(folder):
    done = command(*CONVERT, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("model.tflite: .tflite, ")
    assert lines[1] == "  1 operator, 0 of them Transposes"
    assert re.fullmatch(
        r"  compared with ONNX Runtime .* on 3 inputs: x: float32\[2, 3\]; x: float32\[3, 3\]", lines[2]
    )
    assert lines[3].startswith("  in ai-edge-litert ")
    assert lines[3].endswith(": largest error with XNNPACK 0.0e+00 of its scale, without XNNPACK 0.0e+00 of its scale")
    assert lines[4:-1] == ["  y: equal: ok"]


def test_what_is_refused_is_told_once(folder):
    (folder / "model.onnx").write_bytes(text_model(STRINGS, opset=20, ir_version=9).SerializeToString())
    done = command(*CONVERT, cwd=folder)
    assert (done.returncode, done.stdout) == (1, "")
    first, second = done.stderr.splitlines()
    assert first == "onnx-tf: 1 node cannot be converted:"
    assert second.startswith(
        "  node 'StringConcat_0': ai.onnx.StringConcat (opset 20): tf.Add has no kernel of string in LiteRT"
    )
    assert os.listdir(folder) == ["model.onnx"]


def test_warnings_of_python_are_shown(folder):
    model = text_model("g (float[N, 3] x) => (float[N, 4] y) { y = Relu(x) }")
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    done = command(*CONVERT, "--no-check", cwd=folder)
    assert done.returncode == 0
    assert "onnx-tf: warning: the model declares the shape" in done.stderr


def test_json(capsys):
    assert main([*CONVERT, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["format"] == "tflite"
    assert summary["operators"] == {"RELU": 1}
    assert summary["unchecked"] == ""
    assert summary["check"]["runtime"].startswith("ai-edge-litert ")
    assert summary["check"]["modes"] == {"with XNNPACK": 0.0, "without XNNPACK": 0.0}


def test_what_is_not_checked_says_why(folder, capsys):
    text = text_model("g (string[N] x) => (string[N] y) { y = Identity(x) }")
    (folder / "model.onnx").write_bytes(text.SerializeToString())
    assert main(CONVERT) == 0
    assert "  not checked: no random numbers can stand for input 'x'" in capsys.readouterr().out
    assert main([*CONVERT, "--check"]) == 2
    assert "no random numbers" in capsys.readouterr().err
    np.save("x.npy", np.array(["a", "ü"]))
    assert main([*CONVERT, "--input", "x.npy"]) == 0
    assert "y: equal: ok" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["-o", "out", "--tflite", "float16"], "--tflite float16 is for .tflite files"),
        (["-o", "a.tflite", "--formats", "tflite"], "a.tflite is a file"),
        (["-o", "a.TFLITE", "--tflite", "float32,float16"], "a.TFLITE is one file"),
        (["-o", "a.tflite", "--tflite", "int4"], "choose some of 'float32', 'float16'"),
        (["-o", "model.onnx/a.tflite"], "model.onnx/a.tflite cannot be written: "),
        (["-o", "n" * 300 + ".tflite"], "cannot be written: File name too long"),
        (["-o", "new/a.tflite", "--input-names", "nope"], "'nope' is unknown"),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_nothing(arguments, text, folder, capsys):
    assert main(["convert", "model.onnx", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("onnx-tf: ")
    assert error.count("\n") == 1
    assert text in error
    assert os.listdir(folder) == ["model.onnx"]


def test_no_overwrite(capsys):
    Path("model.tflite").write_text("kept")
    assert main([*CONVERT, "--no-overwrite"]) == 2
    assert "model.tflite exists already: choose another path or drop --no-overwrite" in capsys.readouterr().err
    assert Path("model.tflite").read_text() == "kept"


@pytest.mark.parametrize("when", ["temporary file", "content", "replacement"])
def test_a_disk_that_refuses(when, folder, monkeypatch):
    place = {"temporary file": (Path, "touch"), "content": (Path, "write_bytes"), "replacement": (os, "replace")}
    original = getattr(*place[when])

    def fail(*arguments, **settings):
        names = [str(path) for path in arguments if isinstance(path, (str, Path))]
        if when != "temporary file" and ".tflite" not in names[-1]:  # of the temporary SavedModel
            return original(*arguments, **settings)
        raise OSError(28, "No space left on device")

    before = Path("model.onnx").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(*place[when], fail)
        with pytest.raises(WriteError, match=r"model\.tflite cannot be written: No space left on device"):
            convert(before, "new/folder/model.tflite", check=False)
    assert os.listdir(folder) == ["model.onnx"]


def test_errors_of_other_files_are_not_taken_for_the_targets(folder, monkeypatch):
    def fail(*_args, **_kwargs):
        raise FileNotFoundError(2, "gone", "weights.bin")

    monkeypatch.setattr("onnx_tf.artifacts.tflite_files", fail)
    with pytest.raises(FileNotFoundError, match=r"weights\.bin"):
        convert("model.onnx", "model.tflite")
    assert os.listdir(folder) == ["model.onnx"]


@pytest.mark.parametrize("place", ["converter", "check"])
def test_an_interrupt_leaves_nothing(place, folder, monkeypatch, capsys):
    def interrupt(*_args, **_kwargs):
        raise KeyboardInterrupt

    temporary = folder / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    if place == "converter":
        monkeypatch.setattr(tflite, "finished", interrupt)
    else:
        monkeypatch.setattr(subprocess, "run", interrupt)
    assert main(["convert", "model.onnx", "-o", "new", "--formats", "tflite"]) == 130
    assert capsys.readouterr().err == "onnx-tf: interrupted\n"
    assert sorted(os.listdir(folder)) == ["model.onnx", "temporary"]
    assert not os.listdir(temporary)


if os.name == "posix":

    def test_progress_on_a_terminal(folder):
        import pty

        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "onnx_tf", *CONVERT],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": ROOT, "TERM": "xterm", "COLUMNS": "100"},
            stdout=subprocess.PIPE,
            stderr=theirs,
        )
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while piece := os.read(ours, 4096):
                shown += piece
        output, _ = process.communicate(timeout=60)
        os.close(ours)
        assert process.returncode == 0
        assert output.decode().startswith("model.tflite: .tflite, ")
        for step in ("Starting TensorFlow", "Writing .tflite (float32)", "Checking .tflite (float32)"):
            assert step in shown.decode()

    def test_a_signal_while_it_converts(folder):
        inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(
            [sys.executable, "-m", "onnx_tf", *CONVERT],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": ROOT},
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        signal.signal(signal.SIGINT, inherited)
        while process.poll() is None and not [name for name in os.listdir(folder) if name.startswith(".model")]:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
        assert (process.returncode, output, errors) == (130, "", "onnx-tf: interrupted\n")
        assert os.listdir(folder) == ["model.onnx"]
