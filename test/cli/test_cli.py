from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import helper

from onnx_tf.cli import main
from onnx_tf.telling import size
from test.models import node_model, relu_model, text_model

X = np.array([[-1, 0, 2], [3, -4, 5]], np.float32)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.onnx").write_bytes(relu_model().SerializeToString())
    np.save("x.npy", X)
    return tmp_path


def command(*arguments: str, **settings) -> subprocess.CompletedProcess:
    """Run onnx-tf as a user does, without what the test process set."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TF_")}
    return subprocess.run(
        [sys.executable, "-m", "onnx_tf", *arguments],
        capture_output=True,
        text=True,
        env=environment | {"PYTHONPATH": os.getcwd() if "cwd" not in settings else ROOT},
        timeout=300,
        **settings,
    )


ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


@pytest.mark.parametrize("arguments", [["--help"], ["convert", "--help"], ["run", "-h"], ["--version"], ["convert"]])
def test_help_and_usage_import_neither_tensorflow_nor_onnx(arguments):
    code = f"""
import sys, onnx_tf.cli
try:
    onnx_tf.cli.main({arguments!r})
except SystemExit as end:
    code = end.code
assert not {{"tensorflow", "onnx", "numpy", "rich"}} & set(sys.modules)
sys.exit(code)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == (2 if arguments == ["convert"] else 0), done.stderr


@pytest.mark.parametrize(
    "code", ["import onnx_tf", "import onnx_tf.cli", "from onnx_tf.cli import main; main(['--help'])"]
)
def test_nothing_is_imported_but_this_package(code):
    script = """
import sys
there = set(sys.modules)
try:
    exec(sys.argv[1])
except SystemExit:
    pass
roots = {name.partition(".")[0] for name in set(sys.modules) - there}
print(*sorted(roots - sys.stdlib_module_names), file=sys.stderr)
"""
    command = [sys.executable, "-c", script, code]
    environment = os.environ | {"PYTHONPATH": ROOT}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stderr.split() == ["onnx_tf"]


