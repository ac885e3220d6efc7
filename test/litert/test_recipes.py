"""Files by recipes of Google's quantiser: names, JSON files, rules, data, and what is said where it is missing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from onnx_tf import FileError, OptionError, convert
from onnx_tf.check import litert
from onnx_tf.cli import main
from onnx_tf.export.flatbuffer import read_metadata
from onnx_tf.export.post_training.recipe_process import AT_ONCE
from onnx_tf.export.post_training.recipes import PACKAGES, recipe_of
from test.litert.served import ServedLiteRT
from test.litert.test_post_training import X, ends, network, opened
from test.models import node_model

WEIGHTS = {"num_bits": 8, "symmetric": True, "granularity": "CHANNELWISE", "dtype": "INT"}
CONVOLUTIONS = [
    {
        "regex": ".*",
        "operation": "CONV_2D",
        "algorithm_key": "min_max_uniform_quantize",
        "op_config": {"weight_tensor_config": WEIGHTS, "compute_precision": "FLOAT", "explicit_dequantize": True},
    }
]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(litert.LiteRT, "_call", ServedLiteRT._call)
    onnx.save(network(), "net.onnx")
    np.save("x.npy", X)
    return tmp_path


def weights_of(path) -> set[str]:
    """The dtypes of a file's constants of four axes."""
    file = opened(path)
    found = {index: file.constant(index) for index in range(len(file.graph.tensors))}
    return {str(file.dtype(index)) for index, array in found.items() if array is not None and array.ndim == 4}


def test_a_static_recipe_is_calibrated_and_compared():
    done = convert(network(), "net", formats=["tflite"], tflite=["float32"], recipe="static_wi8_ai16", data={"x": X})
    _, made = done.artifacts
    assert [written.path.name for written in done.artifacts] == ["net_float32.tflite", "net_static_wi8_ai16.tflite"]
    assert ends(made.path) == ["int16", "int16"]
    assert made.verdict.samples == (8, 2)
    assert made.verdict.fresh[0].noise_ratio > 40
    assert made.floats == ()
    told = read_metadata(made.path.read_bytes())
    assert told["recipe"][0]["op_config"]["activation_tensor_config"]["num_bits"] == 16
    file = opened(made.path)
    (given,), (result,) = file.graph.inputs, file.graph.outputs
    assert (file.tensor(given).name, file.tensor(result).name) == (b"x", b"y")
    assert list(file.tensor(given).shapeSignature) == [-1, 3, 8, 8]


def test_two_conversions_are_equal_byte_by_byte():
    for name in ("first.tflite", "second.tflite"):
        convert(network(), name, recipe="static_wi8_ai8", data={"x": X}, check=False)
    assert Path("first.tflite").read_bytes() == Path("second.tflite").read_bytes()


def test_many_samples_are_calibrated_with_in_parts():
    samples = np.concatenate([X, 2 * X])
    files = {"all.tflite": samples, "first.tflite": samples[:AT_ONCE], "rest.tflite": samples[AT_ONCE:]}
    for name, some in files.items():
        convert(network(), name, recipe="static_wi8_ai8", data={"x": some}, check=False)
    assert len({Path(name).read_bytes() for name in files}) == 3


def test_rules_of_a_file_and_of_python():
    Path("own.json").write_text(json.dumps(CONVOLUTIONS))
    assert main(["convert", "net.onnx", "-o", "out", "--formats", "tflite", "--recipe", "own.json", "--no-check"]) == 0
    assert [file.name for file in Path("out").iterdir()] == ["net_own.tflite"]
    assert weights_of("out/net_own.tflite") == {"int8"}
    done = convert("net.onnx", "same.tflite", recipe=CONVOLUTIONS)
    assert done.path.read_bytes() == Path("out/net_own.tflite").read_bytes()
    assert done.artifacts[0].verdict.fresh[0].noise_ratio > 40


