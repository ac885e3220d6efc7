from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import tensorflow as tf
from onnx import TensorProto, helper

from onnx_tf import ConversionError, InputError, prepare
from onnx_tf.runtime.outputs import Outputs
from test.models import relu_model, text_model

X = np.array([[-1, 0, 2]], np.float32)
Y = np.array([[0, 0, 2]], np.float32)

TWO = """g (float[N, 3] a, int64[3] b) => (float[N, 3] sum, int64[3] twice) {
    c = Cast <to = 1> (b) sum = Add(a, c) twice = Add(b, b)
}"""
A, B = np.ones((2, 3), np.float32), np.arange(3)


@pytest.fixture(scope="module")
def one():
    return prepare(relu_model())


@pytest.fixture(scope="module")
def two():
    return prepare(text_model(TWO))


@pytest.mark.parametrize(
    "given",
    [
        X,
        [X],
        (X,),
        {"x": X},
        X.tolist(),
        [X.tolist()],
        tuple(map(tuple, X.tolist())),
        [[-1, 0, 2]],
        [[-1, False, 2.0]],
        tf.constant(X),
        [tf.constant(X)],
        tf.Variable(X),
        {"x": tf.Variable(X)},
        np.asfortranarray(X),
        X[:, ::1][::-1],
        np.ma.masked_array(X).filled(),
    ],
    ids=repr,
)
def test_every_form_of_a_single_input(one, given):
    result = one.run(given)
    np.testing.assert_array_equal(result[0], Y)
    assert isinstance(result[0], np.ndarray)
    assert result[0].dtype == np.float32


def test_a_keyword_input(one):
    np.testing.assert_array_equal(one.run(x=X)[0], Y)


@pytest.mark.parametrize(
    ("positional", "keywords"),
    [
        ([A, B], {}),
        ((A, B), {}),
        ({"b": B, "a": A}, {}),
        ({"b": B}, {"a": A}),
        (None, {"a": A, "b": B}),
        ([A.tolist(), B.tolist()], {}),
        ([A, [0, 1.0, 2]], {}),
        ([A], {"b": B}),
    ],
)
def test_every_form_of_several_inputs(two, positional, keywords):
    result = two.run(positional, **keywords)
    np.testing.assert_array_equal(result["sum"], A + B)
    np.testing.assert_array_equal(result["twice"], 2 * B)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (X.astype(np.float64), ["input 'x'", "float32", "float64", "astype('float32')"]),
        (X.astype(np.float16), ["float32", "float16"]),
        (X.astype(np.int32), ["float32", "int32"]),
        (tf.constant(X, tf.float64), ["float64", "tf.cast"]),
        (X[0], ["input 'x'", "[N, 3]", "[3]"]),
        (X[None], ["[N, 3]", "[1, 1, 3]"]),
        (X[:, :2], ["[N, 3]", "[1, 2]"]),
        (3.0, ["[N, 3]"]),
        ([X, X], ["takes 1 input", "got 2"]),
        ([], ["x"]),
        ({}, ["'x' is missing"]),
        (None, ["'x' is missing"]),
        ({"x": None}, ["'x' is None"]),
        ({"y": X}, ["no input 'y'", "inputs are 'x'"]),
        ({"x": X, "z": X}, ["no input 'z'"]),
        ([["a", "b", "c"]], ["input 'x'", "float32"]),
        ([[1, 2], [3]], ["input 'x'"]),
        ([[[1, 2], [3]]], ["input 'x'", "lists of different lengths"]),
        ("text", ["input 'x'"]),
        ([[1j, 0, 0]], ["input 'x'"]),
        (object(), ["input 'x'"]),
    ],
)
def test_what_does_not_fit_is_refused_by_name(one, given, says):
    with pytest.raises(InputError) as caught:
        one.run(given)
    message = str(caught.value)
    assert "\n" not in message
    for part in says:
        assert part in message


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([A], "takes 2 inputs"),
        ([A, B, B], "got 3"),
        (A, "takes 2 inputs"),
        ({"a": A}, "'b' is missing"),
        ([A, B.astype(np.int32)], "int64"),
        ([A, [0.5, 1, 2]], "cannot hold"),
        ([A, [2**70, 1, 2]], "input 'b'"),
        ([B, A], "input 'a'"),
        ({"a": A, "b": B, "c": B}, "no input 'c'"),
    ],
)
def test_several_inputs_that_do_not_fit(two, given, says):
    with pytest.raises(InputError, match=says.replace("[", r"\[")):
        two.run(given)


def test_python_numbers_keep_their_value():
    signature = "(uint8[] a, bool[] b, float[] c) => (uint8[] x, bool[] y, float[] z)"
    model = prepare(text_model(f"g {signature} {{ x = Identity(a) y = Not(b) z = Neg(c) }}"))
    assert [v.item() for v in model.run([200, True, 2**24])] == [200, False, -(2.0**24)]
    for bad in ([-1, True, 0], [256, True, 0], [1.5, True, 0], [0, 2, 0], [0, True, 2**24 + 1]):
        with pytest.raises(InputError):
            model.run(bad)


