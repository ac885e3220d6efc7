"""Errors keep their fields when they cross a process pool, and say where they come from."""

from __future__ import annotations

import concurrent.futures
import copy
import inspect
import multiprocessing
import pickle

import numpy as np
import onnx
import pytest
import tensorflow as tf

from onnx_tf import errors, onnx_op, prepare
from onnx_tf.errors import ConversionError, OnnxTfError, RunError, UnsupportedError, UnsupportedNode
from onnx_tf.registry import CHANNELS_LAST_DOMAIN, PACKED_DOMAIN, NodeContext, registry
from onnx_tf.runtime.run_errors import run_error
from test.models import text_model

CLASSES = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, OnnxTfError)]
FIELDS = {"step": "bind", "node": "n", "op": "Conv", "domain": "", "version": 13, "inputs": {"x": "float32[?]"}}
NODES = [UnsupportedNode(f"n{i}", "Thing", "acme", 1, "a custom operator") for i in range(2)]


def an_error(cls):
    return cls(NODES) if cls is UnsupportedError else cls("it cannot be", **FIELDS)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_survives_a_pickle(cls, copied):
    error = an_error(cls)
    error.step = "set later"
    error.add_note("seen on a Monday") if hasattr(error, "add_note") else None
    other = copied(error)
    assert type(other) is cls
    assert str(other) == str(error)
    assert other.args == error.args
    assert vars(other) == vars(error)
    assert other.fields() == error.fields()


def test_there_are_all_of_them():
    assert {c.__name__ for c in CLASSES} == set(errors.__all__) - {"UnsupportedNode", "either", "option"}
    assert all(issubclass(getattr(errors, name), ValueError) for name in ("ModelError", "InputError", "OptionError"))
    assert issubclass(errors.WriteError, (OSError, errors.ExportError))


def refuse(model: bytes) -> None:
    prepare(model)


def test_a_refusal_crosses_a_process_pool():
    model = text_model("g (float[2] x) => (float[2] y, float[2] z) { y = Bogus(x) z = Bogus(x) }")
    pool = concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
    with pool, pytest.raises(UnsupportedError) as caught:
        pool.submit(refuse, model.SerializeToString()).result()
    assert [node.op_type for node in caught.value.nodes] == ["Bogus", "Bogus"]
    assert str(caught.value).count("\n") == 2


def test_the_text_of_a_node_error_is_made_from_its_fields():
    error = ConversionError("no such mode", node="n", op="Pad", domain="", version=13, inputs={"x": "float32[?, 3]"})
    assert str(error) == "node 'n' (ai.onnx.Pad, opset 13) with inputs [x: float32[?, 3]]: no such mode"
    error.step = "fold"
    assert str(error).startswith("step 'fold', node 'n' (")
    assert error.fields()["step"] == "fold"
    assert str(ConversionError("alone")) == "alone"


def test_a_failing_handler_gives_the_fields():
    model = text_model("g (float[2] x, float[3] z) => (float[c] y) { s = Relu(x) y = Add(s, z) }")
    with pytest.raises(ConversionError) as caught:
        prepare(model)
    error = caught.value
    assert (error.node, error.op, error.domain, error.version) == ("Add_1", "Add", "", 17)
    assert error.inputs == {"s": "float32[2]", "z": "float32[3]"}
    assert error.step == "trace"


