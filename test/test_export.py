from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import onnx
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from onnx_tf import ExportError, prepare
from onnx_tf.export import saved_model
from test.models import relu_model, text_model
from test.reference import ort_outputs
from test.zoo.checks import run_in_fresh_process

WEIGHT = ", ".join(str(i / 7) for i in range(64))
LINEAR = f"""g (float[batch, 8] x) => (float[batch, 8] y, float[batch, 8] "h") <float[8, 8] w = {{{WEIGHT}}}> {{
    h = MatMul(x, w)
    y = Relu(h)
}}""".replace('"', "")
WEIGHT_16 = ", ".join(str(i / 7 - 1) for i in range(16))
X = np.linspace(-1, 1, 16, dtype=np.float32).reshape(2, 8)


@pytest.fixture(scope="module")
def rep():
    return prepare(text_model(LINEAR))


def definition(folder: Path) -> saved_model_pb2.SavedModel:
    return saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_process_without_this_package_serves_it(rep, tmp_path):
    rep.export_graph(tmp_path / "model")
    served = run_in_fresh_process(tmp_path, {"x": X})
    for name, array in rep.run(X).items():
        np.testing.assert_array_equal(served[name], array)


@pytest.mark.parametrize("freeze", [False, True])
def test_one_export_takes_every_batch_size(rep, tmp_path, freeze):
    rep.export_graph(tmp_path / "model", freeze=freeze)
    signature = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    assert signature.structured_input_signature[1]["x"].shape == (None, 8)
    for batch in (1, 2, 7):
        x = np.resize(X, (batch, 8))
        np.testing.assert_allclose(signature(tf.constant(x))["y"], rep.run(x)["y"], rtol=1e-6)


def test_weights_are_variables_by_default_and_constants_when_frozen(rep, tmp_path):
    rep.export_graph(tmp_path / "free")
    rep.export_graph(tmp_path / "frozen", freeze=True)
    free, frozen = (tf.saved_model.load(str(tmp_path / name)) for name in ("free", "frozen"))
    assert [variable.shape for variable in free.weights.values()] == [(8, 8)]
    assert free.weights["w"].trainable
    assert not frozen.signatures["serving_default"].variables
    assert not any(
        node.op in ("VarHandleOp", "ReadVariableOp")
        for graph in definition(tmp_path / "frozen").meta_graphs
        for function in graph.graph_def.library.function
        for node in function.node_def
    )


SIDE = 1024
LARGE = {
    "float": "g (float[n, 1024] x) => (float[n, 1024] y) { h = MatMul(x, w) y = Relu(h) }",
    "float16": "g (float16[n, 1024] x) => (float16[n, 1024] y) { h = MatMul(x, w) y = Relu(h) }",
    "int8": "g (int8[n, 1024] x) => (int32[n, 1024] y) { h = MatMulInteger(x, w) y = Neg(h) }",
    "loop": """g (float[n, 1024] x) => (float[n, 1024] y) <int64 count = {2}> {
        y = Loop (count, , x) <body = b (int64 i, bool c, float[n, 1024] s) => (bool d, float[n, 1024] t) {
            d = Identity(c)
            t = MatMul(s, w)
        }>
    }""",
}


def large_model(kind: str) -> onnx.ModelProto:
    """A model whose 1M weights dwarf its graph."""
    model = text_model(LARGE[kind])
    weight = np.random.default_rng(0).normal(0, 0.03 if kind != "int8" else 40, (SIDE, SIDE))
    dtype = {"float16": np.float16, "int8": np.int8}.get(kind, np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight.astype(dtype), "w"))
    return model


