from __future__ import annotations

import builtins

import ml_dtypes
import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper

from onnx_tf.check import onnx_runtime
from onnx_tf.check.compare import compare
from onnx_tf.check.onnx_runtime import OnnxRuntime, intermediate_values
from onnx_tf.errors import InputError, OnnxTfError
from onnx_tf.model import stored
from test.models import external_model, text_model
from test.zoo.compare import MODELS, manifest
from test.zoo.materialize import make_inputs, materialize

X = np.array([[-1, 2, 3], [4, -5, 6]], np.float32)
CHAIN = """g (float[N, 3] x) => (float[N, 3] y) <float[1] two = {2}> {
    r = Relu (x)
    m = Mul (r, two)
    y = Neg (m)
}"""


def sources(model, folder):
    onnx.save(model, folder / "model.onnx")
    return {
        "path": folder / "model.onnx",
        "text path": str(folder / "model.onnx"),
        "bytes": model.SerializeToString(),
        "proto": model,
        "ir": ir.from_proto(model),
    }


@pytest.mark.parametrize("kind", ["path", "text path", "bytes", "proto", "ir"])
def test_every_source(tmp_path, kind):
    model = text_model(CHAIN)
    before = model.SerializeToString()
    source = sources(model, tmp_path)[kind]
    y = -2 * np.maximum(X, 0)
    assert OnnxRuntime(source).outputs == ("y",)
    np.testing.assert_array_equal(OnnxRuntime(source).run({"x": X})["y"], y)
    np.testing.assert_array_equal(OnnxRuntime(source, optimized=False, threads=1).bind({"x": X})()[0], y)
    values = dict(intermediate_values(source, {"x": X}))
    assert list(values) == ["r", "m", "y"]
    np.testing.assert_array_equal(values["m"], -y)
    assert model.SerializeToString() == before


@pytest.mark.parametrize("as_ir", [False, True])
def test_external_data(tmp_path, monkeypatch, as_ir):
    path = external_model(tmp_path)
    monkeypatch.chdir(tmp_path.parent)
    source = ir.load(path) if as_ir else path
    x, w = np.ones((4, 4), np.float32), np.arange(16, dtype=np.float32).reshape(4, 4)
    np.testing.assert_array_equal(OnnxRuntime(source).run({"x": x})["y"], x + w)
    np.testing.assert_array_equal(dict(intermediate_values(source, {"x": x}, ["y"]))["y"], x + w)


@pytest.mark.parametrize("as_ir", [False, True])
def test_models_that_are_too_large_for_one_message(monkeypatch, as_ir):
    weights = np.arange(3000, dtype=np.float32).reshape(3, 1000)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 1000])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    monkeypatch.setattr(onnx_runtime, "MAX_PROTO_BYTES", 1000)
    runtime = OnnxRuntime(ir.from_proto(model) if as_ir else model)
    np.testing.assert_allclose(runtime.run({"x": X})["y"], X @ weights, rtol=1e-5)
    assert model.graph.initializer[0].raw_data == weights.tobytes()


@pytest.mark.parametrize("name", ["bfloat16", "float8e4m3fn", "float8e5m2", "int4", "uint4"])
def test_dtypes_that_numpy_has_through_ml_dtypes_only(name):
    number = getattr(TensorProto, name.upper())
    dtype = helper.tensor_dtype_to_np_dtype(number)
    graph = f"""g ({name}[3, 1] x) => ({name}[1, 3] t, float[1, 3] y) {{
        t = Transpose (x)
        y = Cast <to = 1> (t)
    }}"""
    x = np.array([[1], [0], [3]], dtype)
    outputs = OnnxRuntime(text_model(graph, opset=21, ir_version=10)).run({"x": x})
    assert list(outputs) == ["t", "y"]
    assert outputs["t"].dtype == dtype
    np.testing.assert_array_equal(outputs["t"], x.T)
    np.testing.assert_array_equal(outputs["y"], [[1, 0, 3]])


