"""A file whose large weights are put into it last is the one that the converter makes of the whole model."""

from __future__ import annotations

import collections
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from tensorflow.lite.python import schema_py_generated as schema

from onnx_tf import TensorflowRep
from onnx_tf.export import tflite, weights_aside
from onnx_tf.export.file_graph import FileGraph
from onnx_tf.export.packing import packed
from onnx_tf.export.tflite import tflite_files
from onnx_tf.options import Options
from onnx_tf.pipeline import lower
from onnx_tf.targets import LITERT
from test.litert.check import check_tflite
from test.models import text_model

RNG = np.random.default_rng(0)

ASIDE: dict[str, tuple[str, dict[str, list[int]]]] = {
    "convolution": (
        "g (float[N, 8, 6, 6] x) => (float[N, 16, 6, 6] y) { c = Conv <pads = [1, 1, 1, 1]> (x, w, b) y = Relu(c) }",
        {"w": [16, 8, 3, 3], "b": [16]},
    ),
    "convolution of one pixel": (
        "g (float[N, 8, 6, 6] x) => (float[N, 16, 6, 6] y) { y = Conv(x, w) }",
        {"w": [16, 8, 1, 1]},
    ),
    "depthwise convolution": (
        "g (float[N, 8, 6, 6] x) => (float[N, 8, 4, 4] y) { y = Conv <group = 8> (x, w, b) }",
        {"w": [8, 1, 3, 3], "b": [8]},
    ),
    "matrix as it is stored": (
        "g (float[N, 16] x) => (float[N, 8] y) { c = Gemm(x, w, b) y = Relu(c) }",
        {"w": [16, 8], "b": [8]},
    ),
    "matrix transposed": (
        "g (float[N, 16] x) => (float[N, 8] y) { y = Gemm <transB = 1> (x, w, b) }",
        {"w": [8, 16], "b": [8]},
    ),
    "product and sum": (
        "g (float[N, 16] x) => (float[N, 8] y) { c = MatMul(x, w) y = Add(c, b) }",
        {"w": [16, 8], "b": [8]},
    ),
    "images, then a matrix": (
        """g (float[N, 4, 4, 4] x) => (float[N, 8] y)
        { c = Conv(x, v) f = Flatten(c) y = Gemm <transB = 1> (f, w, b) }""",
        {"v": [8, 4, 3, 3], "w": [8, 32], "b": [8]},
    ),
    "table": (
        "g (int64[N, 3] i) => (float[N, 3, 4] y) { t = Gather(w, i) y = Relu(t) }",
        {"w": [20, 4]},
    ),
    "weights used twice": (
        """g (float[N, 8, 6, 6] x) => (float[N, 8, 2, 2] y) { c = Conv(x, w) r = Relu(c) y = Conv(r, w) }""",
        {"w": [8, 8, 3, 3]},
    ),
    "names that are taken": (
        "g (float[N, 16] weight0) => (float[N, 8] weight) { weight = Gemm(weight0, w, b) }",
        {"w": [16, 8], "b": [8]},
    ),
}

WHOLE: dict[str, tuple[str, dict[str, list[int]]]] = {
    "product without a sum": ("g (float[N, 16] x) => (float[N, 8] y) { y = MatMul(x, w) }", {"w": [16, 8]}),
    "product of batches": ("g (float[2, 3, 16] x) => (float[2, 3, 8] y) { y = MatMul(x, w) }", {"w": [16, 8]}),
    "factor behind a matrix": (
        "g (float[N, 16] x) => (float[N, 8] y) { c = Gemm(x, w, b) y = Mul(c, f) }",
        {"w": [16, 8], "b": [8], "f": [8]},
    ),
    "factor before a convolution": (
        "g (float[N, 8, 6, 6] x) => (float[N, 8, 4, 4] y) { c = Mul(x, f) y = Conv(c, w) }",
        {"w": [8, 8, 3, 3], "f": [1, 8, 1, 1]},
    ),
    "weights that are an output": (
        "g (float[N, 16] x) => (float[N, 8] y, float[16, 8] z) { y = MatMul(x, w) z = Neg(w) }",
        {"w": [16, 8]},
    ),
    "convolution of constants": (
        "g (float[1, 8, 4, 4] x) => (float[1, 8, 4, 4] y) { c = Conv(v, w) y = Add(c, x) }",
        {"v": [1, 8, 6, 6], "w": [8, 8, 3, 3]},
    ),
    "matrix behind a matrix": (
        "g (float[N, 16] x) => (float[N, 8] y) { a = Gemm(x, v, b) y = Gemm(a, w, c) }",
        {"v": [16, 16], "b": [16], "w": [16, 8], "c": [8]},
    ),
    "rows that are known": (
        "g (float[2, 4] x) => (float[2, 4] y) <int64[2] i = {3, 1}> { t = Gather(w, i) y = Add(t, x) }",
        {"w": [20, 4]},
    ),
}


@pytest.fixture(autouse=True)
def _small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights_aside, "MIN_BYTES", 200)
    monkeypatch.setattr(weights_aside, "MIN_TOTAL_BYTES", 200)


def model_of(text: str, weights: dict[str, list[int]]) -> onnx.ModelProto:
    model = text_model(text)
    for name, shape in weights.items():
        model.graph.initializer.append(numpy_helper.from_array(RNG.normal(size=shape).astype(np.float32), name))
    return model