@pytest.mark.parametrize("freeze", [True, False])
@pytest.mark.parametrize("kind", LARGE)
def test_weights_are_on_disk_once(tmp_path, kind, freeze):
    model = large_model(kind)
    prepare(model).export_graph(tmp_path / "model", freeze=freeze)
    weights = len(model.graph.initializer[-1].raw_data)
    total = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
    assert weights < total < 1.05 * weights
    library = definition(tmp_path / "model").meta_graphs[0].graph_def.library
    constants = [node.name for f in library.function for node in f.node_def if node.op == "Const" and node.name == "w"]
    assert constants == (["w"] if freeze and kind != "int8" else [])
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    x = np.random.default_rng(1).normal(0, 3, (2, SIDE)).astype({"float16": np.float16, "int8": np.int8}.get(kind, "f"))
    (expected,) = ort_outputs(model, {"x": x}).values()
    far = {"rtol": 2e-2, "atol": 2e-2} if kind == "float16" else {"rtol": 1e-4, "atol": 1e-4}
    for served in (loaded.signatures["serving_default"](tf.constant(x)), loaded.serve(x), loaded.serve({"x": x})):
        np.testing.assert_allclose(served["y"], expected, **far)


def test_a_signature_is_inlined_down_to_its_constants(tmp_path):
    prepare(large_model("float")).export_graph(tmp_path / "model", freeze=True)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        signature = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path / "model")).signature_def
        described, metadata = signature["serving_default"], tf.compat.v1.RunMetadata()
        options = tf.compat.v1.RunOptions(output_partition_graphs=True)
        feed = {described.inputs["x"].name: np.zeros((1, SIDE), np.float32)}
        session.run(described.outputs["y"].name, feed, options=options, run_metadata=metadata)
    (graph,) = metadata.partition_graphs
    nodes = {node.name: node for node in graph.node}
    assert not [node.op for node in graph.node if "Call" in node.op]
    (product,) = [node for node in graph.node if "MatMul" in node.op]
    assert nodes[product.input[1]].op == "Const"


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
@pytest.mark.parametrize("freeze", [True, False])
def test_lite_takes_the_one_function(tmp_path, freeze):
    model = large_model("float")
    prepare(model).export_graph(tmp_path / "model", freeze=freeze)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "model"), signature_keys=["serving_default"])
    content = converter.convert()
    assert len(content) < 1.05 * 4 * SIDE * SIDE
    x = np.random.default_rng(1).normal(size=(1, SIDE)).astype(np.float32)
    run = tf.lite.Interpreter(model_content=content).get_signature_runner("serving_default")
    (expected,) = ort_outputs(model, {"x": x}).values()
    np.testing.assert_allclose(run(x=x)["y"], expected, rtol=1e-4, atol=1e-4)


def test_what_serving_expects(rep, tmp_path):
    rep.export_graph(tmp_path / "model")
    (graph,) = definition(tmp_path / "model").meta_graphs
    assert list(graph.meta_info_def.tags) == ["serve"]
    signature = graph.signature_def["serving_default"]
    assert signature.method_name == "tensorflow/serving/predict"
    assert list(signature.inputs) == ["x"]
    assert set(signature.outputs) == {"y", "h"}
    operations = {node.op for function in graph.graph_def.library.function for node in function.node_def}
    assert not {op for op in operations if "PyFunc" in op}


GATED = f"""g (float[n, 4, 5, 5] x) => (float[n, 4, 5, 5] y) <float[4, 4, 1, 1] w = {{{WEIGHT_16}}}> {{
    c = Conv(x, w)
    s = Sigmoid(c)
    g = Mul(c, s)
    y = Add(c, g)
}}"""


