"""Sequences and optionals: static lists, positions and lengths known at run time only, signatures."""

from __future__ import annotations

import numpy as np
import onnx.parser
import pytest
import tensorflow as tf

from onnx_tf import prepare
from onnx_tf.values import ListKind, OptionalKind, SequenceKind, TensorKind, merged
from test.handlers.check import compare, run_reference
from test.onnx_suite.runs import RUNS

X = np.arange(10, dtype=np.float32).reshape(5, 2)


def check(graph, feed, through=("run", "export")):
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {graph}')
    expected = run_reference(model, feed, "ort")
    for way in through:
        actual = RUNS[way](model, list(feed.values()))
        for e, a in zip(expected, actual, strict=True):
            compare(e if isinstance(e, list) else [e], a if isinstance(a, list) else [a], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dims", ["5, 2", "N, M"])
@pytest.mark.parametrize(
    "split",
    [
        "s = SplitToSequence (x)",
        "s = SplitToSequence <keepdims = 0> (x)",
        "s = SplitToSequence <axis = -1, keepdims = 0> (x)",
        "k = Constant <value = int64 {2}> () s = SplitToSequence (x, k)",
        "k = Constant <value = int64[3] {1, 3, 1}> () s = SplitToSequence (x, k)",
    ],
)
def test_split(split, dims):
    graph = f"g (float[{dims}] x) => (seq(float[]) s, int64 n) {{ {split} n = SequenceLength (s) }}"
    check(graph, {"x": X}, through=("run",) if dims == "5, 2" else ("run", "export"))


def test_split_at_run_time_lengths():
    check(
        """g (float[N, M] x, int64[K] k) => (seq(float[]) s, int64 n) {
            s = SplitToSequence (x, k)
            n = SequenceLength (s)
        }""",
        {"x": X, "k": np.array([2, 2, 1])},
    )


@pytest.mark.parametrize("position", [0, 2, -1, -3])
def test_positions_at_run_time(position):
    check(
        """g (float[N, M] x, int64 p) => (float[] at, seq(float[]) more, seq(float[]) less) {
            n = Neg (x)
            a = Abs (x)
            s = SequenceConstruct (x, n, a)
            at = SequenceAt (s, p)
            more = SequenceInsert (s, a, p)
            less = SequenceErase (s, p)
        }""",
        {"x": X, "p": np.array(position)},
    )


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("new_axis", [0, 1])
def test_concat_of_a_sequence_of_unknown_length(axis, new_axis):
    check(
        f"""g (float[N, M] x) => (float[] y, float[] z) {{
            s = SplitToSequence (x)
            y = ConcatFromSequence <axis = {axis}, new_axis = {new_axis}> (s)
            t = SequenceConstruct (x, x)
            z = ConcatFromSequence <axis = {axis}, new_axis = {new_axis}> (t)
        }}""",
        {"x": X},
    )


def test_out_of_range_positions_are_refused():
    graph = """g (float[N] x) => (float[] y) {
        s = SequenceConstruct (x)
        p = Constant <value = int64 {1}> ()
        y = SequenceAt (s, p)
    }"""
    with pytest.raises(Exception, match="position 1 is out of range for a sequence of 1"):
        prepare(onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {graph}'))


def test_gradients_flow_through_a_sequence():
    graph = """<ir_version: 8, opset_import: ["" : 17]> g (float[N] x, int64 p) => (float[] y) {
        d = Mul (x, x)
        s = SequenceConstruct (x, d)
        y = SequenceAt (s, p)
    }"""
    module = prepare(onnx.parser.parse_model(graph)).tf_module
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = module(x, tf.constant(1, tf.int64))["y"]
    np.testing.assert_array_equal(tape.gradient(y, x), [2, 4])


OPTIONAL = """<ir_version: 8, opset_import: ["" : 18]>
g (optional(float[N]) o, float[N] x, bool c) => (bool h, optional(float[N]) r) {
    h = OptionalHasElement (o)
    r = If (c) <then_branch = t () => (optional(float[N]) a) { a = Identity (o) },
                else_branch = e () => (optional(float[N]) b) { n = Neg (x) b = Optional (n) }>
}"""


@pytest.mark.parametrize("way", ["run", "export", "channels_last"])
@pytest.mark.parametrize("given", [None, np.ones(2, np.float32)])
def test_optionals_through_branches(given, way):
    model = onnx.parser.parse_model(OPTIONAL)
    x = np.ones(2, np.float32)
    has, result = RUNS[way](model, [given, x, np.array(True)])
    assert bool(has) == (given is not None)
    assert (result is None) if given is None else np.array_equal(result, given)
    _, result = RUNS[way](model, [given, x, np.array(False)])
    np.testing.assert_array_equal(result, -x)


def test_signature_of_a_sequence(tmp_path):
    graph = """<ir_version: 8, opset_import: ["" : 17]>
        g (seq(float[]) s, float[2] x) => (seq(float[]) r, seq(float[2]) t) {
        r = SequenceInsert (s, x)
        n = Neg (x)
        t = SequenceConstruct (x, n)
    }"""
    prepare(onnx.parser.parse_model(graph)).export_graph(tmp_path / "model")
    serve = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    shapes = tf.constant([[2, 2], [-1, -1], [1, -1]], tf.int64)
    outputs = serve(s_values=tf.constant([1.0, 2, 3, 4, 5, 6]), s_shapes=shapes, x=tf.constant([8.0, 9]))
    np.testing.assert_array_equal(outputs["r_values"], [1, 2, 3, 4, 5, 6, 8, 9])
    np.testing.assert_array_equal(outputs["r_shapes"], [[2, 2], [-1, -1], [1, -1], [2, -1]])
    np.testing.assert_array_equal(outputs["t_1"], [-8, -9])


def test_merged_kinds():
    a, b = TensorKind(tf.float32, tf.TensorShape([2, 3])), TensorKind(tf.float32, tf.TensorShape([2, 4]))
    either = TensorKind(tf.float32, tf.TensorShape([2, None]))
    assert merged(a, b) == either
    assert merged(ListKind((a, b)), ListKind((b, b))) == ListKind((either, b))
    assert merged(ListKind((a,)), ListKind((a, b))) == SequenceKind(tf.float32, tf.TensorShape([2, None]))
    assert merged(ListKind(()), ListKind((a,))) == SequenceKind(a.dtype, a.shape)
    assert merged(merged(a, OptionalKind(b)), either) == OptionalKind(either)
    with pytest.raises(ValueError, match="no value of one type"):
        merged(a, ListKind((a,)))
