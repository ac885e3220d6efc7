"""Overrides of single nodes: what is changed is what ONNX Runtime computes of the same change."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import TensorProto, helper

from onnx_tf import EditError, FileError, convert, onnx_op, prepare
from onnx_tf.edits import edited_source
from onnx_tf.edits.overriding import override
from onnx_tf.model.loading import load_model
from onnx_tf.options import Options
from onnx_tf.overrides import NodeOverride, Overrides, overrides_of
from onnx_tf.registry import registry
from test.models import node_model, text_model
from test.reference import ort_outputs

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3, 4)).astype(np.float32)

NET = """g (float[2, 3, 4] x) => (float[2, 12] y) <float[3, 1] w = {1, 2, 3}> {
  a = Add(x, w)
  s = Softmax <axis = -1> (a)
  shape = Constant <value_ints = [2, 12]> ()
  y = Reshape(s, shape)
}"""


def net() -> onnx.ModelProto:
    """A small network whose nodes are called as their operators."""
    model = text_model(NET)
    for node in model.graph.node:
        node.name = node.op_type.lower()
    return model


def check(model: onnx.ModelProto, overrides: Any, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Compare with ONNX Runtime on the same change; return what is computed."""
    expected = ort_outputs(edited_source(model, Options.of(overrides=overrides)), feed)
    found = prepare(model, overrides=overrides).run(feed)
    assert list(found.keys()) == list(expected)
    for name, want in expected.items():
        np.testing.assert_allclose(found[name], want, rtol=1e-5, atol=1e-6)
    return dict(found.items())


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


W = np.array([[1], [2], [3]], np.float32)


def test_an_attribute() -> None:
    found = check(net(), {"nodes": [{"node": "softmax", "attributes": {"axis": 1}}]}, {"x": X})
    np.testing.assert_allclose(found["y"], softmax(X + W, 1).reshape(2, 12), rtol=1e-5)
    default = check(net(), {"nodes": [{"node": "softmax", "attributes": {"axis": None}}]}, {"x": X})
    np.testing.assert_allclose(default["y"], softmax(X + W, -1).reshape(2, 12), rtol=1e-5)


@pytest.mark.parametrize("name", ["shape", "the_shape"])
def test_a_constant_by_the_name_of_the_value_or_of_the_schema(name: str) -> None:
    model = net()
    model.graph.node[2].output[0] = model.graph.node[3].input[1] = "the_shape"
    found = check(model, {"nodes": [{"node": "reshape", "inputs": {name: [3, -1]}}]}, {"x": X})
    assert found["y"].shape == (3, 8)
    np.testing.assert_allclose(found["y"], softmax(X + W, -1).reshape(3, 8), rtol=1e-5)


def test_an_initializer_that_others_read_is_changed_for_one_node_alone() -> None:
    model = text_model(
        "g (float[2] x) => (float[2] y, float[2] z) <float[2] w = {1, 2}> { y = Add(x, w) z = Mul(x, w) }"
    )
    x = np.array([3, 4], np.float32)
    found = check(model, {"nodes": [{"node": "y", "inputs": {"w": [10, 20]}}]}, {"x": x})
    np.testing.assert_array_equal(found["y"], [13, 24])
    np.testing.assert_array_equal(found["z"], [3, 8])


def test_an_optional_input_is_added_and_left_out() -> None:
    model = node_model([helper.make_node("Clip", ["x", "", "most"], ["y"], name="clip")], {"x": [3]}, ["y"],
                       {"most": np.array(1, np.float32)})  # fmt: skip
    x = np.array([-3, 0, 3], np.float32)
    found = check(model, {"nodes": [{"node": "clip", "inputs": {"min": -1}}]}, {"x": x})
    np.testing.assert_array_equal(found["y"], [-1, 0, 1])
    found = check(model, {"nodes": [{"node": "clip", "inputs": {"max": None}}]}, {"x": x})
    np.testing.assert_array_equal(found["y"], x)


