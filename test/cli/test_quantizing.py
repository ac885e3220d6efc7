"""``onnx-tf convert`` to quantised .tflite files: options, what is printed, wrong data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from onnx_tf.check import litert
from onnx_tf.cli import main
from onnx_tf.export.post_training import files
from test.cli.test_cli import command
from test.litert.served import ServedLiteRT
from test.litert.test_post_training import X, ends, network, numbers, quantise_here
from test.models import text_model

CONVERT = ["convert", "net.onnx", "-o", "net.tflite", "--tflite"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(files, "call_telling", quantise_here)
    monkeypatch.setattr(litert.LiteRT, "_call", ServedLiteRT._call)
    onnx.save(network(), "net.onnx")
    np.save("x.npy", X)
    return tmp_path


def test_the_summary_as_users_see_it(folder):
    done = command(*CONVERT, "integer_quant", "--data", "x=x.npy", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("net.tflite: .tflite, ")
    assert lines[2].startswith("  in ai-edge-litert ")
    assert lines[3].startswith("    y, 8 samples of the calibration data: largest ")
    assert lines[4].startswith("    y, 2 samples held out of the data: largest ")
    assert lines[4].endswith(" dB above noise, largest class the same in 100.0%")
    assert lines[5].startswith("    largest error without XNNPACK, of the first sample: ")
    assert len(lines) == 7


def test_json_tells_the_verdict(capsys):
    options = ["--quantize-weights", "per-tensor", "--quantized-inputs", "uint8", "--quantized-outputs", "float32"]
    assert main([*CONVERT, "full_integer_quant", "--data", "x=x.npy", *options, "--per-layer", "--json"]) == 0
    text = capsys.readouterr().out
    told = json.loads(text[text.index("{\n") :])
    assert told["verdict"]["samples"] == [8, 2]
    assert told["verdict"]["is_good"]
    assert told["verdict"]["fresh"][0]["name"] == "y"
    assert {node for node, _, _ in told["tuning"]["losses"]} >= {"conv", "head"}
    assert ends("net.tflite") == ["uint8", "float32"]


def test_a_folder_of_images(folder, capsys):
    (folder / "images").mkdir()
    for index in range(6):
        pixels = np.random.default_rng(index).integers(0, 256, (12, 10, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{index}.png")
    data = "x=images,mean=0.5:0.4:0.3,std=0.5"
    assert main([*CONVERT, "full_integer_quant_with_int16_act", "--data", data]) == 0
    assert "y, 5 samples of the calibration data" in capsys.readouterr().out
    assert ends("net.tflite") == ["int16", "int16"]


def test_nodes_stay_in_floats(capsys):
    assert main([*CONVERT, "integer_quant", "--data", "x.npy", "--keep-float", "conv,head", "--no-check"]) == 0
    out = capsys.readouterr().out
    assert "CONV_2D: it is to stay in floats: conv" in out
    assert "FULLY_CONNECTED: it is to stay in floats: head" in out


def test_a_poor_file_says_so(capsys):
    text = "g (float[N, 4] x) => (float[N, 4] y) { k = Constant<value_float = 1e4>() y = Add(x, k) }"
    onnx.save(text_model(text), "net.onnx")
    np.save("x.npy", numbers(10, 4))
    assert main([*CONVERT, "integer_quant", "--data", "x=x.npy"]) == 0
    assert "  THE LARGEST CLASS IS THE SAME IN" in capsys.readouterr().out


@pytest.mark.filterwarnings("default:random numbers")
def test_random_numbers_by_name(capsys):
    assert main([*CONVERT, "full_integer_quant", "--data", "random", "--no-check"]) == 0
    assert "onnx-tf: warning: random numbers stand for calibration data" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["integer_quant"], 2, "integer_quant is calibrated with data of yours"),
        (["integer_quant", "--data", "x=missing.npy"], 2, "missing.npy cannot be read"),
        (["integer_quant", "--data", "y=x.npy"], 2, "the model has no input 'y'; its inputs are 'x'"),
        (["integer_quant", "--data", "x=shape.npy"], 2, "has the shape [1, 3, 8, 9]"),
        (["integer_quant", "--data", "x=dtype.npy"], 2, "is of uint8, not of float32"),
        (["integer_quant", "--data", "x=range.npy"], 2, "holds NaN or infinity"),
        (["integer_quant", "--data", "x=empty"], 2, "holds no data of input 'x'"),
        (["float32", "--data", "x=x.npy"], 2, "are for quantised .tflite files"),
        (["integer_quant", "--data", "x="], 2, "--data x= is not NAME=FILE"),
        (["integer_quant", "--data", "x=x.npy", "--data", "x=x.npy"], 2, "input 'x' is given data twice"),
        (["integer_quant", "--data", "x=x.npy", "--data", "x.npy"], 2, "several need names"),
        (["integer_quant", "--data", "x=x.npy,mean=1:e"], 2, "is no number"),
        (["integer_quant", "--data", "x=x.npy,std=0"], 2, "divides by zero"),
        (["integer_quant", "--data", "x=x.npy", "--keep-float", "nothing"], 2, "no node is called 'nothing'"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_written(arguments, code, message, capsys):
    np.save("shape.npy", numbers(2, 3, 8, 9))
    np.save("dtype.npy", np.zeros((2, 3, 8, 8), np.uint8))
    np.save("range.npy", np.full((2, 3, 8, 8), np.inf, np.float32))
    Path("empty").mkdir()
    assert main([*CONVERT, *arguments]) == code
    assert message in capsys.readouterr().err
    assert not Path("net.tflite").exists()


def test_one_input_of_two_is_missing(capsys):
    onnx.save(text_model("g (float[N, 4] a, float[N, 4] b) => (float[N, 4] y) { y = Add(a, b) }"), "net.onnx")
    np.save("a.npy", numbers(6, 4))
    np.save("b.npy", numbers(5, 4, high=100))
    assert main([*CONVERT, "integer_quant", "--data", "a=a.npy"]) == 2
    assert "calibration data of input b: float32[N, 4] are missing: --data b=FILE" in capsys.readouterr().err
    assert main([*CONVERT, "integer_quant", "--data", "a=a.npy", "--data", "b=b.npy"]) == 2
    assert "inputs have different numbers of samples (a: 6, b: 5)" in capsys.readouterr().err
    np.save("b.npy", numbers(6, 4, high=100))
    assert main([*CONVERT, "full_integer_quant", "--data", "a=a.npy", "--data", "b=b.npy"]) == 0
