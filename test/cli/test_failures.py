"""Whatever a user can provoke ends in one line: exit code 1 for a model, 2 for wrong usage, never a traceback."""

from __future__ import annotations

import io
import json
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from onnx_tf import ExportError, InputError, OptionError, WriteError, convert, prepare
from onnx_tf.cli import main
from test.models import relu_model, text_model

X = np.array([[-1, 0, 2], [3, -4, 5]], np.float32)
CONVERT, RUN = ["convert", "model.onnx", "-o", "out"], ["run", "model.onnx", "--input", "x.npy"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.onnx").write_bytes(relu_model().SerializeToString())
    np.save("x.npy", X)
    return tmp_path


def no_zip():
    Path("x.npz").write_bytes(b"PK\3\4 and nothing more")


def damaged_zip():
    np.savez("x.npz", x=np.zeros(1000))
    content = bytearray(Path("x.npz").read_bytes())
    content[200:300] = b"?" * 100
    Path("x.npz").write_bytes(content)


def pickled():
    np.save("x.npz", np.array([{}, None], object))
    os.replace("x.npz.npy", "x.npz")


def zip_of_text():
    with zipfile.ZipFile("x.npz", "w") as archive:
        archive.writestr("notes.txt", "mine")


def cut_array():
    Path("x.npz").write_bytes(Path("x.npy").read_bytes()[:-4])


@pytest.mark.parametrize("make", [no_zip, damaged_zip, pickled, zip_of_text, cut_array])
def test_files_that_are_no_arrays(make, capsys):
    make()
    expected = {pickled: "x.npz holds Python objects"}
    assert main(["run", "model.onnx", "--input", "x.npz"]) == 2
    check_one_line(capsys, expected.get(make, "the input file x.npz is not a .npy or .npz file of plain arrays"))


@pytest.mark.parametrize("path", ["none.npy", ".", "x.npy/below.npy"])
def test_files_that_cannot_be_read(path, capsys):
    assert main(["run", "model.onnx", "--input", path]) == 2
    check_one_line(capsys, f"the input file {path} {'does not exist' if path == 'none.npy' else 'cannot be read: '}")


def check_one_line(capsys, *texts: str) -> str:
    printed = capsys.readouterr()
    assert printed.err.startswith("onnx-tf")
    assert printed.err.count("\n") == 1
    for text in texts:
        assert text in printed.err
    return printed.out


PLACES = {
    "below a file": "model.onnx/new.{}",
    "a long name": "n" * 300 + ".{}",
    "in a folder that is a file": "x.npy/a/b.{}",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("command", ["convert", "run", "layout"])
def test_paths_that_cannot_be_written(command, place, folder, capsys):
    before = sorted(os.listdir(folder))
    target = PLACES[place].format({"convert": "d", "run": "npz", "layout": "html"}[command])
    arguments = {
        "convert": ["convert", "model.onnx", "-o", target],
        "run": [*RUN, "--output", target],
        "layout": ["layout", "model.onnx", "--html", target],
    }[command]
    assert main([*arguments, "--json"]) == 2
    report = json.loads(check_one_line(capsys, f"{target} cannot be written: "))
    assert report["error"]["type"] == "WriteError"
    assert sorted(os.listdir(folder)) == before


@pytest.mark.parametrize("name", ["out.npz", "out.npy"])
def test_an_output_that_is_a_folder(name, capsys):
    os.mkdir(name)
    assert main([*RUN, "--output", name]) == 2
    check_one_line(capsys, f"{name} is a folder: a file is to be written; choose another path")


FAILURES = {
    "no access": lambda: PermissionError(13, "Permission denied"),
    "no space": lambda: OSError(28, "No space left on device"),
    "no space in TensorFlow": lambda: tf.errors.ResourceExhaustedError(None, None, "variables; No space left"),
    "no access in TensorFlow": lambda: tf.errors.PermissionDeniedError(None, None, "variables; Permission denied"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_disk_that_refuses(failure, folder, monkeypatch, capsys):
    def fail(*_args, **_kwargs):
        raise FAILURES[failure]()

    monkeypatch.setattr(tf.saved_model, "save", fail)
    before = sorted(os.listdir(folder))
    assert main(CONVERT) == (2 if failure == "no access" else 1)
    check_one_line(capsys, "out cannot be written: ", str(FAILURES[failure]()).split("] ")[-1].split(";")[-1].strip())
    assert sorted(os.listdir(folder)) == before
    with pytest.raises(WriteError) as caught:
        convert("model.onnx", "out")
    assert isinstance(caught.value, (OSError, ExportError))


OPTIONS = {
    "inputs": ["--channels-last-inputs", "nope"],
    "outputs": ["--channels-last-outputs", "nope"],
    "rank": ["--channels-last-inputs", "x"],
}


@pytest.mark.parametrize("command", [CONVERT, RUN, ["layout", "model.onnx"]], ids=lambda c: c[0])
@pytest.mark.parametrize("what", OPTIONS)
def test_names_that_do_not_fit_the_model(command, what, capsys):
    assert main([*command, *OPTIONS[what], "--json"]) == 2
    report = json.loads(check_one_line(capsys, "--channels-last-"))
    assert report["error"]["type"] == "EditError"


CALLS: dict[str, Callable[[], object]] = {
    "layout": lambda: prepare("model.onnx", layout="other"),  # type: ignore[arg-type]
    "device": lambda: prepare("model.onnx", "TPU"),
    "index": lambda: prepare("model.onnx", "GPU:x"),
    "name": lambda: prepare("model.onnx", channels_last_inputs=["nope"]),
}


@pytest.mark.parametrize("what", CALLS)
def test_options_in_python(what):
    with pytest.raises(OptionError) as caught:
        CALLS[what]()
    assert isinstance(caught.value, ValueError)


def test_json_names_the_node(folder, capsys):
    model = text_model("g (float[A] x, float[B] z) => (float[C] y) { y = Add(x, z) }")
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    np.savez("both.npz", x=np.ones(2, np.float32), z=np.ones(3, np.float32))
    assert main(["run", "model.onnx", "--input", "both.npz", "--json"]) == 1
    error = json.loads(check_one_line(capsys, "node 'Add_0'"))["error"]
    assert error.pop("message").endswith("Incompatible shapes: [2] vs. [3]")
    given = {"x": "float32[2]", "z": "float32[3]"}
    assert error.pop("advice")
    assert error.pop("code") == "run-failed"
    assert error == {"type": "RunError", "node": "Add_0", "op": "Add", "domain": "", "version": 17, "inputs": given}

    model = text_model("g (float[2] x, float[3] z) => (float[c] y) { y = Add(x, z) }")
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    for command in (CONVERT, ["run", "model.onnx", "--input", "both.npz"]):
        assert main([*command, "--json"]) == 1
        error = json.loads(capsys.readouterr().out)["error"]
        assert error["type"] == "ConversionError"
        assert (error["step"], error["node"]) == ("trace", "Add_0")
        assert error["inputs"] == {"x": "float32[2]", "z": "float32[3]"}


def test_wrong_usage_in_json(capsys):
    assert main([*RUN, "--output", "y.txt", "--json"]) == 2
    assert json.loads(check_one_line(capsys, "onnx-tf run: --output y.txt"))["error"]["type"] == "UsageError"


RAGGED = """g (float[3] x) => (seq(float[n]) s, float[3] file) <int64[2] parts = {1, 2}> {
    s = SplitToSequence <axis = 0> (x, parts)
    file = Relu(x)
}"""


def test_outputs_of_every_kind_are_saved(folder, capsys):
    (folder / "model.onnx").write_bytes(text_model(RAGGED).SerializeToString())
    np.save("x.npy", X[1])
    assert main([*RUN, "--output", "y.npz"]) == 0
    saved = np.load("y.npz")
    assert {name: saved[name].tolist() for name in saved.files} == {"s_0": [3], "s_1": [-4, 5], "file": [3, 0, 5]}

    text = text_model("g (string[n] x) => (string[n] y) { y = Identity(x) }")
    (folder / "model.onnx").write_bytes(text.SerializeToString())
    np.save("x.npy", np.array(["a", "ü"]))
    assert main([*RUN, "--output", "y.npy"]) == 0
    assert np.load("y.npy").tolist() == ["a", "ü"]
    capsys.readouterr()


def test_a_sequence_is_no_single_array(folder, capsys):
    one = RAGGED.replace(", float[3] file", "").replace("file = Relu(x)", "")
    (folder / "model.onnx").write_bytes(text_model(one).SerializeToString())
    np.save("x.npy", X[1])
    assert main([*RUN, "--output", "y.npy"]) == 2
    check_one_line(capsys, "y.npy", "save them as .npz")
    assert not Path("y.npy").exists()


def test_names_that_the_terminal_cannot_show(folder, monkeypatch):
    model = text_model("g (float[N, 3] x) => (float[N, 3] y) { y = Relu(x) }")
    model.graph.node[0].output[0] = model.graph.output[0].name = "入力"
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    screen = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", screen)
    assert main(RUN) == 0
    screen.seek(0)
    assert screen.read().startswith(r"\u5165\u529b: float32[2, 3]")


def test_what_run_takes_is_an_input_error():
    with pytest.raises(InputError):
        prepare("model.onnx").run(X, z=X)


if os.path.exists("/dev/full"):

    @pytest.mark.parametrize("name", ["y.npy", "y.npz", "y.html"])
    def test_a_full_disk(name, capsys):
        os.symlink("/dev/full", name)
        command = ["layout", "model.onnx", "--html", name] if name == "y.html" else [*RUN, "--output", name]
        assert main(command) == 1
        check_one_line(capsys, f"{name} cannot be written: No space left on device")


def test_an_edit_that_does_not_fit_names_its_step(capsys):
    assert main(["info", "model.onnx", "--output-names", "nope", "--json"]) == 2
    report = json.loads(check_one_line(capsys, "--output-names: 'nope' is unknown"))
    assert report["error"]["step"] == "edit"


def test_inputs_without_a_check(capsys):
    assert main(["convert", "model.onnx", "-o", "out", "--no-check", "--input", "x.npy"]) == 2
    check_one_line(capsys, "--input is what the check compares with: leave out --no-check")


@pytest.mark.parametrize("name", ["x.tflit", "x.kears", "x.onnx"])
def test_a_folder_is_not_called_as_a_file(name, capsys):
    assert main(["convert", "model.onnx", "-o", name]) == 2
    assert f"{name} would be the folder of a SavedModel" in capsys.readouterr().err
    assert not Path(name).exists()
    assert main(["convert", "model.onnx", "-o", "v1.2", "--quiet"]) == 0
