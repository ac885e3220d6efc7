from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnx_tf.check.inputs import accepted_inputs, described, drawn_inputs
from onnx_tf.check.onnx_runtime import OnnxRuntime
from onnx_tf.errors import InputError, OnnxTfError
from onnx_tf.model.loading import load_model
from test.models import text_model


def inputs_of(text):
    return drawn_inputs(load_model(text_model(text)).graph.inputs)


class Recorder:
    """A reference that accepts what a function accepts, and counts."""

    def __init__(self, accepts):
        self.accepts, self.shapes = accepts, []

    def run(self, feed):
        self.shapes.append({name: np.shape(value) for name, value in feed.items()})
        if not self.accepts(self.shapes[-1]):
            raise OnnxTfError("no")
        return {"y": np.ones(1)}


def first_shapes(text):
    recorder = Recorder(lambda _: True)
    accepted_inputs(inputs_of(text), recorder)
    return recorder.shapes[0]


@pytest.mark.parametrize(
    ("dims", "shape"),
    [
        ("batch_size, sequence_length", (2, 8)),
        ("N, 3, H, W", (2, 3, 32, 32)),
        ("N, 3, height, width", (2, 3, 32, 32)),
        ("a, n1, c1, d", (2, 8, 32, 32)),
        ("N, channels, 7", (2, 3, 7)),
        ("N, T, 80", (2, 8, 80)),
        ("frames", (8,)),
        ("unk__12", (8,)),
        ("a, unk__12", (2, 8)),
        ("2, 5", (2, 5)),
    ],
)
def test_names_and_places_are_hints(dims, shape):
    assert first_shapes(f"g (float[{dims}] x) => (float y) {{ y = ReduceSum (x) }}") == {"x": shape}


def test_a_waveform_may_need_thousands_of_samples():
    recorder = Recorder(lambda shapes: shapes["x"][1] > 400)
    feed, _ = accepted_inputs(
        inputs_of("g (float[batch_size, samples] x) => (float y) { y = ReduceSum (x) }"), recorder
    )
    assert feed["x"].shape[1] == 4096


def test_one_symbol_has_one_size_in_all_inputs():
    text = "g (float[L, K] a, float[K, L] b, float[M, L] c) => (float[L, L] y) { y = MatMul (a, b) }"
    recorder = Recorder(lambda _: False)
    with pytest.raises(OnnxTfError):
        accepted_inputs(inputs_of(text), recorder)
    assert len(recorder.shapes) > 3
    for shapes in recorder.shapes:
        assert shapes["a"] == shapes["b"][::-1]
        assert shapes["c"][1] == shapes["a"][0]


def test_sums_of_symbols():
    model = load_model(text_model("g (float[B, past] a, float[B, q] b, float[B] m) => (float[B] y) { y = Neg (m) }"))
    model.graph.inputs[2].shape = ir.Shape(["B", "past + q"])
    recorder = Recorder(lambda _: True)
    accepted_inputs(drawn_inputs(model.graph.inputs), recorder)
    (shapes,) = recorder.shapes
    assert shapes["m"][1] == shapes["a"][1] + shapes["b"][1]


def test_dimensions_without_a_name_are_open_each():
    model = load_model(text_model("g (float[N, M] x) => (float[N, M] y) { y = Neg (x) }"))
    model.graph.inputs[0].shape = ir.Shape([None, None])
    recorder = Recorder(lambda shapes: shapes["x"][1] == 64)
    accepted_inputs(drawn_inputs(model.graph.inputs), recorder)
    assert recorder.shapes[-1]["x"] == (2, 64)


@pytest.mark.parametrize("size", [1, 2, 8, 32, 64, 224])
def test_every_size_is_tried_soon(size):
    recorder = Recorder(lambda shapes: shapes["x"][2:] == (size, size))
    accepted_inputs(inputs_of("g (float[N, 3, H, W] x) => (float[N, 3, H, W] y) { y = Neg (x) }"), recorder)
    assert len(recorder.shapes) <= 18
    assert len({tuple(shapes.items()) for shapes in recorder.shapes}) == len(recorder.shapes)


