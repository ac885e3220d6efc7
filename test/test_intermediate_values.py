"""Values inside a model by their ONNX names, and TensorFlow operations by their ONNX nodes."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper

from onnx_tf import InputError, RunError, prepare
from onnx_tf.runtime.scopes import scopes
from test.models import text_model
from test.reference import ort_outputs

X = np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)

NETWORK = """g (float[N,3,8,8] x, float[3] unused) => (float[N,5] y)
    <float[4] one = {1, 2, 3, 4}, float[4] two = {5, 6, 7, 8}> {
    c = Conv <pads = [0, 0, 0, 0]> (x, w)
    n = BatchNormalization (c, one, two, two, one)
    r = Relu (n)
    t = Transpose <perm = [0, 2, 3, 1]> (r)
    i = Identity (t)
    e = Exp (i)
    back = Transpose <perm = [0, 3, 1, 2]> (e)
    twin = Relu (n)
    s = Add (twin, back)
    f = Flatten (s)
    h = Neg (f)
    hundred = Constant <value_float = 100.0> ()
    ten = Sqrt (hundred)
    d = Div (h, ten)
    dead = Abs (d)
    y = MatMul (d, m)
}"""


def network():
    rng = np.random.default_rng(1)
    weights = {"w": rng.standard_normal((4, 3, 3, 3)), "m": rng.standard_normal((144, 5))}
    model = text_model(NETWORK)
    model.graph.initializer.extend(numpy_helper.from_array(a.astype(np.float32), name) for name, a in weights.items())
    return model


def all_outputs(model):
    known = {value.name for value in model.graph.output}
    for node in model.graph.node:
        model.graph.output.extend([type(model.graph.output[0])(name=n) for n in node.output if n not in known])
    return model


FEED = {"x": X, "unused": np.ones(3, np.float32)}


@pytest.mark.parametrize("layout", ["auto", "keep"])
def test_every_value_as_in_onnx_runtime(layout):
    rep = prepare(network(), layout=layout)
    values = rep.intermediate_values(FEED)
    expected = FEED | ort_outputs(all_outputs(network()), FEED, optimized=False)
    del expected["dead"]
    # In ONNX order: inputs, then nodes.
    assert list(values) == [
        "x",
        "unused",
        "c",
        "n",
        "r",
        "t",
        "i",
        "e",
        "back",
        "twin",
        "s",
        "f",
        "h",
        "hundred",
        "ten",
        "d",
        "y",
    ]
    for name, value in values.items():
        assert value.dtype == expected[name].dtype, name
        np.testing.assert_allclose(value, expected[name], rtol=1e-3, atol=1e-4, err_msg=name)


def test_chosen_values():
    rep = prepare(network())
    assert list(rep.intermediate_values(FEED, ["y", "r"])) == ["r", "y"]
    assert rep.intermediate_values(names=["r"], **FEED)["r"].shape == (1, 4, 6, 6)


def test_values_in_the_order_of_the_model_with_channels_last_inputs():
    rep = prepare(network(), channels_last_inputs=["x"])
    feed = FEED | {"x": np.moveaxis(X, 1, -1)}
    expected = prepare(network()).intermediate_values(FEED)
    for name, value in rep.intermediate_values(feed).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_names_that_are_no_values():
    rep = prepare(network())
    with pytest.raises(InputError, match="no value 'rr'; it has 'r'"):
        rep.intermediate_values(FEED, ["rr"])
    with pytest.raises(InputError, match="'dead' is not computed: no output needs it"):
        rep.intermediate_values(FEED, ["dead"])


def test_a_value_that_was_fused_says_into_what():
    model = text_model(
        """g (float[2,3,4] x) => (float[2,4,3] z) {
            t = Transpose <perm = [0, 2, 1]> (x) u = Transpose <perm = [2, 0, 1]> (t)
            v = Transpose <perm = [1, 2, 0]> (u) z = Exp (v)
        }"""
    )
    rep = prepare(model)
    with pytest.raises(InputError, match=r"'u' is not computed on its own: it was folded or fused into '\w'"):
        rep.intermediate_values({"x": np.ones((2, 3, 4), np.float32)}, ["u"])


def test_every_operation_tells_its_node():
    model = network()
    for index, node in enumerate(model.graph.node):
        node.name = f"/{'part' if index % 2 else 'Part'}{'/' * (index % 3)}{node.op_type}"
    rep = prepare(model)
    graph = rep.tf_module.graph
    names = {node.name for node in model.graph.node}
    made = [op for op in rep.graph.get_operations() if op.type in ("Conv2D", "Exp", "Neg", "MatMul", "Transpose")]
    assert len(made) >= 4
    for operation in made:
        assert graph.node_of(operation.name).onnx_node in names, operation.name
    (conv,) = [op for op in made if op.type == "Conv2D"]
    assert graph.node_of(conv.name).onnx_node == model.graph.node[0].name
    assert graph.node_of("no/such/operation") is None


def test_scopes_are_apart():
    names = ["a", "A", "a/b", "a/B", "b", "b_2", "b", "", "/", "x/y", "x", "x/y/z"]
    found = [scope.lower() for scope in scopes(names)]
    assert len(set(found)) == len(names)
    assert not [(one, other) for one in found for other in found if other.startswith(f"{one}/")]


def test_a_name_alone():
    rep = prepare(network())
    assert list(rep.intermediate_values(FEED, "back")) == ["back"]


@pytest.mark.parametrize("name", ["w", 7])
def test_what_no_node_computes(name):
    with pytest.raises(InputError, match=f"the model computes no value {name!r}"):
        prepare(network()).intermediate_values(FEED, [name])


def test_values_under_another_default():
    model = text_model(
        "g (float[N, 3] x, float[3] w) => (float[N, 3] y) <float[3] w = {1, 2, 3}> { m = Mul(x, w) y = Neg(m) }"
    )
    feed = {"x": np.ones((1, 3), np.float32), "w": np.full(3, 5, np.float32)}
    values = prepare(model).intermediate_values(feed)
    assert list(values) == ["x", "w", "m", "y"]
    np.testing.assert_array_equal(values["m"], [[5, 5, 5]])


def test_an_output_that_nobody_reads_has_no_value():
    model = text_model(
        """g (float[4,2,3] x, float[1,8,3] w, float[1,8,2] r) => (float[1,2,2] last) {
            every, last, cell = LSTM <hidden_size = 2> (x, w, r)
        }"""
    )
    feed = {
        name: np.ones(shape, np.float32) for name, shape in {"x": (4, 2, 3), "w": (1, 8, 3), "r": (1, 8, 2)}.items()
    }
    rep = prepare(model)
    assert list(rep.intermediate_values(feed)) == ["x", "w", "r", "last"]
    with pytest.raises(InputError, match="'every' is not computed: no output needs it"):
        rep.intermediate_values(feed, ["every"])


def test_a_run_that_fails_names_the_node():
    model = text_model("g (float[N, 3] x, int64[1] i) => (float[A, B] y) { row = Gather(x, i) y = Relu(row) }")
    with pytest.raises(RunError, match=r"ai.onnx.Gather, opset 17\) with inputs .*9 is not in \[0, 2\)"):
        prepare(model).intermediate_values({"x": np.ones((2, 3), np.float32), "i": np.array([9])})
