"""ONNX names are free text; TensorFlow's are not. Users see the ONNX names everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from onnx import helper
from tensorflow.core.protobuf import saved_model_pb2

from onnx_tf import prepare
from test.models import node_model, text_model
from test.reference import ort_outputs

NAMES = r"""X a:0 a/b /a a/ a.b _a __a a-b 1 0abc é 入力 class for self lambda None inputs name training kwargs args
input_0 signature a//b . .. // / : %1 @ # \ " ' ( {} a=b""".split()  # noqa: SIM905
NAMES += ["a b", " a", "a\nb", "x" * 500, "\U0001f642"]


def chain(x: str, hidden: str, y: str, weight: str, node_names: tuple[str, str] = ("", "")):
    nodes = [
        helper.make_node("Relu", [x], [hidden], name=node_names[0]),
        helper.make_node("Add", [hidden, weight], [y], name=node_names[1]),
    ]
    return node_model(nodes, {x: ["N", 20]}, [y], {weight: np.ones(20, np.float32)})


def serve(rep, folder, feed):
    rep.export_graph(folder)
    loaded = tf.saved_model.load(str(folder))
    signature = loaded.signatures["serving_default"]
    tensors = {name: tf.constant(array) for name, array in feed.items()}
    # Python itself keeps "self" from being a keyword of a method.
    results = signature(tensors["self"]) if "self" in tensors else signature(**tensors)
    definition = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    described = definition.meta_graphs[0].signature_def["serving_default"]
    assert set(described.inputs) == set(rep.inputs)
    assert set(described.outputs) == set(rep.outputs)
    return {name: tensor.numpy() for name, tensor in results.items()}


def serve_by_signature_def(folder, feed):
    """Call the signature as TensorFlow Serving does: Python's keywords cannot tell some names apart."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        signature = tf.compat.v1.saved_model.load(session, ["serve"], str(folder)).signature_def["serving_default"]
        tensors = {signature.inputs[name].name: array for name, array in feed.items()}
        return session.run({name: info.name for name, info in signature.outputs.items()}, tensors)


X = np.array([[-1.0, 2.0] * 10], np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_any_name_goes_through_run_and_export(tmp_path, name):
    for model, feed, output in [
        (chain(name, "h", "y", "w"), {name: X}, "y"),
        (chain("x", "h", name, "w", (name, name)), {"x": X}, name),
        (chain("x", name, "y", f"{name}!"), {"x": X}, "y"),
        (chain("x", f"{name}!", "y", name), {"x": X}, "y"),
    ]:
        rep = prepare(model)
        expected = np.maximum(X, 0) + 1
        np.testing.assert_array_equal(rep.run(feed)[output], expected)
        np.testing.assert_array_equal(rep.tf_module(feed)[output], expected)
        if output == name or name in feed:
            results = serve(rep, tmp_path / "model", feed)
            np.testing.assert_array_equal(results[output], expected)


def test_names_that_tensorflow_would_write_alike_stay_apart(tmp_path):
    names = ["a:0", "a_0", "a/0", "a.0", "a 0", "input_0", "input_1", "A_0", "_a_0", "Xyz", "xyZ", "Yy"]
    nodes = [helper.make_node("Mul", [name, f"w{name}"], [f"{name}"[::-1]]) for name in names]
    weights = {f"w{name}": np.full(20, i, np.float32) for i, name in enumerate(names)}
    model = node_model(nodes, {name: ["N", 20] for name in names}, [name[::-1] for name in names], weights)
    rep = prepare(model)
    assert list(rep.inputs) == names
    feed = {name: X + i for i, name in enumerate(names)}
    expected = {name[::-1]: (X + i) * i for i, name in enumerate(names)}
    rep.export_graph(tmp_path / "model")
    results = serve_by_signature_def(tmp_path / "model", feed)
    for name, array in expected.items():
        np.testing.assert_array_equal(rep.run(feed)[name], array)
        np.testing.assert_array_equal(results[name], array)
    specs = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"].structured_input_signature[1]
    assert sorted(spec.name for spec in specs.values()) == sorted(names)  # which tf2onnx calls inputs by


def test_inputs_keep_their_order_by_position(tmp_path):
    names = ["z", "b:0", "a", "input_1"]
    nodes = [helper.make_node("Sub", ["z", "b:0"], ["d"]), helper.make_node("Mul", ["a", "input_1"], ["m"])]
    rep = prepare(node_model(nodes, {name: [20] for name in names}, ["m", "d"]))
    arrays = [np.full(20, value, np.float32) for value in (7, 2, 3, 5)]
    assert [array[0] for array in rep.run(arrays)] == [15, 5]
    results = serve(rep, tmp_path / "model", dict(zip(names, arrays, strict=True)))
    assert {name: array[0] for name, array in results.items()} == {"m": 15, "d": 5}


def test_variables_carry_the_initializers_names():
    rep = prepare(chain("x", "h", "y", "layer.0.weight"))
    assert list(rep.tf_module.weights) == ["layer.0.weight"]
    assert rep.tf_module.weights["layer.0.weight"].name == "layer.0.weight:0"


def test_nodes_may_share_a_name(tmp_path):
    rep = prepare(chain("x", "h", "y", "w", ("same", "same")))
    results = serve(rep, tmp_path / "model", {"x": X})
    np.testing.assert_array_equal(results["y"], np.maximum(X, 0) + 1)


IMAGE = np.random.default_rng(0).standard_normal((1, 2, 5, 5)).astype(np.float32)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (
            """g (float[1,2,5,5] x) => (float[1,2,5,5] y) {
                x_channels_first = Neg(x) p = MaxPool<kernel_shape = [1, 1]>(x) y = Add(p, x_channels_first)
            }""",
            {"channels_last_inputs": ["x"]},
        ),
        (
            """g (float[1,2,5,5] x) => (float[1,2,5,5] y) {
                y_channels_first = Exp(x) p = MaxPool<kernel_shape = [1, 1]>(x) y = Add(p, y_channels_first)
            }""",
            {"channels_last_outputs": ["y"]},
        ),
        (
            """g (float[1,2,5,5] x) => (float[1,4,5,5] z) <float[2,2,1,1] w = {1, 2, 3, 4}, float[4] s = {1, 2, 3, 4},
                float[4] b = {1, 2, 3, 4}, float[4] m = {1, 2, 3, 4}, float[4] v = {1, 2, 3, 4}> {
                y_0 = Conv(x, w) a = Neg(x) y_1 = Conv(a, w) c = Concat<axis = 1>(y_0, y_1)
                y = BatchNormalization(c, s, b, m, v) z = Relu(y)
            }""",
            {"layout": "keep"},
        ),
        (
            """g (float[1,2,5,5] x) => (float[2] v, float[1,2,5,5] y) <float[2] v = {1, 2}, float[2] w = {3, 4}> {
                v_value = Neg(x) y = Abs(v_value)
            }""",
            {},
        ),
    ],
    ids=["channels_first_input", "channels_first_output", "batch_normalization_of_concat", "constant_output"],
)
def test_names_that_passes_would_take(text, options):
    model = text_model(text)
    rep = prepare(model, **options)
    moved_in, moved_out = rep.layout_report.channels_last_inputs, rep.layout_report.channels_last_outputs
    outputs = rep.run(np.moveaxis(IMAGE, 1, -1) if moved_in else IMAGE)
    for name, expected in ort_outputs(model, {"x": IMAGE}).items():
        given = np.moveaxis(expected, 1, -1) if name in moved_out else expected
        np.testing.assert_allclose(outputs[name], given, rtol=1e-4, atol=1e-5)
