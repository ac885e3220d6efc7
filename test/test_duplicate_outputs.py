"""One value listed several times among the outputs of a graph."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from onnx import TensorProto, helper

from onnx_tf import prepare
from onnx_tf.cli import main

X = np.random.default_rng(0).normal(size=(2, 3, 4, 4)).astype(np.float32)
WEIGHT = np.random.default_rng(1).normal(size=(5, 3, 1, 1)).astype(np.float32)


def model(outputs: list[str]) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Relu", ["c"], ["y"]),
        helper.make_node("Identity", ["y"], ["i"]),
        helper.make_node("Neg", ["y"], ["z"]),
    ]
    infos = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 5, 4, 4]) for name in ("c", "y", "i", "z")
    }
    infos["x"] = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 4, 4])
    infos["w"] = helper.make_tensor_value_info("w", TensorProto.FLOAT, WEIGHT.shape)
    initializer = onnx.numpy_helper.from_array(WEIGHT, "w")
    graph = helper.make_graph(nodes, "g", [infos["x"]], [infos[name] for name in outputs], [initializer])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def expected(proto: onnx.ModelProto) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs: list[np.ndarray] = session.run(None, {"x": X})
    return outputs


CASES = [["y", "z", "y"], ["y", "y"], ["z", "w", "i", "w", "i", "w"], ["x", "z", "x"], ["i", "y", "i", "y"], ["c", "c"]]


@pytest.mark.parametrize("outputs", CASES, ids="-".join)
@pytest.mark.parametrize("options", [{}, {"layout": "keep"}, {"training": True}], ids=str)
def test_run_gives_all_of_them(outputs, options):
    proto = model(outputs)
    rep = prepare(proto, **options)
    results = rep.run(X)
    assert rep.outputs == results.names == tuple(outputs)
    for name, got, want in zip(outputs, results, expected(proto), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
        assert results[name] is results[outputs.index(name)]


def test_channels_last_outputs_are_given_so_each_time():
    proto = model(["y", "z", "y"])
    results = prepare(proto, channels_last_outputs=["y"]).run(X)
    y, z, _ = expected(proto)
    for got, want in zip(results, [np.moveaxis(y, 1, -1), z, np.moveaxis(y, 1, -1)], strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("freeze", [False, True])
def test_a_saved_model_has_one_of_that_name(freeze, tmp_path):
    proto = model(["y", "z", "w", "y", "w"])
    prepare(proto).export_graph(tmp_path / "out", freeze=freeze)
    results = tf.saved_model.load(str(tmp_path / "out")).signatures["serving_default"](x=tf.constant(X))
    assert results.keys() == {"y", "z", "w"}
    for name, want in zip(["y", "z", "w"], expected(proto), strict=False):
        np.testing.assert_allclose(results[name], want, rtol=1e-5, atol=1e-5)


def test_the_command_line_takes_them(tmp_path, capsys):
    (tmp_path / "model.onnx").write_bytes(model(["y", "z", "y"]).SerializeToString())
    np.save(tmp_path / "x.npy", X)
    path, given = str(tmp_path / "model.onnx"), ["--input", str(tmp_path / "x.npy")]
    assert main(["convert", path, "-o", str(tmp_path / "out"), "--check"]) == 0
    assert main(["run", path, *given, "--output", str(tmp_path / "y.npz")]) == 0
    assert main(["info", path]) == 0
    capsys.readouterr()
    assert main(["run", path, *given, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["outputs"].keys() == {"y", "z"}


def test_a_branch_may_list_one_too():
    """ONNX Runtime 1.32 leaves the first of them unset, so the numbers are numpy's."""

    def branch(name: str, op: str) -> onnx.GraphProto:
        info = helper.make_tensor_value_info(name, TensorProto.FLOAT, [2])
        return helper.make_graph([helper.make_node(op, ["x"], [name])], name, [], [info, info])

    node = helper.make_node("If", ["c"], ["a", "b"], then_branch=branch("t", "Relu"), else_branch=branch("e", "Neg"))
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xab"]
    condition = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    graph = helper.make_graph([node], "g", [condition, infos[0]], infos[1:])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    x = np.float32([1, -2])
    for given, want in ((True, np.maximum(x, 0)), (False, -x)):
        for result in prepare(proto).run(c=np.array(given), x=x):
            np.testing.assert_array_equal(result, want)
