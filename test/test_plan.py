"""Plans: what is refused, approximated, given to Flex and changed, of each artefact and before anything is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import onnx_tf
from onnx_tf import InputError, OptionError
from onnx_tf.cli import main
from test.models import node_model, text_model
from test.test_docs import detector, image_network, quantized_network

ALL = ["saved_model", "tflite", "keras", "keras_source", "weights", "frozen_graph"]
WITHOUT_KERNELS = """g (float[2, 3, 3] x, float[2, 3, 3] z) => (float[2] d, float[2, 3, 3] i, float[2, 3, 3] y) {
    d = Det(x)
    i = com.microsoft.Inverse(z)
    y = Relu(x)
}"""


def without_kernels() -> onnx.ModelProto:
    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]>\n{WITHOUT_KERNELS}')


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert {path.suffix for path in tmp_path.iterdir()} <= {".onnx", ".npy"}  # nothing is written


def by_name(plan: onnx_tf.planning.Plan) -> dict[str, onnx_tf.planning.PlannedArtifact]:
    return {artifact.name: artifact for artifact in plan.artifacts}


@pytest.mark.usefixtures("folder")
def test_a_model_that_fits():
    plan = onnx_tf.plan(image_network(), ALL)
    assert plan.fits
    kinds = ["saved_model", "tflite (float32)", "tflite (float16)", "keras", "keras_source", "weights", "frozen_graph"]
    assert list(by_name(plan)) == kinds
    for artifact in plan.artifacts:
        assert (artifact.reason, artifact.changes, artifact.flex) == ("", (), ())
        assert artifact.inputs == ({"name": "image", "dtype": "float32", "shape": [None, 3, 32, 32]},)
        assert artifact.memory > plan.weights + 4 * 3 * 32 * 32
    assert [a.reason for a in by_name(plan)["tflite (float16)"].approximated] == ["weights are rounded to float16"]


@pytest.mark.usefixtures("folder")
def test_all_that_is_refused_is_told_at_once(capsys):
    onnx.save(without_kernels(), "model.onnx")
    assert main(["plan", "model.onnx", "--formats", "saved_model,tflite,keras", "--tflite", "float32"]) == 1
    text = capsys.readouterr().out
    found = by_name(onnx_tf.plan("model.onnx", ["saved_model", "tflite", "keras"], tflite=["float32"]))
    assert found["saved_model"].fits
    refused = {name: {node.op_type for node in artifact.refused} for name, artifact in found.items()}
    assert refused == {"saved_model": set(), "tflite (float32)": {"Det", "Inverse"}, "keras": {"Det", "Inverse"}}
    assert "ai.onnx.Det: tf.MatrixDeterminant has no kernel in LiteRT" in text
    assert "com.microsoft.Inverse: tf.MatrixInverse" in text


def test_consent_makes_them_flex_or_custom():
    model = without_kernels()
    (flex,) = onnx_tf.plan(model, tflite=["float32"], allow_flex=True).artifacts
    assert flex.fits
    assert {node.op_type for node in flex.flex} == {"Det", "Inverse"}
    assert not any("allow_flex" in node.reason for node in flex.flex)
    (custom,) = onnx_tf.plan(model, tflite=["float32"], allow_custom_ops=True).artifacts
    assert ({node.op_type for node in custom.custom}, custom.flex) == ({"Det", "Inverse"}, ())


def test_what_changes_in_signatures():
    text = """g (float[n, 3] "a:0", float[n, 3] "a/0", int4[2] q) => (float[n, 3] y, int4[2] p) {
        y = Add("a:0", "a/0")
        p = Identity(q)
    }"""
    found = by_name(onnx_tf.plan(text_model(text, opset=21, ir_version=10), ["saved_model", "frozen_graph"]))
    told = found["saved_model"].changes
    assert "input 'q' is int8, not int4" in told
    assert any("Python code calls input 'a:0'" in change for change in told)
    assert "input 'a:0' is called 'a_0'" in found["frozen_graph"].changes
    moved = onnx_tf.plan(image_network(), channels_last_inputs=["image"], signatures=["train"]).artifacts[0]
    assert moved.changes == ("input 'image' is N, spatial..., C: float32[?, 32, 32, 3]", "signatures are added: train")
    (keras,) = onnx_tf.plan(
        text_model('g (float[n, 3] x) => (float[n, 3] "y:0") { "y:0" = Exp(x) }'), ["keras"]
    ).artifacts
    assert keras.changes == ("output 'y:0' is called 'y_0'",)


def test_options_that_change_the_answer():
    (refused,) = onnx_tf.plan(detector(), tflite=["float32"], nms="padded").artifacts
    assert "fix the open dimensions" in refused.reason
    (padded,) = onnx_tf.plan(detector(), tflite=["float32"], nms="padded", batch_size=1).artifacts
    assert padded.fits
    assert "output 'selected_count' is added: int32[1]" in padded.changes
    (whole,) = onnx_tf.plan(quantized_network(), tflite=["integer_quant"]).artifacts
    assert "which nodes stay in floats" in whole.unknown[0]
    (floats,) = onnx_tf.plan(quantized_network(), tflite=["float32"], dequantize=True).artifacts
    assert floats.unknown == ()
    text = "g (int64[n] x, int64[n] d) => (int64[n] y) { y = Div(x, d) }"
    (narrow,) = onnx_tf.plan(text_model(text), tflite=["float32"], int64_as_int32=True).artifacts
    assert [each.nodes for each in narrow.approximated] == [("Div_0",)]


@pytest.mark.usefixtures("folder")
def test_quantised_kinds():
    np.save("x.npy", np.zeros((5, 3, 32, 32), np.float32))
    kinds = ["dynamic_range_quant", "full_integer_quant"]
    plan = onnx_tf.plan(image_network(), tflite=kinds, data={"image": "x.npy"}, quantized_outputs="float32")
    dynamic, full = plan.artifacts
    assert dynamic.inputs[0]["dtype"] == "float32"
    assert (full.inputs[0]["dtype"], full.outputs[0]["dtype"]) == ("int8", "float32")
    assert full.changes == ("input 'image' is int8, not float32",)
    assert len(full.unknown) == 2
    with pytest.raises(OptionError, match="calibrated with data"):
        onnx_tf.plan(image_network(), tflite=["integer_quant"])
    with pytest.raises(InputError):
        onnx_tf.plan(image_network(), tflite=["integer_quant"], data={"other": "x.npy"})


@pytest.mark.parametrize(("scale", "told"), [(1e6, ("w",)), (1.0, None)])
def test_weights_that_float16_does_not_hold(scale, told):
    weights = {"w": np.full((3, 8), scale, np.float32)}
    model = node_model([onnx.helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": ["n", 3]}, ["y"], weights)
    (planned,) = onnx_tf.plan(model, tflite=["float16"]).artifacts
    large = [each.nodes for each in planned.approximated if "largest number" in each.reason]
    assert large == ([told] if told else [])


def test_double_and_random_numbers():
    text = "g (double[n] x) => (double[n] y, double[n] r) { y = Exp(x) r = RandomNormalLike(x) }"
    (planned,) = onnx_tf.plan(text_model(text), tflite=["float32"], allow_flex=True).artifacts
    told = {each.reason: each.nodes for each in planned.approximated}
    assert any("float64 is computed in float32" in reason for reason in told)
    assert any("random numbers" in reason for reason in told)


@pytest.mark.usefixtures("folder")
def test_the_screen_is_aligned_and_has_no_frames_in_a_pipe(capsys):
    onnx.save(image_network(), "model.onnx")
    assert main(["plan", "model.onnx", "--formats", "saved_model,tflite"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "model.onnx: 1.2 kB of weights"
    assert lines[1].split() == ["artefact", "can", "be", "written", "size", "memory", "of", "a", "run"]
    assert all(line.isascii() for line in lines)
    assert len({line.index("yes") for line in lines[2:5]}) == 1
    assert not list(Path().glob("out*"))


def test_a_recipe_is_refused(tmp_path, monkeypatch, capsys):
    onnx.save(text_model("g (float[2] x) => (float[2] y) { y = Neg(x) }"), tmp_path / "m.onnx")
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "m.onnx", "--tflite", "float32", "--recipe", "dynamic_wi8_afp32"]) == 2
    assert "--recipe" in capsys.readouterr().err