def test_empty_tensors_of_such_dtypes():
    graph = "g (float[N, 3] x) => (bfloat16[N, 3] y) { y = Cast <to = 16> (x) }"
    y = OnnxRuntime(text_model(graph)).run({"x": X[:0]})["y"]
    assert y.dtype == ml_dtypes.bfloat16
    assert y.shape == (0, 3)


def test_products_of_bytes_are_exact():
    graph = "g (uint8[2, 4] a, int8[4, 2] b) => (int32[2, 2] y) { y = MatMulInteger (a, b) }"
    a, b = np.full((2, 4), 255, np.uint8), np.full((4, 2), 127, np.int8)
    np.testing.assert_array_equal(OnnxRuntime(text_model(graph)).run({"a": a, "b": b})["y"], a.astype(int) @ b)


def test_products_that_the_precise_kernels_do_not_take():
    graph = "g (int8[2, 4] a, int8[4, 2] b) => (int32[2, 2] y) { y = MatMulInteger (a, b) }"
    a, b = np.full((2, 4), -128, np.int8), np.full((4, 2), 127, np.int8)
    np.testing.assert_array_equal(OnnxRuntime(text_model(graph)).run({"a": a, "b": b})["y"], a.astype(int) @ b)


def test_what_onnx_runtime_refuses(tmp_path):
    model = text_model(CHAIN)
    with pytest.raises(OnnxTfError, match="cannot run the model on these inputs: "):
        OnnxRuntime(model).run({"x": X[:, :2]})
    with pytest.raises(OnnxTfError, match="cannot run the model on these inputs: "):
        OnnxRuntime(model).run({"z": X})
    model.graph.node[0].op_type = "Nothing"
    with pytest.raises(OnnxTfError, match="does not take the model: "):
        OnnxRuntime(model)
    with pytest.raises(OnnxTfError, match="does not take the model: "):
        OnnxRuntime(tmp_path / "none.onnx")