def test_transposes() -> None:
    entry = {"node": "softmax", "transpose_before": {"a": [0, 2, 1]}, "transpose_after": {"s": [1, 0, 2]}}
    found = check(net(), {"nodes": [entry]}, {"x": X})
    expected = softmax((X + W).transpose(0, 2, 1), -1).transpose(1, 0, 2).reshape(2, 12)
    np.testing.assert_allclose(found["y"], expected, rtol=1e-5)


def test_a_transpose_behind_a_graph_output_keeps_its_name() -> None:
    overrides = {"nodes": [{"node": "reshape", "transpose_after": {"y": [1, 0]}}]}
    rep = prepare(net(), overrides=overrides)
    assert repr(rep.outputs) == "(y: float32[12, 2])"
    found = check(net(), overrides, {"x": X})
    np.testing.assert_allclose(found["y"], softmax(X + W, -1).reshape(2, 12).T, rtol=1e-5)
    assert set(rep.value_names) >= {"y", "y_before_transpose"}


def test_names() -> None:
    overrides = {"rename_inputs": {"x": "image"}, "rename_outputs": {"y": "scores"}}
    rep = prepare(net(), overrides=overrides)
    assert (tuple(rep.inputs), tuple(rep.outputs)) == (("image",), ("scores",))
    check(net(), overrides, {"image": X})


def test_names_can_be_exchanged() -> None:
    model = text_model("g (float[2] a, float[2] b) => (float[2] y) { y = Sub(a, b) }")
    a, b = np.array([1, 2], np.float32), np.array([5, 7], np.float32)
    found = check(model, {"rename_inputs": {"a": "b", "b": "a"}}, {"b": a, "a": b})
    np.testing.assert_array_equal(found["y"], a - b)


def test_other_edits_use_the_new_names() -> None:
    model = text_model("g (float[N, 2] x) => (float[N, 2] y) { y = Relu(x) }")
    rep = prepare(model, overrides={"rename_inputs": {"x": "image"}}, input_shapes={"image": [3, 2]})
    assert repr(rep.inputs) == "(image: float32[3, 2])"


def test_a_dtype_that_follows() -> None:
    model = text_model("g (float[3] x) => (int32[3] y) { c = Cast <to = 6> (x) y = Add(c, c) }")
    x = np.array([1.5, -2, 3], np.float32)
    found = check(model, {"nodes": [{"node": "c", "attributes": {"to": TensorProto.INT64}}]}, {"x": x})
    assert found["y"].dtype == np.int64