def test_onnx_runtime_decides():
    text = """g (float[N, 1, H, W] x) => (float[N, 49] y) <int64[2] s = {-1, 49}> {
        c = AveragePool <kernel_shape = [32, 32], strides = [32, 32]> (x)
        y = Reshape (c, s)
    }"""
    feed, outputs = accepted_inputs(inputs_of(text), OnnxRuntime(text_model(text)))
    assert feed["x"].shape == (2, 1, 224, 224)
    assert outputs["y"].shape == (2, 49)


def test_outputs_that_are_not_empty_are_preferred():
    text = "g (float[N] x) => (float[M] y) <int64[1] a = {2}, int64[1] b = {100}> { y = Slice (x, a, b) }"
    feed, outputs = accepted_inputs(inputs_of(text), OnnxRuntime(text_model(text)))
    assert feed["x"].shape == (8,)
    assert outputs["y"].size == 6
    text = text.replace("{2}", "{1000}").replace("{100}", "{2000}")
    feed, outputs = accepted_inputs(inputs_of(text), OnnxRuntime(text_model(text)))
    assert outputs["y"].shape == (0,)


def test_inputs_that_none_fits():
    text = "g (float[N, 3] x) => (float[a, b] y) <int64[2] s = {5, 7}> { y = Reshape (x, s) }"
    with pytest.raises(OnnxTfError) as error:
        accepted_inputs(inputs_of(text), OnnxRuntime(text_model(text)))
    message = str(error.value)
    for part in ("x: float32[2, 3]; x: float32[1, 3]", "float32[224, 3]", "check={...}", "input_shapes", "Reshape"):
        assert part in message


def test_waveforms_are_long():
    text = """g (float[N, M] x) => (float[N, K] y) <int64[1] a = {400}, int64[1] b = {9999}, int64[1] axis = {1}> {
        y = Slice (x, a, b, axis)
    }"""
    feed, outputs = accepted_inputs(inputs_of(text), OnnxRuntime(text_model(text)))
    assert feed["x"].shape == (2, 4096)
    assert outputs["y"].size


def test_what_is_drawn():
    text = """g (float[20] f, float16[20] h, int64[20] i, bool[20] b, seq(float[2]) s, optional(float[2]) o)
        => (float[20] y) { y = Neg (f) }"""
    drawn = inputs_of(text)
    feed, _ = accepted_inputs(drawn, Recorder(lambda _: True))
    assert {name: described(value) for name, value in feed.items()} == {
        "f": "float32[20]",
        "h": "float16[20]",
        "i": "int64[20]",
        "b": "bool[20]",
        "s": "[float32[2], float32[2]]",
        "o": "float32[2]",
    }
    assert 0 <= feed["f"].min() < feed["f"].max() <= 1
    assert set(feed["i"]) == {0, 1}
    again, _ = accepted_inputs(drawn, Recorder(lambda _: True))
    np.testing.assert_array_equal(feed["f"], again["f"])


def test_channels_last_inputs_are_drawn_in_onnx_order():
    model = load_model(text_model("g (float[N, H, W, 3] x) => (float[N, H, W, 3] y) { y = Neg (x) }"))
    (drawn,) = drawn_inputs(model.graph.inputs, ["x"])
    assert drawn.dims == ("N", 3, "H", "W")


def test_inputs_that_cannot_be_drawn():
    for text in (
        "g (string[2] x) => (string[2] y) { y = Identity (x) }",
        "g (float x) => (float[N] y) { y = Neg (x) }",
    ):
        model = load_model(text_model(text))
        if "string" not in text:
            model.graph.inputs[0].shape = None
        with pytest.raises(InputError, match=r"'x': give inputs of your own \(check=\{\.\.\.\}\)"):
            drawn_inputs(model.graph.inputs)
