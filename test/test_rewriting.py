"""Other forms of operators: what changes in artefacts, and that numbers stay, or are those that are asked for."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx
import pytest
from tensorflow.lite.python import schema_py_generated as schema

from onnx_tf import ConversionError, OnnxTfError, convert, prepare
from onnx_tf.check.compare import OfScale, compare
from onnx_tf.check.reference import open_reference
from onnx_tf.edits import edited_source
from onnx_tf.options import Options
from test.litert.check import check_tflite
from test.models import node_model, text_model
from test.reference import ort_outputs

RNG = np.random.default_rng(3)
CLOSE = OfScale(single=2e-6)
ARG_MAX = "g (float[N, 3, 8, 8] x) => (int64[N, 8, 8] y) { y = ArgMax <axis = 1, keepdims = 0> (x) }"


def recurrent(length: int | str) -> onnx.ModelProto:
    node = onnx.helper.make_node("LSTM", ["x", "w", "r"], ["y", "h"], hidden_size=3)
    weights = {k: RNG.normal(size=(1, 12, n)).astype(np.float32) for k, n in (("w", 4), ("r", 3))}
    return node_model([node], {"x": [length, 2, 4]}, ["y", "h"], weights)


def loops(rep) -> int:
    graph = rep.tf_module.concrete().graph
    return sum(op.type in ("While", "StatelessWhile") for op in graph.get_operations())


class TestRecurrent:
    FEED: ClassVar = {"x": RNG.normal(size=(6, 2, 4)).astype(np.float32)}

    @pytest.mark.parametrize(("unroll", "count"), [(None, 0), (True, 0), (False, 1)])
    def test_saved_model(self, unroll, count):
        proto = recurrent(6)
        rep = prepare(proto, unroll_rnn=unroll)
        assert loops(rep) == count
        assert compare(ort_outputs(proto, self.FEED), dict(rep.run(self.FEED).items()), CLOSE).fits

    @pytest.mark.parametrize(("unroll", "count"), [(None, 0), (True, 0), (False, 1)])
    def test_litert(self, unroll, count, tmp_path):
        assert check_tflite(recurrent(6), self.FEED, tmp_path, unroll_rnn=unroll).get("WHILE", 0) == count

    def test_many_steps_in_a_loop(self):
        assert loops(prepare(recurrent(40))) == 1
        assert loops(prepare(recurrent(40), unroll_rnn=True)) == 0

    def test_keras(self, tmp_path):
        done = convert(recurrent(6), tmp_path / "m.keras", unroll_rnn=True, check=False)
        assert [layer.unroll for layer in done.rep.model.layers if hasattr(layer, "unroll")] == [True]

    def test_an_open_length_is_refused(self):
        with pytest.raises(ConversionError, match="how many time steps there are is not known, and") as caught:
            prepare(recurrent("T"), unroll_rnn=True)
        assert "input_shapes" in str(caught.value)
        assert "its handler" not in str(caught.value)


class TestRanks:
    TEXT = """g (float[2, 3, 2, 3, 2, 3, 2, 2] x) => (float[2, 2, 3, 2, 3, 2, 3, 2] y, float[2, 1, 2, 3, 2, 2, 2, 2] z)
        <int64[3] s = {1, 0, -1}, int64[3] e = {3, 2, -3}, int64[3] a = {1, 5, 7}, int64[3] t = {2, 1, -1}> {
        y = Transpose <perm = [7, 2, 1, 0, 3, 6, 5, 4]> (x)
        z = Slice (x, s, e, a, t) }"""
    FEED: ClassVar = {"x": RNG.normal(size=(2, 3, 2, 3, 2, 3, 2, 2)).astype(np.float32)}

    @pytest.mark.parametrize("rank", [3, 4, 6])
    def test_moves_and_cuts(self, rank, tmp_path):
        proto = text_model(self.TEXT)
        rep = prepare(proto, max_transpose_rank=rank, max_slice_rank=rank)
        assert compare(ort_outputs(proto, self.FEED), dict(rep.run(self.FEED).items())).fits
        operations = rep.tf_module.concrete().graph.get_operations()
        found = [op.inputs[0].shape.rank for op in operations if op.type in ("Transpose", "StridedSlice")]
        assert max(found) <= rank
        check_tflite(proto, self.FEED, tmp_path, max_transpose_rank=rank, max_slice_rank=rank)

    def test_every_permutation(self):
        for _ in range(20):
            perm = [int(axis) for axis in RNG.permutation(6)]
            node = onnx.helper.make_node("Transpose", ["x"], ["y"], perm=perm)
            x = RNG.normal(size=(2, 3, 1, 2, 3, 2)).astype(np.float32)
            rep = prepare(node_model([node], {"x": ["N", *x.shape[1:]]}, ["y"]), max_transpose_rank=3)
            np.testing.assert_array_equal(rep.run(x), x.transpose(perm))

    def test_without_it_they_have_as_many_axes(self):
        operations = prepare(text_model(self.TEXT)).tf_module.concrete().graph.get_operations()
        assert max(op.inputs[0].shape.rank for op in operations if op.type in ("Transpose", "StridedSlice")) == 8


class TestArgMax:
    X = RNG.normal(size=(2, 3, 8, 8)).astype(np.float32)

    @pytest.mark.parametrize("dtype", ["int64", "int32", "float32"])
    def test_dtype(self, dtype, tmp_path):
        rep = prepare(text_model(ARG_MAX), argmax_dtype=dtype)
        assert rep.outputs.types["y"].dtype == dtype
        np.testing.assert_array_equal(rep.run(self.X), self.X.argmax(1).astype(dtype))
        assert convert(text_model(ARG_MAX), tmp_path / "m.tflite", argmax_dtype=dtype, check=True).fits

    @pytest.mark.parametrize(("form", "equal"), [("fused:1", True), ("fused:0.5", False), ("fused", False)])
    def test_fused(self, form, equal, tmp_path):
        proto = text_model(ARG_MAX)
        done = convert(proto, tmp_path / "m.tflite", argmax=form, check=True)
        assert done.fits  # compared with what is asked for
        assert done.artifacts[0].operators["RESIZE_BILINEAR"] == 1 or equal
        x = np.kron(RNG.normal(size=(2, 3, 4, 4)), np.ones((1, 1, 2, 2))).astype(np.float32)  # of blocks
        rep = prepare(proto, argmax=form)
        np.testing.assert_array_equal(rep.run(x), x.argmax(1))
        assert np.array_equal(rep.run(self.X)["y"], self.X.argmax(1)) == equal

    def test_with_another_dtype(self):
        rep = prepare(text_model(ARG_MAX), argmax="fused:1", argmax_dtype="float32")
        np.testing.assert_array_equal(rep.run(self.X), self.X.argmax(1).astype(np.float32))


@pytest.mark.parametrize("opset", [13, 18])
def test_mvn_epsilon(opset):
    proto = text_model(
        "g (float[N, 3, 4, 4] x) => (float[N, 3, 4, 4] y) { y = MeanVarianceNormalization (x) }", opset=opset
    )
    x = RNG.normal(size=(2, 3, 4, 4)).astype(np.float32) * 0.01
    mean, variance = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    found = prepare(proto, mvn_epsilon=0.25).run(x)["y"]
    np.testing.assert_allclose(found, (x - mean) / np.sqrt(variance + 0.25), rtol=1e-4, atol=1e-6)
    edited = open_reference(edited_source(proto, Options.of(mvn_epsilon=0.25)))
    np.testing.assert_allclose(edited.run({"x": x})["y"], found, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"unroll_rnn": "yes"}, "unroll_rnn must be True or False"),
        ({"argmax": "max"}, "argmax must be 'reduce-max', 'fused' or 'fused:RATIO' with a ratio up to 1, not 'max'"),
        ({"argmax": "fused:2"}, "with a ratio up to 1"),
        ({"argmax": "fused"}, "is for ArgMax over the channels of images: the model has none"),
        ({"argmax_dtype": "int8"}, "argmax_dtype must be 'int64' or 'int32' or 'float32', not 'int8'"),
        ({"argmax_dtype": "int32"}, "is for outputs that ArgMax gives: the model has none"),
        ({"max_transpose_rank": 2}, "max_transpose_rank must be a whole number from 3 on, not 2"),
        ({"max_slice_rank": "4"}, "max_slice_rank must be a whole number from 3 on, not '4'"),
        ({"mvn_epsilon": -1}, "mvn_epsilon must be a number from 0 on, not -1"),
        ({"mvn_epsilon": 1e-3}, "is for MeanVarianceNormalization: the model has none"),
    ],
)
def test_refused(options, says):
    with pytest.raises(OnnxTfError, match=says):
        prepare(text_model("g (float[N] x) => (float[N] y) { y = Relu(x) }"), **options)


def metadata(path) -> dict[bytes, bytes]:
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    return {entry.name: bytes(model.buffers[entry.buffer].data) for entry in model.metadata}


def test_float16_accumulation(tmp_path):
    weights = {"w": RNG.normal(size=(8, 64)).astype(np.float32)}
    proto = node_model([onnx.helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": ["N", 8]}, ["y"], weights)
    kinds = {"formats": ["tflite"], "tflite": ["float32", "float16"]}
    done = convert(proto, tmp_path, **kinds, float16_accumulation=True, check=True)
    assert done.fits
    full, half = (metadata(written.path) for written in done.artifacts)
    assert half[b"reduced_precision_support"] == b"fp16accfp16"
    assert b"reduced_precision_support" not in full
    (plain,) = convert(proto, tmp_path / "m.tflite", tflite=["float16"], check=False).artifacts
    assert metadata(plain.path).get(b"reduced_precision_support") != b"fp16accfp16"
    with pytest.raises(OnnxTfError, match=r"float16_accumulation is for float16 \.tflite files: ask for them"):
        convert(proto, tmp_path / "m.tflite", float16_accumulation=True)


class TestStrictness:
    MODEL = text_model("g (float[N, 4] x) => (float[N, 4] y) { y = Erf(x) }")

    def test_samples(self, tmp_path):
        for count in (1, 2, 5):
            done = convert(self.MODEL, tmp_path / "m.tflite", samples=count)
            assert len(done.accuracy.fed) == count

    def test_tolerances(self, tmp_path):
        assert convert(self.MODEL, tmp_path / "m", atol=1e-5).fits
        done = convert(self.MODEL, tmp_path / "m", rtol=1e-12, samples=4)
        assert not done.fits
        assert done.accuracy.unit == "of what is allowed"
        (output,) = done.accuracy.outputs
        assert output.error > output.tolerance == 1.0

    @pytest.mark.parametrize("options", [{"rtol": -1}, {"atol": "small"}, {"samples": 0}])
    def test_refused(self, options, tmp_path):
        with pytest.raises(OnnxTfError, match=f"{next(iter(options))} must be a"):
            convert(self.MODEL, tmp_path / "m", **options)
        assert not (tmp_path / "m").exists()