def test_a_conversion_imports_what_it_uses_alone(folder):
    code = """
import sys
from onnx_tf import convert
convert("model.onnx", "out", check=False)
print(*sorted({"tensorflow_probability", "tf_keras", "onnxruntime", "ai_edge_litert"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": ROOT},
    )
    assert done.stdout.split() == []


def test_nothing_but_the_result_is_printed(folder):
    done = command("convert", "model.onnx", "-o", "out", "--check", cwd=folder)
    assert done.returncode == 0
    assert done.stderr == ""
    first, second, third, seconds = done.stdout.splitlines()
    assert first.startswith("out: SavedModel, ")
    assert re.fullmatch(
        r"  compared with ONNX Runtime [\d.]+ on 3 inputs: x: float32\[2, 3\]; x: float32\[3, 3\]", second
    )
    assert third == "  y: equal: ok"
    total, *parts = map(float, re.findall(r"(\d+\.\d) s", seconds))
    assert total == pytest.approx(sum(parts), abs=0.06 * len(parts))
    assert [part.rsplit(" ", 2)[0].split()[-1] for part in seconds.split(", ")][-1] == "checks"


@pytest.mark.parametrize("options", [[], ["--freeze"]])
def test_what_serves_faster_is_said_of_variables(folder, options):
    text = """<ir_version: 8, opset_import: ["": 17]> g (float[n, 2] x) => (float[n, 8] y)
    <float[2, 8] w = {1, 2, 3, 4, 5, 6, 7, 8, 8, 7, 6, 5, 4, 3, 2, 1}> { y = MatMul (x, w) }"""
    onnx.save(onnx.parser.parse_model(text), folder / "weights.onnx")
    done = command("convert", "weights.onnx", "-o", "out", "--no-check", *options, cwd=folder)
    assert done.returncode == 0
    assert ("--freeze is faster" in done.stdout) is not bool(options)


def test_an_error_is_one_line(folder):
    (folder / "cut.onnx").write_bytes(relu_model().SerializeToString()[:-5])
    done = command("convert", "cut.onnx", "-o", "out", cwd=folder)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("onnx-tf: cut.onnx: not an ONNX model, or cut short")
    assert done.stderr.count("\n") == 1
    assert sorted(os.listdir(folder)) == ["cut.onnx", "model.onnx", "x.npy"]


if os.name == "posix":  # other platforms have no signals

    def test_interrupt_is_clean(folder):
        # What a shell starts in the background ignores the signal, and would hand that on.
        inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(
            [sys.executable, "-m", "onnx_tf", "convert", "model.onnx", "-o", "out"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": ROOT},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        signal.signal(signal.SIGINT, inherited)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.5)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 130
        assert (output, errors) == ("", "onnx-tf: interrupted\n")
        assert sorted(os.listdir(folder)) == ["model.onnx", "x.npy"]


class TestConvert:
    @pytest.mark.parametrize(
        "arguments",
        [["model.onnx", "-o", "out"], ["-i", "model.onnx", "-o", "out"], ["--infile", "model.onnx", "--outdir", "out"]],
    )
    def test_ways_to_say_it(self, capsys, arguments):
        assert main(["convert", *arguments]) == 0
        assert capsys.readouterr().out.startswith("out: SavedModel")
        y = tf.saved_model.load("out").signatures["serving_default"](tf.constant(X))["y"]
        np.testing.assert_array_equal(y, np.maximum(X, 0))

    def test_json(self, capsys):
        assert main(["convert", "model.onnx", "-o", "out", "--json", "--check"]) == 0
        summary = json.loads(capsys.readouterr().out)
        assert summary["path"] == "out"
        assert summary["bytes"] > 1000
        assert summary["inputs"] == [{"name": "x", "dtype": "float32", "shape": ["N", 3]}]
        assert summary["channels_last_inputs"] == summary["channels_last_outputs"] == []
        check = summary["check"]
        assert check["fits"]
        assert check["reference"].startswith("ONNX Runtime ")
        assert [inputs["x"] for inputs in check["inputs"]] == ["float32[2, 3]", "float32[3, 3]", "float32[2, 3]"]
        (y,) = check["outputs"]
        measures = y.pop("measures")
        known: dict[str, object] = {"reason": "", "at": "", "fits": True, "random": False, "unstable": 0, "known": []}
        assert y == {"name": "y", "error": 0.0, "tolerance": 1e-3} | known
        equal = {"absolute": 0.0, "relative": 0.0, "agreement": 1.0, "not_finite": 0}
        assert measures == equal | {"cosine": pytest.approx(1.0)}

    def test_check_with_inputs_of_ones_own(self, capsys):
        assert main(["convert", "model.onnx", "-o", "out", "--check", "--input", "x.npy"]) == 0
        assert "ok" in capsys.readouterr().out

    def test_a_difference_is_an_error(self, capsys, monkeypatch):
        from onnx_tf.check import reference

        monkeypatch.setattr(reference.OnnxRuntime, "run", lambda *_: {"y": np.ones((1, 3), np.float32)})
        assert main(["convert", "model.onnx", "-o", "out", "--check"]) == 1
        assert "DIFFERS" in capsys.readouterr().out

    def test_channels_last_interfaces_are_checked_too(self, folder, capsys):
        model = text_model("g (float[N, 2, 5, 4] x) => (float[N, 2, 5, 4] y) { y = LRN <size = 3> (x) }")
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        sides = ["--channels-last-inputs", "x", "--channels-last-outputs", "all"]
        assert main(["convert", "model.onnx", "-o", "out", "--check", *sides]) == 0
        text = capsys.readouterr().out
        assert ": ok\n" in text
        assert "inputs that are N, spatial..., C now: x\n  outputs that are N, spatial..., C now: y\n" in text
        signature = tf.saved_model.load("out").signatures["serving_default"]
        assert signature.structured_input_signature[1]["x"].shape == (None, 5, 4, 2)
        assert signature.structured_outputs["y"].shape == (None, 5, 4, 2)

    def test_options_reach_the_conversion(self):
        assert main(["convert", "model.onnx", "-o", "out", "--freeze", "--layout", "keep"]) == 0
        assert main(["convert", "model.onnx", "-o", "out", "--no-overwrite"]) == 2

    @pytest.mark.parametrize(
        "arguments",
        [
            ["model.onnx"],
            ["-o", "out"],
            ["a", "-i", "b", "-o", "out"],
            ["a", "-o", "out", "--layout", "other"],
            ["--what"],
        ],
    )
    def test_wrong_usage(self, arguments, capsys):
        with pytest.raises(SystemExit) as end:
            main(["convert", *arguments])
        assert end.value.code == 2
        assert "onnx-tf" in capsys.readouterr().err

    def test_unsupported_nodes_in_json(self, folder, capsys):
        nodes = [helper.make_node("Thing", ["x"], [f"y{i}"], name=f"n{i}", domain="acme") for i in range(5)]
        model = node_model(nodes, {"x": [1]}, [f"y{i}" for i in range(5)])
        model.opset_import.add(domain="acme", version=1)
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        assert main(["convert", "model.onnx", "-o", "out", "--json"]) == 1
        printed = capsys.readouterr()
        report = json.loads(printed.out)
        assert report["error"]["type"] == "UnsupportedError"
        assert [node["name"] for node in report["error"]["nodes"]] == [f"n{i}" for i in range(5)]
        assert report["error"]["node"] == "n0"
        for i in range(5):
            assert f"'n{i}'" in printed.err

    def test_a_taken_path(self, capsys):
        assert main(["convert", "model.onnx", "-o", "x.npy"]) == 2
        assert "is a file" in capsys.readouterr().err


class TestRun:
    def test_prints(self, capsys):
        assert main(["run", "model.onnx", "--input", "x.npy"]) == 0
        assert capsys.readouterr().out == "y: float32[2, 3]\n[[0. 0. 2.]\n [3. 0. 5.]]\n"

    def test_by_name_and_json(self, capsys):
        assert main(["run", "model.onnx", "--input", "x=x.npy", "--json"]) == 0
        y = json.loads(capsys.readouterr().out)["outputs"]["y"]
        assert y == {"dtype": "float32", "shape": [2, 3], "values": [[0, 0, 2], [3, 0, 5]]}

    @pytest.mark.parametrize("name", ["y.npy", "y.npz"])
    def test_saves(self, capsys, name):
        assert main(["run", "model.onnx", "--input", "x.npy", "--output", name]) == 0
        assert capsys.readouterr().out == "y: float32[2, 3]\n"
        loaded = np.load(name)
        np.testing.assert_array_equal(loaded if name == "y.npy" else loaded["y"], np.maximum(X, 0))

    def test_wrong_usage(self, capsys):
        for arguments in (
            ["--output", "y.txt"],
            ["--input", "z=x.npy"],
            ["--input", "model.onnx"],
            ["--input", "x.npy"] * 2,
        ):
            assert main(["run", "model.onnx", *arguments]) == 2
            assert capsys.readouterr().err.count("\n") == 1

    def test_what_does_not_fit(self, capsys):
        np.save("x.npy", X.astype(np.float64))
        for arguments in (["--input", "x.npy"], [], ["--input", "none.npy"]):
            assert main(["run", "model.onnx", *arguments]) == 2
            printed = capsys.readouterr()
            assert printed.err.startswith("onnx-tf: ")
            assert printed.err.count("\n") == 1

    def test_an_error_of_tensorflow_while_running(self, folder, capsys):
        model = text_model("g (float[A] x, float[B] z) => (float[C] y) { y = Add(x, z) }")
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        np.save("x.npy", np.ones(2, np.float32))
        np.save("z.npy", np.ones(3, np.float32))
        assert main(["run", "model.onnx", "--input", "x.npy", "--input", "z.npy"]) == 1
        text = capsys.readouterr().err
        given = "with inputs [x: float32[2], z: float32[3]]"
        assert text == f"onnx-tf: node 'Add_0' (ai.onnx.Add, opset 17) {given}: Incompatible shapes: [2] vs. [3]\n"


class TestInfo:
    def test_text(self, capsys):
        assert main(["info", "model.onnx"]) == 0
        text = capsys.readouterr().out
        for line in (
            "ir version: 8",
            "opsets: ai.onnx 17",
            "nodes: 1",
            "  x: float32[N, 3]",
            "    1 Relu",
            "  nothing",
        ):
            assert line in text

    def test_json(self, folder, capsys):
        nodes = [
            helper.make_node("Thing", ["x"], ["y"], name="n", domain="acme"),
            helper.make_node("Relu", ["y"], ["z"]),
        ]
        model = node_model(nodes, {"x": [1]}, ["z"], {"unused": np.ones(5, np.float32)})
        model.opset_import.add(domain="acme", version=3)
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        assert main(["info", "model.onnx", "--json"]) == 1
        description = json.loads(capsys.readouterr().out)
        assert description["opsets"] == {"ai.onnx": 17, "acme": 3}
        assert description["operators"] == {"acme.Thing": 1, "Relu": 1}
        assert description["parameters"] == 5
        assert description["weights"] == 20
        assert [node["op_type"] for node in description["unsupported"]] == ["Thing"]


def test_layout(capsys):
    assert main(["layout", "model.onnx"]) == 0
    assert capsys.readouterr().out.startswith("no Transposes are left of 0; no nodes compute channels-last")
    assert main(["layout", "model.onnx", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["transposes"] == []
    assert main(["layout", "model.onnx", "--html", "layout.html"]) == 0
    assert "Relu</text>" in Path("layout.html").read_text()


def test_ops(capsys):
    assert main(["ops", "Softm*"]) == 0
    assert "Softmax" in capsys.readouterr().out
    assert main(["ops", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert len(table) > 200
    assert not [op for op in table if op["domain"].startswith("onnx_tf")]
    assert main(["ops", "--markdown"]) == 0
    assert capsys.readouterr().out.startswith("# Supported operators")


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2e6, "2.0 MB"), (3.2e10, "32.0 GB")]
)
def test_sizes(count, text):
    assert size(count) == text


IMAGES = "g (float[N, 3, H, W] x, float[N, 3, 1, 1] b:0) => (float[N, 3, H, W] y) { a = Relu(x) y = Add(a, b) }"


@pytest.fixture
def images(folder):
    model = text_model(IMAGES.replace("b:0", "b"))
    for value in (model.graph.input[1].name, model.graph.node[1].input[1]):
        assert value == "b"
    model.graph.input[1].name = model.graph.node[1].input[1] = "b:0"
    (folder / "images.onnx").write_bytes(model.SerializeToString())
    rng = np.random.default_rng(0)
    np.save("i.npy", rng.normal(size=(2, 3, 4, 5)).astype(np.float32))
    np.save("b.npy", rng.normal(size=(2, 3, 1, 1)).astype(np.float32))
    return "images.onnx"


class TestEdits:
    def test_convert_fixes_shapes(self, images, capsys):
        arguments = ["--input-shape", "x:-1,3,4,5", "--batch-size", "2", "--input-shape", "b:0:?,3,1,1"]
        given = ["--input", "x=i.npy", "--input", "b:0=b.npy"]
        assert main(["convert", images, "-o", "out", "--check", *arguments, *given]) == 0
        assert ": ok\n" in capsys.readouterr().out
        signature = tf.saved_model.load("out").signatures["serving_default"]
        assert signature.structured_outputs["y"].shape == (2, 3, 4, 5)

    @pytest.mark.parametrize("names", [["--input-names", "a,b:0"], ["--input-names", "a", "--input-names", "b:0"]])
    def test_convert_cuts(self, images, capsys, names):
        assert main(["convert", images, "-o", "out", "--check", *names, "--json"]) == 0
        summary = json.loads(capsys.readouterr().out)
        assert [given["name"] for given in summary["inputs"]] == ["a", "b:0"]
        assert summary["check"]["fits"]

    def test_run(self, images):
        assert main(["run", images, "--output-names", "a", "--input", "i.npy", "--output", "a.npy"]) == 0
        np.testing.assert_array_equal(np.load("a.npy"), np.maximum(np.load("i.npy"), 0))
        given = ["--input", "a=a.npy", "--input", "b:0=b.npy", "--output", "y.npy", "--batch-size", "2"]
        assert main(["run", images, "--input-names", "a,b:0", *given]) == 0
        np.testing.assert_array_equal(np.load("y.npy"), np.load("a.npy") + np.load("b.npy"))

    def test_info_and_layout(self, images, capsys):
        edits = ["--output-names", "a", "--input-shape", "x:2,3,4,5"]
        assert main(["info", images, *edits, "--json"]) == 0
        description = json.loads(capsys.readouterr().out)
        assert description["inputs"] == [{"name": "x", "dtype": "float32", "shape": [2, 3, 4, 5]}]
        assert description["outputs"] == [{"name": "a", "dtype": "float32", "shape": [2, 3, 4, 5]}]
        assert description["nodes"] == 1
        assert main(["layout", images, *edits, "--json"]) == 0


FITS_NOT = [
    ["--channels-last-inputs", "nope"],
    ["--channels-last-outputs", "nope"],
    ["--channels-last-inputs", "b:0", "--channels-last-inputs", ""],
    ["--input-names", "nope"],
    ["--output-names", "nope,y"],
    ["--input-names", "a"],
    ["--input-names", "y", "--output-names", "a"],
    ["--input-shape", "nope:1,2"],
    ["--input-shape", "x:1,2"],
    ["--input-shape", "x:1,4,2,2"],
    ["--input-shape", "x:1,3,2,2", "--input-shape", "b:0:2,3,1,1"],
    ["--input-shape", "x:1,3,-7,2"],
    ["--input-shape", "x:1,3,height,2"],
    ["--input-shape", "x:"],
    ["--input-shape", "x:2,3,4,5", "--batch-size", "3"],
]
WRONG_USAGE = [
    ["--batch-size", "0"],
    ["--batch-size", "-1"],
    ["--batch-size", "two"],
    ["--batch-size", "1.5"],
    ["--batch-size"],
    ["--input-shape", "1,2"],
    ["--input-shape", ":1,2"],
    ["--input-shape", "x:1,,2"],
    ["--input-shape", "x:1,3,4,5", "--input-shape", "x:2,3,4,5"],
    ["--input-names", "a,,b"],
    ["--input-names", ""],
    ["--output-names", ","],
    ["--layout", "other"],
]
COMMANDS = {"convert": ["-o", "out"], "run": ["--input", "x=i.npy", "--input", "b:0=b.npy"], "layout": [], "info": []}


def exit_code(command: str, model: str, options: list[str]) -> int:
    try:
        return main([command, model, *COMMANDS[command], *options])
    except SystemExit as end:
        return end.code


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("options", FITS_NOT + WRONG_USAGE, ids=str)
def test_options_that_do_not_fit_never_end_in_a_traceback(command, options, images, capsys):
    is_parsed = options in FITS_NOT and not (command == "info" and options[0].startswith("--channels-last"))
    assert exit_code(command, images, options) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines()[-1].startswith("onnx-tf")
    if is_parsed:
        assert printed.err.count("\n") == 1
        assert not Path("out").exists()


@pytest.mark.parametrize("side", ["inputs", "outputs"])
@pytest.mark.parametrize("name", ["s", "flat"])
def test_channels_last_of_what_is_no_image(side, name, folder, capsys):
    tensor = helper.make_tensor_type_proto(1, ["N", 2, 3, 4])
    infos = [helper.make_value_info("s", helper.make_sequence_type_proto(tensor))]
    infos.append(helper.make_tensor_value_info("flat", 1, ["N", 2]))
    graph = helper.make_graph([helper.make_node("Neg", ["flat"], ["minus"])], "g", infos, infos)
    opsets = [helper.make_opsetid("", 17)]
    (folder / "model.onnx").write_bytes(helper.make_model(graph, opset_imports=opsets).SerializeToString())
    assert main(["layout", "model.onnx", f"--channels-last-{side}", name]) == 2
    assert f"{name} is no tensor of a known rank of 3 or more" in capsys.readouterr().err
    assert main(["layout", "model.onnx", f"--channels-last-{side}", "all"]) == 0


def test_files_that_are_no_inputs(folder, capsys):
    (folder / "bad.npz").write_bytes(b"PK\x03\x04" + bytes(50))
    (folder / "pickled.npy").write_bytes(b"\x80\x04K\x01.")
    (folder / "empty.npy").write_bytes(b"")
    for name in ("bad.npz", "pickled.npy", "empty.npy"):
        assert main(["run", "model.onnx", "--input", name]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    (folder / "folder").mkdir()
    for arguments in (["--input", "folder"], ["--input", "x.npy", "--output", "none/y.npy"]):
        assert main(["run", "model.onnx", *arguments]) == 2
        assert capsys.readouterr().err.count("\n") == 1