def test_without_onnx_runtime(monkeypatch):
    importing = builtins.__import__

    def without(name, *arguments):
        if name.startswith("onnxruntime"):
            raise ImportError(name)
        return importing(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(OnnxTfError, match=r"pip install 'onnx-tf\[check\]'"):
        OnnxRuntime(text_model(CHAIN))


class TestIntermediateValues:
    def test_some_of_them_in_the_order_that_is_asked_for(self):
        values = list(intermediate_values(text_model(CHAIN), {"x": X}, ["y", "r", "r", "x", "two"]))
        assert [name for name, _ in values] == ["y", "r", "x", "two"]
        np.testing.assert_array_equal(values[1][1], np.maximum(X, 0))

    def test_unknown_ones(self):
        with pytest.raises(InputError, match=r"no value 'nothing'; its nodes compute \['r', 'm', 'y'\]"):
            list(intermediate_values(text_model(CHAIN), {"x": X}, ["nothing"]))

    def test_every_kind_of_value(self):
        graph = """g (float[N, 3] x) => (bool h) {
            b = Cast <to = 16> (x)
            s = SequenceConstruct (x, x)
            o = Optional (x)
            text = Cast <to = 8> (x)
            d, mask = Dropout (x)
            h = OptionalHasElement (o)
        }"""
        values = dict(intermediate_values(text_model(graph), {"x": X}))
        assert list(values) == ["b", "s", "o", "text", "d", "mask", "h"]
        np.testing.assert_array_equal(values["b"], X.astype(ml_dtypes.bfloat16))
        assert values["b"].dtype == ml_dtypes.bfloat16
        np.testing.assert_array_equal(values["s"], [X, X])
        np.testing.assert_array_equal(values["o"], X)
        assert values["text"].dtype == object
        assert values["mask"].all()

    def test_an_optional_without_element(self):
        kind = helper.make_tensor_type_proto(TensorProto.FLOAT, [3])
        nodes = [
            helper.make_node("Optional", [], ["o"], type=kind),
            helper.make_node("OptionalHasElement", ["o"], ["h"]),
        ]
        graph = helper.make_graph(nodes, "g", [], [helper.make_tensor_value_info("h", TensorProto.BOOL, [])])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        assert dict(intermediate_values(model, {})) == {"o": None, "h": np.array(False)}

    def test_bodies_are_left_out(self):
        graph = """g (bool c, float[2] x) => (float[2] y) {
            y = If (c) <
                then_branch = a () => (float[2] t) { inner = Neg (x)  t = Neg (inner) },
                else_branch = b () => (float[2] e) { e = Identity (x) }
            >
        }"""
        values = dict(intermediate_values(text_model(graph), {"c": np.array(True), "x": X[0, :2]}))
        assert list(values) == ["y"]

    @pytest.mark.parametrize("name", ["countvec_nb", "fnet", "resnet18_qop", "scripted_if_loop", "union_kbins_sgd"])
    def test_all_values_of_real_models(self, name):
        """Among them sequences, maps, strings, and values of types that nothing declares."""
        model, feed = materialize(MODELS / f"{name}.onnx"), make_inputs(manifest()[name]["inputs"])
        values = dict(intermediate_values(model, feed))
        assert list(values) == [output for node in model.graph.node for output in node.output if output]
        outputs = OnnxRuntime(model, optimized=False).run(feed)
        comparison = compare(outputs, {output: values[output] for output in outputs})
        assert comparison.fits, str(comparison)

    def test_optimisations_are_off(self):
        graph = """g (float[1, 2, 4, 4] x) => (float[1, 2, 4, 4] y) <float[2, 2, 1, 1] w = {1, 2, 3, 4}> {
            c = Conv (x, w)
            y = Relu (c)
        }"""
        x = np.random.default_rng(0).normal(size=(1, 2, 4, 4)).astype(np.float32)
        values = dict(intermediate_values(text_model(graph), {"x": x}))
        assert values["c"].min() < 0
        np.testing.assert_array_equal(values["y"], np.maximum(values["c"], 0))


@pytest.mark.parametrize("place", ["in its folder", "linked from elsewhere", "in a linked folder"])
def test_weights_that_are_left_in_their_file_are_the_same(tmp_path, monkeypatch, place):
    model = text_model("g (float[N, 8] x) => (float[N, 16] y) { h = MatMul(x, w) y = Relu(h) }")
    w = np.random.default_rng(0).normal(size=(8, 16)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(w, "w"))
    (tmp_path / "own").mkdir()
    file = tmp_path / "own" / "model.onnx"
    onnx.save(model, file)
    if place == "linked from elsewhere":
        file = tmp_path / "link.onnx"
        file.symlink_to(tmp_path / "own" / "model.onnx")
    elif place == "in a linked folder":
        (tmp_path / "link").symlink_to(tmp_path / "own")
        file = tmp_path / "link" / "model.onnx"
    monkeypatch.setattr(stored, "MIN_FILE_BYTES", 0)
    monkeypatch.setattr(stored, "MIN_BYTES", 256)
    content, folder = onnx_runtime._without_weights(str(file))
    if place == "linked from elsewhere":
        assert (content, folder) == (str(file), None)
    else:
        assert onnx.ModelProto.FromString(content).graph.initializer[0].data_location == TensorProto.EXTERNAL
    x = np.random.default_rng(1).normal(size=(3, 8)).astype(np.float32)
    found = OnnxRuntime(file, leaves_weights=True).run({"x": x})["y"]
    np.testing.assert_array_equal(found, OnnxRuntime(file).run({"x": x})["y"])


def test_a_file_that_is_not_there_is_onnx_runtimes_to_tell_of(tmp_path):
    with pytest.raises(OnnxTfError, match="ONNX Runtime does not take the model"):
        OnnxRuntime(tmp_path / "none.onnx", leaves_weights=True)
