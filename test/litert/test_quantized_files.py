"""``convert`` writes quantised models as integer files, says what stays in floats, and counts errors in steps."""

from __future__ import annotations

import json
import re

import numpy as np
import onnx
import pytest

from onnx_tf import convert
from onnx_tf.check.accuracy import compare_tflite
from onnx_tf.check.expected import expected_of
from onnx_tf.check.interface import Interface
from onnx_tf.cli import main
from onnx_tf.errors import OptionError
from onnx_tf.export.flatbuffer import read_metadata
from onnx_tf.export.integers.file import float_operators
from test.litert.pairs import Pairs


def network(seed: int = 0) -> onnx.ModelProto:
    """A convolution and a product, and a Softmax whose scale LiteRT's kernel has not."""
    graph = Pairs(seed=seed)
    y = graph.pair(graph.node("Relu", graph.node("Conv", graph.input(1, 3, 8, 8), graph.weights(4, 3, 3, 3))))
    y = graph.node("Flatten", graph.pair(graph.node("GlobalAveragePool", y)))
    y = graph.pair(graph.node("MatMul", y, graph.weights(4, 5, axis=1)))
    return graph.model([graph.pair(graph.node("Softmax", y))])


@pytest.fixture(name="path")
def _path(tmp_path):
    onnx.save(network(), tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def test_integers_are_the_default(path, tmp_path):
    (written,) = convert(path, tmp_path / "net.tflite").artifacts
    assert {"CONV_2D", "FULLY_CONNECTED", "MEAN"} <= set(written.operators)
    assert [operator.kind for operator in written.floats] == ["SOFTMAX"]
    assert written.floats[0].node.startswith("Softmax")
    assert written.accuracy.fits
    assert written.accuracy.unit == "steps"


def test_a_folder_gets_the_integers_alone(path, tmp_path):
    done = convert(path, tmp_path / "out", formats=["tflite"], check=False)
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["net_integer_quant.tflite"]
    assert done.path.name == "net_integer_quant.tflite"


def test_floats_for_who_asks(path, tmp_path):
    for options in ({"dequantize": True}, {"tflite": ["float32"]}):
        (written,) = convert(path, tmp_path / "net.tflite", **options).artifacts
        assert not written.floats
        assert written.accuracy.unit == "steps"
        assert "QUANTIZE" not in written.operators


def test_both_kinds_in_a_folder(path, tmp_path):
    done = convert(path, tmp_path / "out", formats=["tflite"], tflite=["float32", "integer_quant"], check=False)
    floats, integers = done.artifacts
    assert (floats.path.name, integers.path.name) == ("net_float32.tflite", "net_integer_quant.tflite")
    assert ("QUANTIZE" in floats.operators, "QUANTIZE" in integers.operators) == (False, True)


def test_integers_of_floats_are_refused(path, tmp_path):
    floats = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["y"])],
        "floats",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2])],
    )
    model = onnx.helper.make_model(floats, opset_imports=[onnx.helper.make_opsetid("", 17)])
    for source, options in ((model, {}), (path, {"dequantize": True})):
        with pytest.raises(OptionError, match="integer_quant"):
            convert(source, tmp_path / "net.tflite", tflite=["integer_quant"], **options)


def test_the_command_line_tells_what_stays_in_floats(path, tmp_path, capsys):
    assert main(["convert", str(path), "-o", str(tmp_path / "net.tflite")]) == 0
    told = capsys.readouterr().out
    assert "1 nodes stay in floats" not in told
    assert "SOFTMAX: its integer kernel has steps of 0.00390625 alone: Softmax" in told
    assert re.search(r"error [\d.]+ steps \(tolerance [\d.]+\), .*: ok", told)
    assert main(["convert", str(path), "-o", str(tmp_path / "net.tflite"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["floats"][0]["kind"] == "SOFTMAX"
    assert main(["convert", str(path), "-o", str(tmp_path / "net.tflite"), "--dequantize"]) == 0
    assert "floats" not in capsys.readouterr().out


def test_the_file_says_it_too(path, tmp_path):
    done = convert(path, tmp_path / "net.tflite", check=False)
    content = done.path.read_bytes()
    assert float_operators(content) == done.artifacts[0].floats
    assert read_metadata(content)["source_sha256"]


def test_the_same_model_gives_the_same_bytes(path, tmp_path):
    first, second = (convert(path, tmp_path / f"{i}.tflite", check=False).path.read_bytes() for i in range(2))
    assert first == second


def test_another_network_differs(tmp_path):
    done = convert(network(), tmp_path / "net.tflite", check=False)
    expected = expected_of(Interface.of(done.rep), network(seed=1), optimized=False)
    accuracy = compare_tflite(done.path, done.rep, expected, steps={})
    assert not accuracy.fits
    assert accuracy.unit == "steps"


def test_a_rep_of_this_target_runs_as_others_do(path, tmp_path):
    done = convert(path, tmp_path / "net.tflite", check=False)
    other = convert(path, tmp_path / "floats.tflite", dequantize=True, check=False)
    x = np.random.default_rng(0).uniform(-3, 3, (1, 3, 8, 8)).astype(np.float32)
    np.testing.assert_array_equal(done.rep.run(x)[0], other.rep.run(x)[0])