@pytest.mark.parametrize("freeze", [False, True])
def test_gates_stay_apart_from_convolutions(tmp_path, freeze):
    rep = prepare(text_model(GATED), channels_last_inputs="all", channels_last_outputs="all")
    rep.export_graph(tmp_path / "model", freeze=freeze)
    library = definition(tmp_path / "model").meta_graphs[0].graph_def.library
    kept = [n for f in library.function for n in f.node_def if "_grappler_do_not_remove" in n.attr]
    assert {node.op for node in kept} == (set() if freeze else {"Identity"})
    x = np.linspace(-3, 3, 200, dtype=np.float32).reshape(2, 4, 5, 5)
    signature = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    served = signature(x=tf.constant(x.transpose(0, 2, 3, 1)))["y"]
    (expected,) = ort_outputs(text_model(GATED), {"x": x}).values()
    np.testing.assert_allclose(np.transpose(served, [0, 3, 1, 2]), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("freeze", [False, True])
def test_the_same_model_gives_the_same_graph(tmp_path, freeze):
    graphs = []
    for name in ("one", "two"):
        prepare(text_model(LINEAR)).export_graph(tmp_path / name, freeze=freeze)
        (meta_graph,) = definition(tmp_path / name).meta_graphs
        functions = {f.signature.name.rstrip("0123456789"): f for f in meta_graph.graph_def.library.function}
        names = {key: [(n.name, n.op) for n in f.node_def] for key, f in functions.items()}
        graphs.append((names, sorted(meta_graph.signature_def["serving_default"].outputs), listing(tmp_path / name)))
    assert graphs[0] == graphs[1]


class TestWriting:
    def test_an_export_replaces_an_export(self, rep, tmp_path):
        target = tmp_path / "model"
        prepare(relu_model()).export_graph(target)
        rep.export_graph(target)
        assert set(tf.saved_model.load(str(target)).signatures["serving_default"].structured_outputs) == {"y", "h"}
        assert listing(tmp_path)[0] == "model"
        assert not [name for name in listing(tmp_path) if name.startswith(".")]

    def test_overwrite_false_keeps_it(self, rep, tmp_path):
        target = tmp_path / "model"
        prepare(relu_model()).export_graph(target)
        before = (target / "saved_model.pb").read_bytes()
        with pytest.raises(ExportError, match="exists already"):
            rep.export_graph(target, overwrite=False)
        assert (target / "saved_model.pb").read_bytes() == before

    def test_an_empty_folder_is_taken(self, rep, tmp_path):
        rep.export_graph(tmp_path)
        assert "saved_model.pb" in listing(tmp_path)

    def test_parents_are_made(self, rep, tmp_path):
        rep.export_graph(tmp_path / "a" / "b")
        assert (tmp_path / "a" / "b" / "saved_model.pb").exists()

    def test_relative_paths_and_strings(self, rep, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        rep.export_graph("model")
        assert (tmp_path / "model" / "saved_model.pb").exists()

    @pytest.mark.parametrize("overwrite", [True, False])
    def test_other_files_are_never_replaced(self, rep, tmp_path, overwrite):
        (tmp_path / "notes.txt").write_text("mine")
        with pytest.raises(ExportError, match="no SavedModel"):
            rep.export_graph(tmp_path, overwrite=overwrite)
        with pytest.raises(ExportError, match="is a file"):
            rep.export_graph(tmp_path / "notes.txt", overwrite=overwrite)
        assert listing(tmp_path) == ["notes.txt"]

    @pytest.mark.parametrize("step", ["save", "rename"])
    def test_a_failed_export_leaves_what_was_there(self, rep, tmp_path, monkeypatch, step):
        target = tmp_path / "model"
        prepare(relu_model()).export_graph(target)
        before = listing(tmp_path)

        def fail(*_args, **_kwargs):
            raise OSError("disk full")

        if step == "save":
            monkeypatch.setattr(tf.saved_model, "save", fail)
        else:
            monkeypatch.setattr(saved_model, "_rename_inputs", fail)
        with pytest.raises(OSError, match="disk full"):
            rep.export_graph(target)
        assert listing(tmp_path) == before
        with pytest.raises(OSError, match="disk full"):
            rep.export_graph(tmp_path / "new")
        assert listing(tmp_path) == before

    def test_the_folder_has_usual_permissions(self, rep, tmp_path):
        mask = os.umask(0o022)
        try:
            rep.export_graph(tmp_path / "model")
        finally:
            os.umask(mask)
        assert stat.S_IMODE((tmp_path / "model").stat().st_mode) == 0o755

    def test_a_frozen_graph_has_a_limit(self, rep, tmp_path, monkeypatch):
        monkeypatch.setattr(saved_model, "MAX_GRAPH_BYTES", 100)
        with pytest.raises(ExportError, match="keep the weights as variables, with freeze=False"):
            rep.export_graph(tmp_path / "model", freeze=True)
        assert listing(tmp_path) == []

    @pytest.mark.parametrize("dtype", ["float", "int8"])
    def test_the_limit_is_that_of_the_file(self, tmp_path, monkeypatch, dtype):
        rep = prepare(large_model(dtype))
        rep.export_graph(tmp_path / "model", freeze=True)
        size = (tmp_path / "model" / "saved_model.pb").stat().st_size
        monkeypatch.setattr(saved_model, "MAX_GRAPH_BYTES", size)
        rep.export_graph(tmp_path / "model", freeze=True)
        monkeypatch.setattr(saved_model, "MAX_GRAPH_BYTES", size - 20_000)
        with pytest.raises(ExportError, match=r"a file of TensorFlow holds [0-9.]+ .?B at most"):
            rep.export_graph(tmp_path / "new", freeze=True)
        assert listing(tmp_path)[0] == "model"
        assert not (tmp_path / "new").exists()


class TestServe:
    def test_several_inputs_come_as_one_dict(self, tmp_path):
        model = text_model("g (float[n] a, float[n] b) => (float[n] y) { y = Sub(a, b) }")
        prepare(model).export_graph(tmp_path / "model")
        serve = tf.saved_model.load(str(tmp_path / "model")).serve
        assert serve({"a": np.float32([5, 6]), "b": np.float32([1, 2])})["y"].numpy().tolist() == [4, 4]
        with pytest.raises((TypeError, ValueError)):
            serve(np.float32([5, 6]))

    @pytest.mark.parametrize("freeze", [True, False])
    def test_any_names(self, tmp_path, freeze):
        names = ["a:0", "a/0", "a_0", "A_0", "self", "é", "a b", "inputs", "input_0"]
        text = " ".join(f"v{i}" for i in range(len(names)))
        model = text_model(
            f"g ({', '.join(f'float[n] {v}' for v in text.split())}) => (float[n] y) "
            f"{{ y = Concat <axis = 0> ({', '.join(text.split())}) }}"
        )
        for index, name in enumerate(names):
            model.graph.input[index].name = model.graph.node[0].input[index] = name
        prepare(model).export_graph(tmp_path / "model", freeze=freeze)
        serve = tf.saved_model.load(str(tmp_path / "model")).serve
        feed = {name: np.float32([index]) for index, name in enumerate(names)}
        assert serve(feed)["y"].numpy().tolist() == list(range(len(names)))

    def test_sequences_come_as_their_tensors(self, tmp_path):
        model = text_model("g (seq(float[n]) s, int64 i) => (float[n] y) { y = SequenceAt(s, i) }")
        prepare(model).export_graph(tmp_path / "model", freeze=True)
        serve = tf.saved_model.load(str(tmp_path / "model")).serve
        feed = {"s_values": np.float32([1, 2, 3]), "s_shapes": np.int64([[1], [2]]), "i": np.int64(1)}
        assert serve(feed)["y"].numpy().tolist() == [2, 3]

    def test_a_model_without_inputs(self, tmp_path):
        prepare(text_model("g () => (float[2] y) { y = Constant <value = float[2] {1, 2}> () }")).export_graph(tmp_path)
        assert tf.saved_model.load(str(tmp_path)).serve({})["y"].numpy().tolist() == [1, 2]


def test_trained_weights_are_exported(tmp_path):
    rep = prepare(text_model(LINEAR))
    rep.tf_module.weights["w"].assign(tf.eye(8))
    for freeze in (False, True):
        rep.export_graph(tmp_path / "model", freeze=freeze)
        served = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"](tf.constant(X))
        np.testing.assert_array_equal(served["y"], np.maximum(X, 0))


def test_a_loaded_model_trains(rep, tmp_path):
    rep.export_graph(tmp_path / "model")
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(loaded.signatures["serving_default"](tf.constant(X))["y"])
    assert tape.gradient(loss, loaded.weights["w"]) is not None