def test_conflicting_position_and_keyword(one):
    with pytest.raises(InputError, match="'x' is given twice"):
        one.run(X, x=X)
    with pytest.raises(InputError, match="'x' is given twice"):
        one.run({"x": X}, x=X)


class TestOutputs:
    def test_index_name_and_unpacking(self, two):
        outputs = two.run([A, B])
        total, twice = outputs
        assert outputs.names == ("sum", "twice")
        assert outputs[0] is outputs["sum"] is outputs.sum is total
        assert outputs[-1] is outputs.twice is twice
        assert list(dict(outputs)) == ["sum", "twice"]
        assert len(outputs) == 2
        assert isinstance(outputs, tuple)
        assert list(outputs._asdict()) == list(outputs.keys())

    def test_a_single_output_stands_for_its_array(self, one):
        outputs = one.run(X)
        assert outputs.shape == (1, 3)
        assert outputs.dtype == np.float32
        assert outputs.argmax() == 2
        np.testing.assert_array_equal(np.asarray(outputs), Y)
        np.testing.assert_array_equal(outputs, [[0, 0, 2]])
        np.testing.assert_array_equal(outputs.astype(np.int64), Y)
        np.testing.assert_array_equal(np.concatenate([outputs[0], np.asarray(outputs)]), np.concatenate([Y, Y]))
        assert np.abs(outputs - Y).max() == 0
        assert float((2 * outputs).sum()) == 4
        assert np.asarray(outputs, np.float64).dtype == np.float64
        for tensor in (tf.convert_to_tensor(outputs), tf.constant(outputs), outputs + tf.zeros(3), tf.nn.relu(outputs)):
            np.testing.assert_array_equal(tensor, Y)
        assert bool((outputs == Y).all())
        assert bool((-outputs < 1).all())
        np.testing.assert_array_equal(outputs @ Y.T, [[4]])
        assert float(outputs.sum()) == int(np.sum(outputs)) == 2

    def test_several_outputs_are_no_array(self, two):
        outputs = two.run([A, B])
        with pytest.raises(TypeError, match="2 outputs"):
            np.asarray(outputs)
        with pytest.raises(TypeError, match="2 outputs"):
            2 * outputs
        with pytest.raises(AttributeError, match=r"no output 'shape'"):
            outputs.shape  # noqa: B018
        with pytest.raises(KeyError, match="no output 'other'"):
            outputs["other"]

    def test_copies(self, two):
        outputs = two.run([A, B])
        for other in (pickle.loads(pickle.dumps(outputs)), copy.deepcopy(outputs)):
            assert other.names == outputs.names
            np.testing.assert_array_equal(other["sum"], outputs["sum"])

    def test_repr_names_the_outputs(self):
        assert repr(Outputs([("a", 1), ("b:0", 2)])) == "Outputs(a=1, b:0=2)"

    def test_names_of_tuple_methods_are_still_there_by_name(self):
        outputs = Outputs([("count", 1), ("index", 2)])
        assert outputs["count"] == 1
        assert outputs["index"] == 2


V = np.array([1, -2], np.float32)


F = "float[2]"
CONSTANT = f"c = Constant <value = {F} {{5, 6}}> ()"
GRAPHS = {
    "input is output": (f"({F} x) => ({F} x) {{}}", {"x": V}),
    "input is also output": (f"({F} x) => ({F} x, {F} y) {{ y = Neg(x) }}", {"x": V, "y": -V}),
    "identity": (f"({F} x) => ({F} y) {{ y = Identity(x) }}", {"y": V}),
    "two identities": (f"({F} x) => ({F} y, {F} z) {{ y = Identity(x) z = Identity(x) }}", {"y": V, "z": V}),
    "hidden output": (f"({F} x) => ({F} y, {F} h) {{ h = Neg(x) y = Neg(h) }}", {"y": V, "h": -V}),
    "equal outputs": (f"({F} x) => ({F} y, {F} z) {{ y = Neg(x) z = Neg(x) }}", {"y": -V, "z": -V}),
    "unused input": (f"({F} u, {F} x) => ({F} y) {{ y = Neg(x) }}", {"y": -V}),
    "initializer is output": (f"({F} x) => ({F} w) <{F} w = {{3, 4}}> {{}}", {"w": [3, 4]}),
    "used initializer is output": (
        f"({F} x) => ({F} w, {F} y) <{F} w = {{3, 4}}> {{ y = Add(x, w) }}",
        {"w": [3, 4], "y": V + [3, 4]},
    ),
    "constant output": (f"({F} x) => ({F} c) {{ {CONSTANT} }}", {"c": [5, 6]}),
    "no inputs": (f"() => ({F} c) {{ {CONSTANT} }}", {"c": [5, 6]}),
    "folded output": (f"({F} x) => (int64[1] y) {{ y = Shape(x) }}", {"y": [2]}),
    "dynamic shape": ("(float[N] x) => (int64[1] y) { y = Shape(x) }", {"y": [2]}),
    "dead end": (f"({F} x) => ({F} y) {{ dead = Relu(x) y = Neg(x) }}", {"y": -V}),
    "unknown rank": ("(float[] x) => (float y) { y = Neg(x) }", {"y": -3}),
    "empty": ("(float[N, 0] x) => (float[N, 0] y) { y = Neg(x) }", {"y": np.zeros((2, 0))}),
}
FEEDS = {"unknown rank": np.float32(3), "empty": np.zeros((2, 0), np.float32)}


