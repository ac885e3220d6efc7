from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import helper

from onnx_tf import prepare
from onnx_tf.check.artifacts import OnnxRuntime, Prepared, SavedModel
from onnx_tf.check.compare import compare
from onnx_tf.check.interface import Interface
from onnx_tf.errors import InputError, OnnxTfError, RunError
from test.models import node_model, text_model

X = np.array([1, -2], np.float32)


def artifacts(model, folder, **options):
    """Return everything that computes a model, by name."""
    rep = prepare(model, **options)
    rep.export_graph(folder / "model")
    return {
        "prepared": Prepared(rep),
        "saved model": SavedModel(folder / "model", Interface.of(rep)),
        "folder alone": SavedModel(folder / "model"),
        "onnx runtime": OnnxRuntime(model),
    }


def assert_all_agree(found, feed, without=()):
    results = {name: artifact.run(feed) for name, artifact in found.items() if name not in without}
    expected = results.pop("onnx runtime")
    for name, actual in results.items():
        comparison = compare(expected, actual)
        assert comparison.fits, f"{name}\n{comparison}"
        if name != "folder alone":
            assert list(actual) == list(expected), name
    return expected


TENSORS = """g (float[2] z, float[N] a, int64[2] i) => (float[N] y, float[2] b, int64[2] k) {
    y = Neg (a)
    b = Abs (z)
    k = Neg (i)
}"""
SEQUENCES = """g (seq(float[]) s, float[2] x) => (seq(float[]) r, int64 n) {
    r = SequenceInsert (s, x)
    n = SequenceLength (r)
}"""


def test_tensors(tmp_path):
    feed = {"i": np.array([1, 2]), "a": np.arange(3, dtype=np.float32), "z": X}
    assert_all_agree(artifacts(text_model(TENSORS), tmp_path), feed)


def test_strings(tmp_path):
    model = text_model("g (string[N] x) => (string[N] y) { y = Identity (x) }")
    assert_all_agree(artifacts(model, tmp_path), {"x": np.array(["a", "é"], object)})


def test_sequences_of_unknown_length(tmp_path):
    feed = {"s": [np.ones((2, 3), np.float32), np.ones((4,), np.float32)], "x": X}
    found = artifacts(text_model(SEQUENCES), tmp_path)
    outputs = assert_all_agree(found, feed)
    assert [array.shape for array in outputs["r"]] == [(2, 3), (4,), (2,)]
    assert_all_agree(found, {"s": [], "x": X})


def test_sequences_of_known_length(tmp_path):
    model = text_model("g (float[2] x) => (seq(float[2]) t) { n = Neg (x)  t = SequenceConstruct (x, n) }")
    found = artifacts(model, tmp_path)
    assert_all_agree(found, {"x": X}, without=["folder alone"])
    assert list(found["folder alone"].run({"x": X})) == ["t_0", "t_1"]


def test_optionals(tmp_path):
    graph = """g (optional(float[2]) o, float[2] x, bool c) => (optional(float[2]) r, bool h) {
        h = OptionalHasElement (o)
        r = If (c) <
            then_branch = a () => (optional(float[2]) t) { t = Identity (o) },
            else_branch = b () => (optional(float[2]) e) { e = Optional (x) }
        >
    }"""
    found = artifacts(text_model(graph, opset=18), tmp_path)
    for given in (X, None):
        for condition in (True, False):
            feed = {"o": given, "x": X + 1, "c": np.array(condition)}
            expected = {"r": given if condition else X + 1, "h": np.array(given is not None)}
            for name in ("prepared", "saved model", "folder alone"):
                if given is None and name == "folder alone":
                    continue
                comparison = compare(expected, found[name].run(feed))
                assert comparison.fits, f"{name}\n{comparison}"


def zipmap(keys):
    nodes = [helper.make_node("ZipMap", ["x"], ["m"], domain="ai.onnx.ml", **keys)]
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 2])
    kind = onnx.TensorProto.INT64 if "classlabels_int64s" in keys else onnx.TensorProto.STRING
    maps = helper.make_map_type_proto(kind, helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, []))
    output = onnx.ValueInfoProto(name="m", type=helper.make_sequence_type_proto(maps))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(helper.make_graph(nodes, "g", [value], [output]), opset_imports=opsets, ir_version=8)


@pytest.mark.parametrize("keys", [{"classlabels_int64s": [4, 7]}, {"classlabels_strings": ["a", "b"]}], ids=str)
def test_sequences_of_maps(tmp_path, keys):
    found = artifacts(zipmap(keys), tmp_path)
    outputs = assert_all_agree(found, {"x": np.array([[0.25, 0.75], [1, 0]], np.float32)})
    assert len(outputs["m"]) == 2


