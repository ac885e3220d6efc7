from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
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
    operations = {node.op for function in library.function for node in function.node_def}
    assert "PlaceholderWithDefault" in operations
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
        with pytest.raises(ExportError, match="freeze=False"):
            rep.export_graph(tmp_path / "model", freeze=True)
        assert listing(tmp_path) == []


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
