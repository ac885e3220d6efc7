"""Inputs and outputs of .tflite files: names of any characters, dtypes, values that are no tensors, edits, sources."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from ai_edge_litert.interpreter import Interpreter
from onnx import helper, numpy_helper

from onnx_tf import ExportError, convert
from test.models import external_model, node_model, relu_model, text_model

NAMES = {
    "slashes and colons": (["a/b:0", "image:0"], ["y/1", "out:0"]),
    "spaces and letters": (["my input", "é入力", "0"], ["my out", "出力", "{x}%s\\n'\""]),
    "the same to TensorFlow": (["a.b", "a_b", "A_B"], ["c.d", "c_d", "C_D"]),
    "Python's": (["self", "class", "def"], ["return", "None"]),
    "TensorFlow's own": (["StatefulPartitionedCall:0", "inputs", "input_0"], ["serving_default_x:0", "output_0"]),
    "twelve": ([f"i{k}" for k in range(12)], [f"o{k}" for k in range(12)]),
}


@pytest.mark.parametrize("kind", NAMES)
def test_names_of_any_characters(kind, tmp_path):
    inputs, outputs = NAMES[kind]
    nodes = [helper.make_node("Sum", inputs, ["sum"])]
    nodes += [helper.make_node("Mul", ["sum", f"factor {k}"], [name]) for k, name in enumerate(outputs)]
    factors = {f"factor {k}": np.float32(k + 2) for k in range(len(outputs))}
    model = node_model(nodes, {name: ["N", 3] for name in inputs}, outputs, factors)
    done = convert(model, tmp_path / "model.tflite", check=True)
    assert done.fits, done.accuracy
    interpreter = Interpreter(str(done.path))
    assert [detail["name"] for detail in interpreter.get_input_details()] == inputs
    assert [detail["name"] for detail in interpreter.get_output_details()] == outputs
    others = [detail["name"] for detail in interpreter.get_tensor_details()]
    assert len([name for name in others if name in (*inputs, *outputs)]) == len(inputs) + len(outputs)


def everything(*dtypes: str) -> onnx.ModelProto:
    """Return a model that hands inputs through, and gives a constant and a concatenation of each."""
    inputs = ", ".join(f"{dtype}[N, 2] x_{dtype}, {dtype} s_{dtype}" for dtype in dtypes)
    outputs = ", ".join(
        f"{dtype}[N, 2] y_{dtype}, {dtype} t_{dtype}, {dtype}[2] c_{dtype}, {dtype}[N, 4] z_{dtype}" for dtype in dtypes
    )
    nodes = "".join(
        f"y_{d} = Identity(x_{d}) t_{d} = Identity(s_{d}) c_{d} = CastLike(ones, x_{d}) "
        f"z_{d} = Concat<axis=1>(x_{d}, x_{d}) "
        for d in dtypes
    )
    return text_model(f"g ({inputs}) => ({outputs}) <float[2] ones = {{1.0, 0.0}}> {{ {nodes} }}", opset=19)


def test_dtypes(tmp_path):
    model = everything("float", "bool", "int8", "uint8", "int16", "int32", "uint32", "int64")
    done = convert(model, tmp_path / "model.tflite", check=True)
    assert done.fits, done.accuracy
    assert len(done.accuracy.outputs) == 8 * 4


@pytest.mark.parametrize("dtype", ["float16", "double", "uint16", "uint64"])
def test_dtypes_that_are_only_handed_through(dtype, tmp_path):
    done = convert(text_model(f"g ({dtype}[N] x) => ({dtype}[N] y) {{ y = Identity(x) }}"), tmp_path / "model.tflite")
    assert done.fits, done.accuracy
    assert done.artifacts[0].operators == {"EXPAND_DIMS": 1, "SQUEEZE": 1}
    (given,) = Interpreter(str(done.path)).get_input_details()
    assert given["name"] == "x"


def test_strings(tmp_path):
    model = text_model("g (string[N] x) => (string[N] y) { y = Identity(x) }")
    done = convert(model, tmp_path / "model.tflite", check={"x": np.array(["a", "", "ü入"], object)})
    assert done.fits, done.accuracy
    assert convert(model, tmp_path / "model.tflite").artifacts[0].unchecked.startswith("no random numbers")


FORMS = {
    "scalars": "g (float x, int32 k) => (float y, int32 z) { y = Exp(x) z = Add(k, k) }",
    "empty": "g (float[0, 3] x) => (float[0, 3] y) { y = Exp(x) }",
    "a sequence": """g (float[3] x) => (seq(float[n]) s, float[3] t) <int64[2] parts = {1, 2}>
        { s = SplitToSequence <axis = 0> (x, parts) t = Relu(x) }""",
    "an optional": "g (optional(float[3]) o) => (bool there, float[3] y) "
    "{ there = OptionalHasElement(o) e = OptionalGetElement(o) y = Relu(e) }",
    "an initializer that is an input": "g (float[N, 2] x, float[2] w) => (float[N, 2] y) <float[2] w = {1.0, 2.0}> "
    "{ y = Add(x, w) }",
    "no input": "g () => (float[2] y) <float[2] w = {1.0, 2.0}> { y = Exp(w) }",
    "an input that is an output": "g (float[N, 2] x) => (float[N, 2] x, float[N, 2] y) { y = Exp(x) }",
    "one value twice": "g (float[N, 2] x) => (float[N, 2] y, float[N, 2] y) { y = Exp(x) }",
    "an input that nothing takes": "g (float[N, 2] x, float[N, 3] u) => (float[N, 2] y) { y = Exp(x) }",
    "eight axes": "g (float[1,1,1,1,1,1,2,2] x) => (float[1,1,1,1,1,1,2,2] y) { y = Exp(x) }",
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_inputs_and_outputs(form, tmp_path):
    done = convert(text_model(FORMS[form]), tmp_path / "model.tflite", check=True)
    assert done.fits, done.accuracy


UNKNOWN_LENGTHS = {
    "input 's'": "g (seq(float[N]) s) => (float[M] y) { y = ConcatFromSequence <axis = 0> (s) }",
    "output 's'": "g (float[N] x) => (seq(float[1]) s) { s = SplitToSequence <axis = 0, keepdims = 1> (x) }",
}


@pytest.mark.parametrize("what", UNKNOWN_LENGTHS)
def test_sequences_of_unknown_length_are_refused(what, tmp_path):
    with pytest.raises(ExportError, match=f"{what} is a sequence of unknown length.*allow_flex") as caught:
        convert(text_model(UNKNOWN_LENGTHS[what]), tmp_path / "model.tflite")
    assert caught.value.step == "litert"
    assert not list(tmp_path.iterdir())


def convolution() -> onnx.ModelProto:
    model = text_model(
        "g (float[N, 3, 8, 8] x) => (float[N, 4, 6, 6] y, float[N, 4, 6, 6] z) { y = Conv(x, w) z = Abs(y) }"
    )
    weights = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    return model


EDITS = {
    "channels last": ({"channels_last_inputs": ["x"], "channels_last_outputs": "all"}, [-1, 8, 8, 3], [-1, 6, 6, 4]),
    "batch": ({"batch_size": 2, "output_names": ["y"]}, [2, 3, 8, 8], [2, 4, 6, 6]),
    "names and shape": ({"input_names": ["y"], "output_names": ["z"]}, [-1, 4, 6, 6], [-1, 4, 6, 6]),
    "shape": ({"input_shapes": {"x": [5, 3, 8, 8]}}, [5, 3, 8, 8], [5, 4, 6, 6]),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edits(edit, tmp_path):
    options, given, result = EDITS[edit]
    done = convert(convolution(), tmp_path / "model.tflite", check=True, **options)
    assert done.fits, done.accuracy
    interpreter = Interpreter(str(done.path))
    assert list(interpreter.get_input_details()[0]["shape_signature"]) == given
    assert list(interpreter.get_output_details()[0]["shape_signature"]) == result


@pytest.mark.parametrize("kind", ["bytes", "ir.Model", "external data"])
def test_sources(kind, tmp_path):
    sources = {
        "bytes": lambda: relu_model().SerializeToString(),
        "ir.Model": lambda: ir.from_proto(relu_model()),
        "external data": lambda: external_model(tmp_path),
    }
    done = convert(sources[kind](), tmp_path / "out", formats=["tflite"], tflite=["float32"], check=True)
    assert done.fits
    assert done.path.name == ("model_float32.tflite" if kind == "external data" else "out_float32.tflite")