@pytest.mark.parametrize("name", GRAPHS)
def test_shapes_of_graphs(tmp_path, name):
    body, expected = GRAPHS[name]
    rep = prepare(text_model(f"g {body}"))
    feed = dict.fromkeys(rep.inputs, FEEDS.get(name, V))
    rep.export_graph(tmp_path / "model")
    signature = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    served = signature(**{name: tf.constant(array) for name, array in feed.items()})
    for result in (dict(rep.run(feed).items()), {name: tensor.numpy() for name, tensor in served.items()}):
        assert result.keys() == expected.keys()
        for output, array in expected.items():
            np.testing.assert_array_equal(result[output], array)


@pytest.mark.parametrize("ir_version", [3, 4, 8])
def test_initializers_that_are_inputs_can_be_overridden_by_name(ir_version):
    body = "g (float[2] x, float[2] w) => (float[2] y) <float[2] w = {3, 4}> { y = Add(x, w) }"
    model = text_model(body, ir_version=ir_version)
    if not any(value.name == "w" for value in model.graph.input):
        model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [2]))
    rep = prepare(model)
    assert rep.inputs == ("x",)
    assert rep.overridable == {"w"}
    np.testing.assert_array_equal(rep.run(V)[0], V + [3, 4])
    for _ in range(2):
        np.testing.assert_array_equal(rep.run({"x": V, "w": 2 * V})[0], 3 * V)
    np.testing.assert_array_equal(rep.run(V, w=[1, 1])[0], V + 1)
    np.testing.assert_array_equal(rep.run(V)[0], V + [3, 4])
    with pytest.raises(InputError, match="input 'w'"):
        rep.run({"x": V, "w": V.astype(np.float64)})


def test_graph_and_signatures(one):
    assert isinstance(one.graph, tf.Graph)
    assert any(op.type == "Relu" for op in one.graph.get_operations())
    assert list(one.signatures) == ["serving_default"]
    np.testing.assert_array_equal(one.signatures["serving_default"](tf.constant(X))["y"], Y)


def test_the_module_is_a_tf_module_that_can_be_called(two):
    module = two.tf_module
    assert isinstance(module, tf.Module)
    for result in (module(A, B), module(a=A, b=B), module({"a": A, "b": B}), module(A, b=B)):
        np.testing.assert_array_equal(result["sum"], A + B)
    for wrong in ((A,), (A, B, B)):
        with pytest.raises(TypeError, match="takes"):
            module(*wrong)
    with pytest.raises(TypeError, match="takes"):
        module(A, a=A, b=B)


def test_weights_are_variables_that_can_be_trained():
    weight = ", ".join(map(str, range(16)))
    initializers = f"float[4, 4] w = {{{weight}}}, float eps = {{1}}"
    rep = prepare(
        text_model(f"g (float[N, 4] x) => (float[N, 4] y) <{initializers}> {{ a = MatMul(x, w) y = Add(a, eps) }}")
    )
    assert list(rep.tf_module.weights) == ["w"]
    assert [v.shape for v in rep.tf_module.trainable_variables] == [(4, 4)]
    x = np.ones((1, 4), np.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(rep.tf_module(x)["y"])
    (gradient,) = tape.gradient(loss, rep.tf_module.trainable_variables)
    np.testing.assert_array_equal(gradient, np.ones((4, 4)))
    before = rep.run(x)[0]
    rep.tf_module.weights["w"].assign(tf.zeros((4, 4)))
    np.testing.assert_array_equal(rep.run(x)[0], np.ones((1, 4)))
    assert before.sum() != 4


def test_errors_while_tracing_name_the_node():
    model = text_model("g (float[2] x, float[3] z) => (float[2] y) { y = Add(x, z) }")
    model.graph.node[0].name = "adder"
    with pytest.raises(ConversionError) as caught:
        prepare(model)
    assert "node 'adder' (ai.onnx.Add, opset 17) with inputs [x: float32[2], z: float32[3]]" in str(caught.value)


def test_three_batch_sizes_do_not_retrace(one):
    for batch in (1, 2, 5):
        assert one.run(np.ones((batch, 3), np.float32)).shape == (batch, 3)
    assert one.tf_module.compute.experimental_get_tracing_count() == 1