def test_a_node_within_a_body() -> None:
    branch = helper.make_graph(
        [helper.make_node("Softmax", ["x"], ["z"], name="inner", axis=0)], "then", [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [2, 3, 4])],
    )  # fmt: skip
    other = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["r"], name="other")], "else", [],
        [helper.make_tensor_value_info("r", TensorProto.FLOAT, [2, 3, 4])],
    )  # fmt: skip
    graph = helper.make_graph(
        [helper.make_node("If", ["b"], ["y"], name="if", then_branch=branch, else_branch=other)],
        "g",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3, 4]),
            helper.make_tensor_value_info("b", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3, 4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    entry = {"node": "inner", "attributes": {"axis": 2}, "transpose_after": {"output": [1, 0, 2]}}
    with_else = {"node": "r", "transpose_after": {"r": [1, 0, 2]}}
    found = check(model, {"nodes": [entry, with_else]}, {"x": X, "b": np.array(True)})
    np.testing.assert_allclose(found["y"], softmax(X, 2).transpose(1, 0, 2), rtol=1e-5)


@pytest.fixture
def handlers():
    known = {key: list(versions) for key, versions in registry._handlers.items()}
    yield
    registry._handlers.clear()
    registry._handlers.update(known)


@pytest.mark.usefixtures("handlers")
def test_a_registered_handler() -> None:
    @onnx_op("Scaled", domain="my.domain", since=1)
    def scaled(x: Any, *, factor: float) -> Any:
        return tf.nn.softmax(x) * factor

    entry = {"node": "softmax", "replace_by": "my.domain.Scaled", "attributes": {"factor": 2.0}}
    rep = prepare(net(), overrides={"nodes": [entry]})
    np.testing.assert_allclose(rep.run(X)["y"], 2 * softmax(X + W, -1).reshape(2, 12), rtol=1e-5)


@pytest.mark.usefixtures("handlers")
def test_the_newest_version_of_a_domain_that_the_model_does_not_import() -> None:
    @onnx_op("Versioned", domain="my.domain", since=3)
    def versioned(x: Any) -> Any:
        return x * 3

    rep = prepare(net(), overrides={"nodes": [{"node": "softmax", "replace_by": "my.domain.Versioned"}]})
    np.testing.assert_allclose(rep.run(X)["y"], 3 * (X + W).reshape(2, 12), rtol=1e-5)


@pytest.mark.usefixtures("handlers")
def test_a_node_that_onnx_runtime_does_not_know_is_written_and_not_compared(tmp_path) -> None:
    @onnx_op("Same", domain="my.domain", since=1)
    def same(x: Any) -> Any:
        return x + 0.0

    overrides = {"nodes": [{"node": "softmax", "replace_by": "my.domain.Same"}]}
    done = convert(net(), tmp_path / "model.tflite", overrides=overrides)
    assert done.accuracy is None
    assert "my.domain" in done.artifacts[0].unchecked


def test_an_operator_of_onnx_is_compared(tmp_path) -> None:
    overrides = {"nodes": [{"node": "softmax", "replace_by": "LogSoftmax", "attributes": {"axis": 2}}]}
    found = check(net(), overrides, {"x": X})
    np.testing.assert_allclose(found["y"], np.log(softmax(X + W, -1)).reshape(2, 12), rtol=1e-4)
    assert convert(net(), tmp_path / "model", overrides=overrides, check=True).fits


def test_python_s_own_values_of_overrides() -> None:
    overrides = Overrides((NodeOverride("softmax", attributes={"axis": 1}),), rename_outputs={"y": "z"})
    found = check(net(), overrides, {"x": X})
    np.testing.assert_allclose(found["z"], softmax(X + W, 1).reshape(2, 12), rtol=1e-5)


def test_a_permutation_that_is_none() -> None:
    overrides = Overrides((NodeOverride("softmax", transpose_before={"a": (0, 2, 2)}),))
    with pytest.raises(EditError, match=r"softmax: transpose_before: \[0, 2, 2\] is no permutation"):
        prepare(net(), overrides=overrides)


def test_files_of_json_and_yaml(tmp_path) -> None:
    expected = {"nodes": [{"node": "softmax", "attributes": {"axis": 1}}]}
    (tmp_path / "o.json").write_text(json.dumps(expected))
    (tmp_path / "o.yaml").write_text("nodes:\n  - node: softmax\n    attributes: {axis: 1}\n")
    pytest.importorskip("yaml")
    assert overrides_of(tmp_path / "o.json") == overrides_of(tmp_path / "o.yaml") == overrides_of(expected)
    check(net(), tmp_path / "o.yaml", {"x": X})


def test_without_pyyaml_json_is_left(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    (tmp_path / "o.yaml").write_text("nodes: []")
    with pytest.raises(FileError, match=r"PyYAML is not installed: pip install 'onnx-tf\[yaml\]', or write JSON"):
        overrides_of(tmp_path / "o.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "are no JSON"),
        ("[1]", "hold list: a mapping is expected"),
        ('{"nodes": [], "nodes": []}', "'nodes' stands twice"),
    ],
)
def test_files_that_are_none(tmp_path, text: str, message: str) -> None:
    path = tmp_path / "o.json"
    path.write_text(text)
    with pytest.raises(FileError, match=message):
        overrides_of(path)


def test_a_file_that_is_missing(tmp_path) -> None:
    with pytest.raises(FileError, match="No such file"):
        overrides_of(tmp_path / "o.json")


def test_all_that_is_not_of_the_form_is_told_at_once() -> None:
    content = {
        "node": [],
        "nodes": [
            {"node": "a", "atributes": {"axis": 1}},
            {"node": "b"},
            {"node": "c", "transpose_before": {"x": [0, 2, 2]}, "inputs": [1]},
            {"attributes": {}},
            7,
        ],
        "rename_inputs": {"x": 3},
    }
    with pytest.raises(EditError) as caught:
        overrides_of(content)
    text = str(caught.value)
    for part in (
        "the key 'node' is not known (did you mean 'nodes'?)",
        "nodes[0] (a): the key 'atributes' is not known (did you mean 'attributes'?)",
        "nodes[1] (b): it changes nothing",
        "nodes[2] (c): inputs: a mapping by names is expected, not [1]",
        "nodes[2] (c): transpose_before: x: a permutation is expected, as in [0, 2, 3, 1], not [0, 2, 2]",
        "nodes[3]: node: a name is expected, not None",
        "nodes[4]: a mapping with the key 'node' is expected, not 7",
        "rename_inputs: x: a name is expected, not 3",
    ):
        assert part in text
    with pytest.raises(EditError, match="must be a dict or the path of a file, not 3"):
        overrides_of(3)


def test_all_that_does_not_fit_the_model_is_told_at_once() -> None:
    content = {
        "nodes": [
            {"node": "sofmax", "attributes": {"axis": 1}},
            {"node": "softmax", "attributes": {"axes": 1}, "transpose_before": {"a": [1, 0], "b": [0]}},
            {"node": "softmax", "attributes": {"axis": 1.5}, "inputs": {"input": None}},
            {"node": "reshape", "inputs": {"shape": [1.5]}, "attributes": {"shape": [1]}},
            {"node": "reshape", "inputs": {"data": [[1], [2, 3]]}, "transpose_after": {"z": [0, 1]}},
            {"node": "add", "replace_by": "ai.onnx.Softmaxx"},
            {"node": "add", "inputs": {"B": [1e99]}},
        ],
        "rename_inputs": {"X": "z", "x": "a"},
    }
    with pytest.raises(EditError) as caught:
        override(load_model(net()), overrides_of(content))
    text = str(caught.value)
    for part in (
        "nodes[0] (sofmax): the model has no node 'sofmax' (did you mean 'softmax'?)",
        "nodes[1] (softmax): attributes: Softmax has no attribute 'axes' in opset 17 (did you mean 'axis'?); it has",
        "nodes[1] (softmax): transpose_before: 'a' has 3 axes, the permutation [1, 0] is of 2",
        "nodes[1] (softmax): transpose_before: Softmax has no input 'b'",
        "nodes[2] (softmax): attributes: 'axis' is of the type INT, which 1.5 is not",
        "nodes[2] (softmax): inputs: 'input' is no optional input of Softmax: state a value",
        "nodes[3] (reshape): attributes: 'shape' is an input of Reshape in opset 17: state it under inputs",
        "nodes[3] (reshape): inputs: shape: [1.5] are no numbers of int64",
        "nodes[4] (reshape): inputs: data: [[1], [2, 3]] is no array of float",
        "nodes[4] (reshape): transpose_after: Reshape has no output 'z'; it has 'reshaped', 'y'",
        "nodes[5] (add): replace_by: no handler computes ai.onnx.Softmaxx in opset 17 (did you mean 'Softmax'?)",
        "nodes[6] (add): inputs: B: [1e+99] has numbers beyond the range of float",
        "rename_inputs: 'X' is none of 'x' (did you mean 'x'?)",
        "rename_inputs: x: another value is called 'a' already: choose another name",
    ):
        assert part in text


def test_a_name_of_two_nodes() -> None:
    model = text_model("g (float[2] x) => (float[2] y) { a = Relu(x) y = Neg(a) }")
    for node in model.graph.node:
        node.name = "same"
    with pytest.raises(EditError, match="2 nodes are called so: name one by what it computes: 'a', 'y'"):
        prepare(model, overrides={"nodes": [{"node": "same", "replace_by": "Abs"}]})
    found = check(model, {"nodes": [{"node": "y", "replace_by": "Abs"}]}, {"x": np.array([-1, 2], np.float32)})
    np.testing.assert_array_equal(found["y"], [0, 2])


def test_the_model_stays_as_it_is() -> None:
    model = net()
    before = model.SerializeToString()
    loaded = load_model(model)
    override(loaded, overrides_of({"nodes": [{"node": "softmax", "attributes": {"axis": 0}}]}))
    assert model.SerializeToString() == before
    assert [node.attributes["axis"].as_int() for node in loaded.graph if node.op_type == "Softmax"] == [-1]
