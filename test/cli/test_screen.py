"""What people see: usage, advice, quiet and verbose runs, colours, completion, examples of --help."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest

from onnx_tf.cli import main
from onnx_tf.cli.main import COMMAND_LINES
from test.cli.test_cli import ROOT
from test.models import relu_model
from test.test_docs import image_network


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.onnx").write_bytes(relu_model().SerializeToString())
    np.save("x.npy", np.zeros((2, 3), np.float32))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "usage", "message"),
    [
        (["cnvert", "x"], "onnx-tf ", "onnx-tf: there is no command 'cnvert' (did you mean 'convert'?)"),
        (["model.onnx"], "onnx-tf ", "onnx-tf: say what to do with model.onnx, as in: onnx-tf info model.onnx"),
        (["info", "m", "--jsn"], "onnx-tf info", "onnx-tf info: there is no option --jsn (did you mean '--json'?)"),
        (["convert", "m", "--chekc"], "onnx-tf convert", "there is no option --chekc (did you mean '--check'?)"),
        (["info", "a", "b"], "onnx-tf info", "onnx-tf info: b is one argument too many"),
        (["convert", "-o", "out"], "onnx-tf convert", "onnx-tf convert: give the model once"),
    ],
)
def test_wrong_usage_shows_that_of_the_command_and_what_was_meant(arguments, usage, message, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    text = capsys.readouterr().err
    assert text.startswith(f"usage: {usage}")
    assert message in text.splitlines()[-1]


def test_names_of_operators_and_formats(capsys):
    assert main(["ops", "Sofmax"]) == 2
    assert "no operator is called 'Sofmax' (did you mean 'Softmax'?)" in capsys.readouterr().err
    assert main(["convert", "model.onnx", "-o", "out", "--formats", "tflight"]) == 2
    assert "--formats tflight: choose some of" in (text := capsys.readouterr().err)
    assert "did you mean 'tflite'?" in text


def test_quiet(capsys):
    assert main(["convert", "model.onnx", "-o", "out", "--quiet"]) == 0
    assert main(["run", "model.onnx", "--input", "x.npy", "-o", "y.npy", "-q"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["run", "model.onnx", "--input", "x.npy", "-q"]) == 0
    assert capsys.readouterr().out.startswith("y: float32[2, 3]")


def test_verbose(capsys):
    assert main(["convert", "model.onnx", "-o", "out", "--verbose"]) == 0
    printed = capsys.readouterr()
    assert re.search(r"^ +\d+\.\d\d s  Converting$", printed.err, re.MULTILINE)
    assert " s  infer shapes" in printed.out
    assert main(["info", "none.onnx", "-v"]) == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMAND_LINES)
def test_the_examples_of_help_run(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = capsys.readouterr().out
    onnx.save(image_network(), "model.onnx")
    np.save("x.npy", np.zeros((1, 3, 32, 32), np.float32))
    if command == "check":
        assert main(["convert", "model.onnx", "-o", "saved_model", "--quiet"]) == 0
    for line in COMMAND_LINES[command]:
        assert line in text
        program, *arguments = shlex.split(line)
        assert program == "onnx-tf"
        if "keras" not in line:  # a second conversion of the same: the documents' snippets have it
            assert main(arguments) == (1 if command == "bisect" else 0), line  # of a model that is right


if shutil.which("bash"):

    def completed(words: str) -> list[str]:
        script = f"""
            eval "$({sys.executable} -m onnx_tf completion bash)"
            COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
            _onnx_tf
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        environment = os.environ | {"PYTHONPATH": ROOT}
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=environment, check=True)
        return done.stdout.split()

    def test_completion_in_bash():
        assert completed("onnx-tf co") == ["convert", "completion"]
        assert completed("onnx-tf convert --ch") == ["--check", "--channels-last-inputs", "--channels-last-outputs"]
        assert completed("onnx-tf info mod") == ["model.onnx"]


@pytest.mark.parametrize(("shell", "says"), [("zsh", "bashcompinit"), ("fish", "-l channels-last-inputs")])
def test_completion_of_other_shells(shell, says, capsys):
    assert main(["completion", shell]) == 0
    assert says in capsys.readouterr().out


if os.name == "posix":

    @pytest.mark.parametrize("setting", [{}, {"NO_COLOR": "1"}], ids=["colours", "none"])
    def test_colours(setting, folder):
        import pty

        ours, theirs = pty.openpty()
        environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        process = subprocess.Popen(
            [sys.executable, "-m", "onnx_tf", "layout", "model.onnx"],
            cwd=folder,
            env=environment | {"PYTHONPATH": ROOT, "TERM": "xterm-256color"} | setting,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        )
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while piece := os.read(ours, 4096):
                shown += piece
        os.close(ours)
        assert process.wait(60) == 0
        assert b"Converting" in shown
        assert bool(re.search(rb"\x1b\[[0-9;]*3[0-9][0-9;]*m", shown)) == (not setting)