def lowered(model: onnx.ModelProto) -> TensorflowRep:
    return TensorflowRep(lower(model, Options(target=LITERT)))


def feed_of(model: onnx.ModelProto) -> dict[str, Any]:
    feed: dict[str, Any] = {}
    for value in model.graph.input:
        shape = [dim.dim_value or 2 for dim in value.type.tensor_type.shape.dim]
        is_float = value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        feed[value.name] = RNG.normal(size=shape).astype(np.float32) if is_float else RNG.integers(0, 4, shape)
    return feed


def facts(content: bytes | memoryview) -> collections.Counter[str]:
    """Return what a file computes: its operators with their options, what they read and give, what constants hold."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    (graph,) = model.subgraphs
    file = FileGraph(model, graph)

    def told(index: int) -> Any:
        tensor = file.tensor(index)
        data = model.buffers[tensor.buffer].data
        held = None if data is None else hashlib.sha256(np.ascontiguousarray(data)).hexdigest()
        return tensor.type, file.shape(index), held, None if held else str(tensor.shapeSignature)

    def operator(one: Any) -> Any:
        options = None if one.builtinOptions is None else sorted(vars(one.builtinOptions).items())
        return file.kind(one), [told(i) for i in one.inputs], [told(i) for i in one.outputs], str(options)

    return collections.Counter(str(operator(one)) for one in graph.operators)


@pytest.mark.parametrize("what", ASIDE)
def test_the_file_is_that_of_the_whole_model(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(*ASIDE[what])
    rep = lowered(model)
    assert weights_aside.weights_aside(rep.tf_module)
    written = []
    monkeypatch.setattr(tflite, "put_back", lambda *given: written.append(given) or weights_aside.put_back(*given))
    ((_, content),) = tflite_files(rep.tf_module)
    assert len(written) == 1
    monkeypatch.setattr(tflite, "_float_file", lambda *_: None)
    ((_, whole),) = tflite_files(rep.tf_module)
    assert facts(content) == facts(whole)
    assert len(content) <= len(whole) + 1024
    monkeypatch.undo()
    monkeypatch.setattr(weights_aside, "MIN_BYTES", 200)
    monkeypatch.setattr(weights_aside, "MIN_TOTAL_BYTES", 200)
    check_tflite(model, feed_of(model), tmp_path)


@pytest.mark.parametrize("what", WHOLE)
def test_weights_that_the_converter_computes_with_are_left_to_it(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(*WHOLE[what])
    rep = lowered(model)
    ((_, content),) = tflite_files(rep.tf_module)
    monkeypatch.setattr(tflite, "_float_file", lambda *_: None)
    ((_, whole),) = tflite_files(rep.tf_module)
    assert facts(content) == facts(whole)
    check_tflite(model, feed_of(model), tmp_path)


def test_some_weights_may_be_put_back_and_others_not(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(
        """g (float[N, 8, 6, 6] x) => (float[N, 8, 2, 2] y)
        { c = Conv(x, v) r = Tanh(c) m = Mul(r, f) y = Conv(m, w) }""",
        {"v": [8, 8, 3, 3], "w": [8, 8, 3, 3], "f": [1, 8, 1, 1]},
    )
    rep, refused = lowered(model), []

    def put_back(*given: Any) -> Any:
        found = weights_aside.put_back(*given)
        refused.append(len(found[0]))
        return found

    monkeypatch.setattr(tflite, "put_back", put_back)
    ((_, content),) = tflite_files(rep.tf_module)
    assert refused == [1, 0]
    monkeypatch.setattr(tflite, "_float_file", lambda *_: None)
    ((_, whole),) = tflite_files(rep.tf_module)
    assert facts(content) == facts(whole)


def test_few_weights_are_the_converters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights_aside, "MIN_TOTAL_BYTES", 1 << 20)
    assert weights_aside.weights_aside(lowered(model_of(*ASIDE["matrix transposed"])).tf_module) == {}


def test_equal_weights_have_one_buffer() -> None:
    model = model_of(
        "g (float[N, 16] x) => (float[N, 16] y) { a = Gemm(x, v, b) r = Relu(a) y = Gemm(r, w, b) }",
        {"v": [16, 16], "b": [16]},
    )
    model.graph.initializer.append(numpy_helper.from_array(numpy_helper.to_array(model.graph.initializer[0]), "w"))
    ((_, content),) = tflite_files(lowered(model).tf_module)
    file = schema.ModelT.InitFromPackedBuf(content, 0)
    large = [buffer for buffer in file.buffers if buffer.data is not None and len(buffer.data) == 1024]
    assert len(large) == 1


@pytest.mark.parametrize("order", ["C", "F"])
def test_what_buffers_hold_later_is_packed(order: str) -> None:
    array = np.asarray(RNG.normal(size=(300, 7)).astype(np.float32), order=order)  # type: ignore[call-overload]
    model, buffer = schema.ModelT(), schema.BufferT()
    buffer.data = np.broadcast_to(np.uint8(0), array.nbytes)
    model.buffers = [schema.BufferT(), buffer]
    content = packed(model, 16, {id(buffer.data): array})
    found = schema.ModelT.InitFromPackedBuf(content, 0).buffers[1].data
    np.testing.assert_array_equal(found.view(np.float32).reshape(300, 7), array)