def test_maps(tmp_path):
    nodes = [helper.make_node("DictVectorizer", ["m"], ["y"], domain="ai.onnx.ml", string_vocabulary=["a", "b"])]
    kind = helper.make_map_type_proto(
        onnx.TensorProto.STRING, helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, [])
    )
    given = onnx.ValueInfoProto(name="m", type=kind)
    output = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 2])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(helper.make_graph(nodes, "g", [given], [output]), opset_imports=opsets, ir_version=8)
    assert_all_agree(artifacts(model, tmp_path), {"m": {"b": 2.5}})


def test_dtypes_that_tensorflow_carries_in_others(tmp_path):
    graph = """g (int4[3] x) => (int4[3] y, float8e4m3fn[3] z) {
        y = Transpose (x)
        f = Cast <to = 1> (x)
        z = Cast <to = 17> (f)
    }"""
    found = artifacts(text_model(graph, opset=21, ir_version=10), tmp_path)
    outputs = assert_all_agree(found, {"x": np.array([1, -8, 7], ml_dtypes.int4)}, without=["folder alone"])
    assert outputs["y"].dtype == ml_dtypes.int4
    shown = found["folder alone"].run({"x": np.array([1, -8, 7], np.int8)})
    np.testing.assert_array_equal(shown["y"], [1, -8, 7])


def test_all_speak_of_axes_in_onnx_order(tmp_path):
    model = text_model("g (float[N, 2, 5, 4] x) => (float[N, 2, 5, 4] y) { y = LRN <size = 3> (x) }")
    x = np.random.default_rng(0).normal(size=(3, 2, 5, 4)).astype(np.float32)
    found = artifacts(model, tmp_path, channels_last_inputs=["x"], channels_last_outputs=["y"])
    assert_all_agree(found, {"x": x}, without=["folder alone"])
    own = found["folder alone"].run({"x": np.moveaxis(x, 1, -1)})["y"]
    np.testing.assert_allclose(np.moveaxis(own, -1, 1), found["onnx runtime"].run({"x": x})["y"], rtol=1e-5)


@pytest.mark.parametrize("names", [("a", "A"), ("a.b", "a_b"), ("self", "x"), ("self", "class"), ("input_0", "b:0")])
def test_names_that_python_or_tensorflow_cannot_tell_apart(tmp_path, names):
    first, second = names
    model = node_model([helper.make_node("Sub", [first, second], ["y"])], {first: [20], second: [20]}, ["y"])
    feed = {second: np.full(20, 3, np.float32), first: np.full(20, 5, np.float32)}
    assert_all_agree(artifacts(model, tmp_path), feed)


def test_overridden_initializers():
    model = text_model("g (float[2] x) => (float[2] y) { y = Add (x, w) }")
    model.graph.initializer.append(onnx.numpy_helper.from_array(X, "w"))
    model.graph.input.append(helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, [2]))
    feed = {"x": X, "w": X * 10}
    expected = OnnxRuntime(model).run(feed)
    assert compare(expected, Prepared(prepare(model)).run(feed)).fits


def test_inputs_that_do_not_fit(tmp_path):
    found = artifacts(text_model(TENSORS), tmp_path)
    feed = {"i": np.array([1, 2]), "a": X, "z": X}
    for name in ("prepared", "saved model", "folder alone"):
        with pytest.raises(InputError, match="'i' is missing"):
            found[name].run({"a": X, "z": X})
        with pytest.raises(InputError, match="no input 'other'"):
            found[name].run(feed | {"other": X})
        with pytest.raises(InputError, match="'a'"):
            found[name].run(feed | {"a": X.astype(np.float64)})


def test_folders_that_are_no_saved_model(tmp_path):
    with pytest.raises(OnnxTfError, match="holds no SavedModel"):
        SavedModel(tmp_path)
    tf.saved_model.save(tf.Module(), str(tmp_path / "empty"))
    with pytest.raises(OnnxTfError, match=r"no signature 'serving_default', only \[\]"):
        SavedModel(tmp_path / "empty")


def test_bound_calls(tmp_path):
    found = artifacts(text_model("g (float[2] x) => (float[2] y) { y = Neg (x) }"), tmp_path)
    call = found["saved model"].bind({"x": X})
    np.testing.assert_array_equal(call()["y"], -X)
    np.testing.assert_array_equal(call()["y"], -X)


def test_a_saved_model_that_fails_names_the_operation(tmp_path):
    model = text_model("g (float[n] x, int64[m] i) => (float[m] y) { y = Gather(x, i) }")
    prepare(model).export_graph(tmp_path / "model")
    with pytest.raises(RunError, match=r"'Gather_0/.*7 is not in"):
        SavedModel(tmp_path / "model").run({"x": np.ones(2, np.float32), "i": np.array([7])})