def test_what_a_static_recipe_leaves_in_floats_is_listed(capsys):
    rules = json.loads(recipe_of("static_wi8_ai8").rules)
    rules.append({"regex": ".*", "operation": "FULLY_CONNECTED", "algorithm_key": "no_quantize", "op_config": {}})
    Path("own.json").write_text(json.dumps(rules))
    assert main(["convert", "net.onnx", "-o", "n.tflite", "--recipe", "own.json", "--data", "x.npy"]) == 0
    out = capsys.readouterr().out
    assert "FULLY_CONNECTED: the recipe leaves it in floats: head" in out
    assert "2 samples held out of the data" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--recipe", "static_wi8_a8"], "(did you mean 'static_wi8_ai8'?)"),
        (["--recipe", "gemma4_mixed48"], "for the parts of a LiteRT-LM file"),
        (["--recipe", "none.json"], "the recipe none.json cannot be read: No such file"),
        (["--recipe", "empty.json"], "the recipe empty.json is no list of rules"),
        (["--recipe", "text.json"], "the recipe text.json is no JSON"),
        (["--recipe", "part.json"], "refuses the recipe part: a rule has no 'op_config'"),
        (["--recipe", "static_wi8_ai8"], "the recipe static_wi8_ai8 is calibrated with data of yours"),
        (["--recipe", "dynamic_wi8_afp32", "--tflite", "float32"], "choose one precision or recipe"),
        (["--recipe", "dynamic_wi8_afp32", "--keep-float", "conv"], "the recipe says itself how it quantises"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_written(arguments, message, capsys):
    Path("empty.json").write_text("[]")
    Path("text.json").write_text("recipe")
    Path("part.json").write_text(json.dumps([{k: v for k, v in CONVOLUTIONS[0].items() if k != "op_config"}]))
    assert main(["convert", "net.onnx", "-o", "net.tflite", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not Path("net.tflite").exists()


def test_a_saved_model_takes_no_recipe():
    with pytest.raises(OptionError, match=r"recipe is for .tflite files, and none is asked for"):
        convert(network(), "folder", recipe="dynamic_wi8_afp32")


def test_without_the_quantizer_it_is_said_how_to_get_it(monkeypatch, capsys):
    for name in PACKAGES:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(OptionError, match=r"recipe needs ai-edge-quantizer: pip install 'onnx-tf\[quantizer\]'"):
        convert(network(), "net.tflite", recipe="dynamic_wi8_afp32")
    assert main(["convert", "net.onnx", "-o", "net.tflite", "--recipe", "static_wi8_ai8"]) == 2
    assert "--recipe needs ai-edge-quantizer: pip install 'onnx-tf[quantizer]'" in capsys.readouterr().err
    assert not Path("net.tflite").exists()


def test_a_quantised_model_takes_none():
    from test.litert.test_quantized_files import network as quantized_network

    with pytest.raises(OptionError, match="the model is quantised already"):
        convert(quantized_network(), "net.tflite", recipe="dynamic_wi8_afp32")


def test_rules_that_are_no_rules():
    with pytest.raises(OptionError, match="recipe is no list of rules"):
        recipe_of([1])
    with pytest.raises(FileError, match="cannot be read"):
        recipe_of(Path("none.json"))


def test_constants_that_the_quantizer_puts_behind_the_file_are_taken_in():
    rng = np.random.default_rng(0)
    weights = {"matrix": rng.normal(size=(512, 768)).astype(np.float32)}  # of 256 kB on it puts them there
    node = onnx.helper.make_node("MatMul", ["x", "matrix"], ["y"])
    data = rng.normal(size=(6, 1, 512)).astype(np.float32)
    done = convert(node_model([node], {"x": [1, 512]}, ["y"], weights), "n.tflite", recipe="static_wi8_ai8", data=data)
    file = opened(done.path)
    assert {buffer.offset for buffer in file.model.buffers} == {0}
    assert done.bytes < 1.1 * 512 * 768
    assert done.artifacts[0].verdict.fresh[0].noise_ratio > 30