def test_a_handler_that_leaves_out_an_output():
    @onnx_op("OneOfTwo", domain="acme")
    def one_of_two(x):
        return (x,)

    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["": 17, "acme": 1]>
        g (float[2] x) => (float[2] z) { a, b = acme.OneOfTwo (x) z = Add (a, b) }"""
    )
    try:
        with pytest.raises(ConversionError, match=r"acme.OneOfTwo, opset 1\).*: it computes 1 of 2 outputs"):
            prepare(model)
    finally:
        registry.unregister("OneOfTwo", since=1, domain="acme")


@pytest.mark.parametrize(
    ("op", "count", "says"),
    [
        ("FusedMatMul", 1, "takes 2 inputs, the node has 1"),
        ("FusedMatMul", 4, "takes 2 inputs, the node has 4"),
        ("QLinearWhere", 2, "takes 9 inputs, the node has 2"),
        ("SkipSimplifiedLayerNormalization", 2, "takes 3 or more inputs, the node has 2"),
    ],
)
def test_a_node_with_another_number_of_inputs_than_its_operator_takes(op, count, says):
    model = text_model("g (float[2, 2] x) => (float[2, 2] y) { y = Relu(x) }")
    model.graph.node[0].CopyFrom(onnx.helper.make_node(op, ["x"] * count, ["y"], domain="com.microsoft"))
    model.opset_import.add(domain="com.microsoft", version=1)
    with pytest.raises(ConversionError, match=f"the operator {says}"):
        prepare(model)


LOOP = """g (int64 n, bool c, float[A] x, float[B] z) => (float[C] y) {
    y = Loop (n, c, x) <body = b (int64 i, bool d, float[E] s) => (bool d2, float[F] s2) {
        d2 = Identity(d)
        s2 = Add(s, z)
    }>
}"""
BRANCH = """g (bool c, float[A] x, float[B] z) => (float[C] y) {
    y = If (c) <
        then_branch = a () => (float[E] s) { s = Add(x, z) },
        else_branch = b () => (float[F] t) { t = Sub(x, z) }
    >
}"""
TWO, THREE, YES = np.ones(2, np.float32), np.ones(3, np.float32), np.bool_(True)
FAILURES = {
    "a node": ("g (float[A] x, float[B] z) => (float[C] y) { t = Relu(x) y = Add(t, z) }", "Add", "[2] vs. [3]"),
    "a loop's body": (LOOP, "Add", "[2] vs. [3]"),
    "a branch": (BRANCH, "Add", "[2] vs. [3]"),
    "an index": ("g (float[A] x, int64[B] i) => (float[C] y) { y = Gather(x, i) }", "Gather", "7 is not in"),
}
FEED = {
    "x": TWO,
    "z": THREE,
    "n": np.int64(3),
    "c": YES,
    "i": np.array([7]),
}


@pytest.mark.parametrize("what", FAILURES)
def test_a_failure_at_run_time_names_the_node(what):
    text, op, cause = FAILURES[what]
    rep = prepare(text_model(text))
    with pytest.raises(RunError) as caught:
        rep.run({name: FEED[name] for name in rep.inputs})
    error = caught.value
    assert error.op == op
    assert error.node is not None
    assert error.node.startswith(f"{op}_")
    assert cause in error.reason
    assert "\n" not in str(error)
    assert f"node {error.node!r} (ai.onnx.{op}, opset 17)" in str(error)
    assert "Graph execution error" in str(error.__cause__)


MESSAGES = {
    "OOM when allocating tensor with shape[9,9]\n\t [[{{node Relu_0/Relu}}]]\nHint: more. [Op:__inference_f_2]": (
        "Relu_0",
        "OOM when allocating tensor with shape[9,9]",
    ),
    "2 root error(s) found.\n  (0) INVALID_ARGUMENT:  bad\n\t [[{{node y/Other}}]]\n\t [[Relu_0/Relu/_3]]\n"
    "  (1) INVALID_ARGUMENT:  bad\n\t [[{{node y/Other}}]]\n0 successful operations.": (
        None,
        "TensorFlow's operation 'y/Other': bad",
    ),
    "{{function_node __wrapped__Pad_device_/job:localhost}} no kernel [Op:Pad]": (None, "no kernel"),
    "": (None, "UnknownError"),
}


@pytest.mark.parametrize("message", MESSAGES)
def test_what_tensorflow_may_say(message):
    graph = prepare(text_model("g (float[A] x) => (float[A] y) { y = Relu(x) }")).tf_module.graph
    error = run_error(tf.errors.UnknownError(None, None, message), graph)
    assert (error.node, error.reason) == MESSAGES[message]


@pytest.mark.parametrize("names", [("same", "same"), ("a", "a/b"), ("Add", "add"), ("/m/Add", "/m"), ("x y", "x_y")])
def test_nodes_with_names_that_tensorflow_writes_alike(names):
    model = text_model("g (float[A] x, float[B] z) => (float[C] y) { t = Relu(x) u = Exp(t) y = Add(u, z) }")
    model.graph.node[1].name, model.graph.node[2].name = names
    with pytest.raises(RunError, match=r"\[2\] vs\. \[3\]") as caught:
        prepare(model).run(TWO, z=THREE)
    assert caught.value.node == names[1]


def test_errors_name_the_operator_of_the_model():
    for domain, shown in [
        (PACKED_DOMAIN, ""),
        (CHANNELS_LAST_DOMAIN, ""),
        ("com.microsoft", "com.microsoft"),
        ("", ""),
    ]:
        assert NodeContext("n", "Conv", domain, 11, (True,)).onnx_domain == shown
