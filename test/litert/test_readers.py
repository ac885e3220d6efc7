"""Targets besides LiteRT's interpreter: what they do not take is rewritten, or refused by node beforehand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.python import schema_py_generated as schema

from onnx_tf import EditError, ExportError, OptionError, UnsupportedError, convert, plan
from onnx_tf.cli import main
from onnx_tf.export.flatbuffer import read_metadata
from onnx_tf.readers import READERS
from test.models import text_model
from test.test_docs import image_network, quantized_network

INTEGERS = """g (float[2, 5] x, int64[2] i) => (float[2, 5] y, int64[2] a, int64[2] s) {
    y = Relu(x)
    a = ArgMax <axis = 1, keepdims = 0> (x)
    s = Add(i, a)
}"""
FLAGS = """g (double[2, 5] x, bool[2, 5] b) => (double[2, 5] y, bool[2, 5] c) {
    n = Neg(x)
    y = Where(b, x, n)
    c = Not(b)
}"""
AXES = """g (float[1, 12, 4, 5] x, float[4, 5] m) => (float[1, 3, 8, 10] y, float[5] r, float[2, 5] t, float[4, 1, 5] u)
<int64 last = {-1}, int64[1] one = {1}, int64[1] three = {3}, int64[1] zero = {0}> {
    y = DepthToSpace <blocksize = 2, mode = "CRD"> (x)
    r = Gather <axis = 0> (m, last)
    part = Slice(m, one, three, zero)
    t = Relu(part)
    wide = Unsqueeze(m, one)
    u = Neg(wide)
}"""
SIGNS = """g (float[2, 5] x, int64[2, 5] i, int64[2, 5] j) => (float[2, 5] y, int64[2, 5] z) {
    y = Sign(x)
    b = Greater(x, y)
    z = Where(b, i, j)
}"""


def dtypes_of(path: Path) -> dict[str, int]:
    """Return the dtype of each input and output of a file, by name, and how large the largest rank is."""
    graph = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0).subgraphs[0]
    return {graph.tensors[i].name.decode(): graph.tensors[i].type for i in (*graph.inputs, *graph.outputs)}


@pytest.mark.parametrize("target", ["litert-micro", "litert-js"])
def test_there_are_no_64_bit_integers(tmp_path, target):
    (written, *_) = convert(text_model(INTEGERS), tmp_path / "model.tflite", target=target, check=True).artifacts
    assert written.accuracy.fits
    of = schema.TensorType
    assert dtypes_of(written.path) == {"x": of.FLOAT32, "i": of.INT32, "y": of.FLOAT32, "a": of.INT32, "s": of.INT32}
    told = read_metadata(written.path.read_bytes())
    assert told["target"] == target
    assert told["carried"]["outputs"]["a"] == ["int64", "int32"]
    (planned, *_) = plan(text_model(INTEGERS), tflite=["float32"], target=target).artifacts
    assert (planned.fits, planned.bytes) == (True, written.bytes)
    assert "output 'a' is int32, not int64" in planned.changes


def test_javascript_takes_three_dtypes(tmp_path):
    (written,) = convert(text_model(FLAGS), tmp_path / "model.tflite", target="litert-js", check=True).artifacts
    assert written.accuracy.fits
    of = schema.TensorType
    assert dtypes_of(written.path) == {"x": of.FLOAT32, "b": of.UINT8, "y": of.FLOAT32, "c": of.UINT8}


def test_javascript_takes_no_other_inputs_and_outputs(tmp_path):
    model = text_model("g (string[2] s, uint64[2] i) => (string[2] t, uint64[2] j) { t = Identity(s) j = Identity(i) }")
    with pytest.raises(ExportError, match="input 's' is string, input 'i' is uint64, output 't' is string"):
        convert(model, tmp_path / "m.tflite", target="litert-js")
    assert "output 'j' is uint64" in plan(model, target="litert-js").artifacts[0].reason
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("target", ["litert-gpu", "litert-micro", "litert-js"])
def test_bfloat16_is_float32(tmp_path, target):
    model = text_model("g (bfloat16[2, 4] x) => (bfloat16[2, 4] y) { y = Relu(x) }", opset=20)
    done = convert(model, tmp_path / "m.tflite", target=target, tflite=["float32"], check=False)
    metadata = read_metadata(done.path.read_bytes())
    assert metadata["carried"]["inputs"] == {"x": ["bfloat16", "float32"]}
    assert metadata["carried"]["outputs"] == {"y": ["bfloat16", "float32"]}
    x = np.array([[-1, 2, 0.5, 3]] * 2, np.float32)
    runner = Interpreter(str(done.path)).get_signature_runner()
    np.testing.assert_array_equal(runner(x=x)["y"], np.maximum(x, 0))


def test_microcontrollers_have_operators_of_their_own(tmp_path):
    (written,) = convert(text_model(SIGNS), tmp_path / "model.tflite", target="litert-micro", check=True).artifacts
    assert written.accuracy.fits
    assert not set(written.operators) - set(READERS["litert-micro"].operators["operators"])
    assert not {"SIGN", "SELECT", "SELECT_V2"} & set(written.operators)


def test_the_gpu_delegate_takes_four_axes(tmp_path):
    (written,) = convert(text_model(AXES), tmp_path / "model.tflite", target="litert-gpu", check=True).artifacts
    assert written.accuracy.fits
    graph = schema.ModelT.InitFromPackedBuf(written.path.read_bytes(), 0).subgraphs[0]
    assert max(len(tensor.shape) for tensor in graph.tensors if tensor.shape is not None) == 4
    assert not {"EXPAND_DIMS", "SQUEEZE"} & set(written.operators)


REFUSED = {
    "litert-micro": (
        "g (float[2, 5] x) => (float[2, 2] v, int64[2, 2] i) <int64[1] k = {2}> { v, i = TopK(x, k) }",
        "TOPK_V2 is no operator of LiteRT for Microcontrollers (tflite-micro",
    ),
    "litert-gpu": (
        "g (float[1, 2, 3, 4, 5] x) => (float[1, 2, 3, 4, 5] y) { y = Sigmoid(x) }",
        "has a tensor of 5 axes, LiteRT's GPU delegate takes 4",
    ),
}


@pytest.mark.parametrize("target", REFUSED)
def test_what_does_not_fit_is_refused_by_node_and_the_plan_says_so(tmp_path, monkeypatch, capsys, target):
    monkeypatch.chdir(tmp_path)
    text, reason = REFUSED[target]
    model = text_model(text)
    with pytest.raises(UnsupportedError) as caught:
        convert(model, tmp_path / "model.tflite", target=target)
    assert reason in str(caught.value)
    (planned, *_) = plan(model, target=target).artifacts
    assert planned.refused == caught.value.nodes
    assert not list(tmp_path.iterdir())
    onnx.save(model, "model.onnx")
    assert main(["plan", "model.onnx", "--target", target]) == 1
    assert reason in capsys.readouterr().out


def test_ethos_u_takes_integers_and_says_what_the_cpu_computes(tmp_path):
    data = {"image": np.random.default_rng(0).normal(size=(5, 3, 32, 32)).astype(np.float32)}
    path = tmp_path / "model.tflite"
    (written,) = convert(image_network(), path, target="ethos-u", data=data, batch_size=1).artifacts
    assert written.elsewhere == ()
    assert set(written.operators) <= set(READERS["ethos-u"].operators["operators"])
    of = schema.TensorType
    assert dtypes_of(path) == {"image": of.INT8, "scores": of.INT8}
    (whole,) = convert(quantized_network(), path, target="ethos-u", tflite=["integer_quant"]).artifacts
    told = {node.reason for node in whole.elsewhere}
    assert "QUANTIZE is computed by the CPU" in told
    (planned,) = plan(quantized_network(), tflite=["integer_quant"], target="ethos-u").artifacts
    assert planned.elsewhere == whole.elsewhere


WRONG = {
    "dimensions are open in image: float32[batch, 3, 32, 32]": (EditError, {"target": "litert-js"}),
    "is calibrated with data": (OptionError, {"target": "ethos-u", "batch_size": 1}),
    "takes no float16 files": (OptionError, {"target": "litert-micro", "tflite": ["float16"], "batch_size": 1}),
    "did you mean 'litert-gpu'": (OptionError, {"target": "litert-gpus"}),
    "it runs no operators but its own": (OptionError, {"target": "litert-gpu", "allow_flex": True, "batch_size": 1}),
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_asked_for_wrongly_is_refused_before_anything_is_converted(tmp_path, text):
    kind, settings = WRONG[text]
    with pytest.raises(kind) as caught:
        convert(image_network(), tmp_path / "model.tflite", **settings)
    assert text in str(caught.value)
    with pytest.raises(kind) as caught:
        plan(image_network(), **settings)
    assert text in str(caught.value)
    with pytest.raises(OptionError, match=r"is for \.tflite files"):
        convert(image_network(), tmp_path / "model", target="litert-js")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("target", ["litert-gpu", "litert-micro", "ethos-u"])
def test_tables_say_where_they_come_from(target):
    table = READERS[target].operators
    known = {name for name in vars(schema.BuiltinOperator) if not name.startswith("_")}
    assert set(table["operators"]) <= known
    assert any(digit.isdigit() for digit in table["source"])
    assert json.dumps(table)


@pytest.mark.parametrize("target", [name for name in READERS if name != "litert"])
def test_no_target_is_told_to_allow_what_it_refuses(tmp_path, target):
    model = text_model("g (float[2, 2] x) => (float y) { y = Det(x) }")
    kinds = {"tflite": ["float32"]} if target != "ethos-u" else {"data": {"x": np.ones((1, 2, 2, 2), np.float32)[0]}}
    with pytest.raises(UnsupportedError, match="runs none but its own operators: end the model before it") as raised:
        convert(model, tmp_path / "model.tflite", target=target, **kinds)
    assert "allow_flex" not in str(raised.value)
