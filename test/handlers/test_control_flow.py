"""If, Loop and Scan against ONNX Runtime: static and dynamic shapes, run and reloaded SavedModel."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import pytest
import tensorflow as tf

from onnx_tf import prepare
from test.handlers.check import compare, loop_operations, run_reference
from test.onnx_suite.runs import RUNS

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def check(graph: str, feed: dict, *, opset: int = 17, through: tuple[str, ...] = ("run", "export")) -> None:
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> {graph}')
    expected = run_reference(model, feed, "ort")
    for way in through:
        compare(expected, RUNS[way](model, list(feed.values())), rtol=1e-5, atol=1e-6, label=way)


IF = """g (float[N, M] x, bool c, float[K] w) => (float[] y, float[] z) {{
    y, z = If (c) <then_branch = t () => (float[] a, float[] b) {{ {then} }},
                   else_branch = e () => (float[] d, float[] f) {{ {other} }}>
}}"""


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize(
    ("then", "other"),
    [
        ("a = Neg (x) b = Identity (w)", "d = Abs (x) f = Neg (w)"),  # one shape
        ("a = Concat <axis = 0> (x, x) b = Neg (w)", "d = Neg (x) f = Concat <axis = 0> (w, w)"),  # two shapes
        ("a = ReduceSum (x) b = Neg (w)", "d = Neg (x) f = ReduceSum <keepdims = 0> (w)"),  # two ranks
        ("s = Neg (x) a = Neg (s) b = Neg (w)", "d = Identity (x) f = Identity (w)"),  # captured values themselves
    ],
)
def test_if_branches(then, other, taken):
    check(IF.format(then=then, other=other), {"x": X, "c": np.array(taken), "w": np.ones(4, np.float32)})


def test_if_of_a_known_condition_takes_a_branch():
    graph = """g (float[2, 3] x) => (float[] y) {
        s = Shape (x)
        one = Constant <value = int64[1] {1}> ()
        first = Gather (s, one)
        two = Constant <value = int64[1] {2}> ()
        c = Equal (first, two)
        y = If (c) <then_branch = t () => (float[] a) { a = Concat <axis = 0> (x, x) },
                    else_branch = e () => (float[] d) { d = Neg (x) }>
    }"""
    check(graph, {"x": X})
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {graph}')
    assert not [op for op in prepare(model).graph.get_operations() if op.type in ("If", "StatelessIf")]


def test_if_nested_in_a_branch_captures_from_both_scopes():
    check(
        """g (float[N, M] x, bool c, bool d) => (float[] y) {
            k = Neg (x)
            y = If (c) <then_branch = t () => (float[] a) {
                m = Add (k, x)
                a = If (d) <then_branch = tt () => (float[] p) { p = Sub (m, k) },
                            else_branch = te () => (float[] q) { q = Mul (m, x) }>
            }, else_branch = e () => (float[] b) { b = Identity (k) }>
        }""",
        {"x": X, "c": np.array(True), "d": np.array(False)},
    )


SEQUENCES = """g (float[N, M] x, bool c) => (int64 n, float[] y) {
    one = Constant <value = int64 {1}> ()
    s = If (c) <then_branch = t () => (seq(float[]) a) { p = Neg (x) a = SequenceConstruct (x, p) },
                else_branch = e () => (seq(float[]) b) {
                    r = ReduceSum <keepdims = 0> (x) q = Neg (x) b = SequenceConstruct (r, q, x) }>
    n = SequenceLength (s)
    y = SequenceAt (s, one)
}"""


@pytest.mark.parametrize("taken", [True, False])
def test_if_gives_sequences_of_different_lengths(taken):
    check(SEQUENCES, {"x": X, "c": np.array(taken)})


LOOP = """g (int64 m, bool c, float[N, M] x) => ({outputs}) {{
    {results} = Loop ({given}) <body = b (int64 i, bool go, float[] s) => (bool next, float[] t {types}) {{ {body} }}>
}}"""
STATE_AND_STACK = {"outputs": "float[] y, float[] z", "results": "y, z", "types": ", float[P, Q] r"}
GROWING = "next = Identity (go) t = Concat <axis = 0> (s, x) f = Cast <to = 1> (i) r = Add (x, f)"
ADDING = "next = Identity (go) t = Add (s, x) f = Cast <to = 1> (i) r = Mul (t, f)"
UNTIL = (
    "f = ReduceSum <keepdims = 0> (s) top = Constant <value = float {100.0}> () "
    "next = Less (f, top) t = Add (s, x) r = Neg (s)"
)


@pytest.mark.parametrize("given", ["m, c, x", "m, , x"])
@pytest.mark.parametrize("count", [0, 1, 4])
@pytest.mark.parametrize("body", [GROWING, ADDING, UNTIL])
def test_loop(body, count, given):
    feed = {"m": np.array(count), "c": np.array(True), "x": X}
    graph = LOOP.format(body=body, given=given, **STATE_AND_STACK)
    check(graph, feed, through=("run",) if count else ("run", "export"))


def test_loop_of_a_condition_only():
    feed = {"m": np.array(0), "c": np.array(True), "x": X}
    check(LOOP.format(body=UNTIL, given=", c, x", **STATE_AND_STACK), feed)
    check(LOOP.format(body=UNTIL, given=", c, x", **STATE_AND_STACK), feed | {"c": np.array(False)})


UNROLLABLE = """g (float[2, 3] x) => (float[] y, float[] z) {{
    m = Constant <value = int64 {{{count}}}> ()
    c = Constant <value = bool {{1}}> ()
    y, z = Loop (m, c, x) <body = b (int64 i, bool go, float[] s) => (bool next, float[] t, float[] r) {{
        limit = Constant <value = int64 {{{last}}}> ()
        next = Less (i, limit)
        t = Concat <axis = 0> (s, x)
        r = Neg (x)
    }}>
}}"""


@pytest.mark.parametrize(("count", "last"), [(3, 9), (5, 1), (1000, 2), (0, 9)])
def test_loop_of_a_known_trip_count(count, last):
    check(UNROLLABLE.format(count=count, last=last), {"x": X}, through=("run",))


def test_loop_of_few_iterations_is_unrolled_and_static():
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {UNROLLABLE.format(count=3, last=9)}')
    rep = prepare(model)
    assert rep.signatures["serving_default"].structured_outputs["y"].shape == (8, 3)
    assert not [op for op in rep.graph.get_operations() if "While" in op.type]


def test_loop_in_a_loop_over_outer_values():
    check(
        """g (int64 m, float[N, M] x) => (float[] y, float[] z) {
            c = Constant <value = bool {1}> ()
            k = Neg (x)
            y, z = Loop (m, c, x) <body = b (int64 i, bool go, float[] s) => (bool next, float[] t, float[] r) {
                next = Identity (go)
                two = Constant <value = int64 {2}> ()
                n = Add (i, two)
                t, inner = Loop (n, c, s) <body = b2 (int64 j, bool go2, float[] s2)
                                           => (bool next2, float[] t2, float[] r2) {
                    next2 = Identity (go2)
                    f = Cast <to = 1> (i)
                    a = Add (s2, k)
                    t2 = Mul (a, f)
                    r2 = ReduceSum <keepdims = 0> (t2)
                }>
                r = ReduceMax <keepdims = 0> (inner)
            }>
        }""",
        {"m": np.array(3), "x": X},
    )


SEQUENCE_STATE = """g (int64 m, float[N, M] x, int64 at) => (int64 n, float[] y, float[] joined) {{
    c = Constant <value = bool {{1}}> ()
    {start}
    s = Loop (m, c, empty) <body = b (int64 i, bool go, seq(float[]) s0) => (bool next, seq(float[]) s1) {{
        next = Identity (go)
        one = Constant <value = int64[1] {{1}}> ()
        zero = Constant <value = int64[1] {{0}}> ()
        end = Add (i, one)
        part = Slice (x, zero, end)
        {insert}
    }}>
    n = SequenceLength (s)
    y = SequenceAt (s, at)
    joined = ConcatFromSequence <axis = 0> (s)
}}"""


@pytest.mark.parametrize("start", ["empty = SequenceEmpty ()", "empty = SequenceConstruct (x)"])
@pytest.mark.parametrize(
    "insert",
    [
        "s1 = SequenceInsert (s0, part)",
        "front = Constant <value = int64 {0}> () s1 = SequenceInsert (s0, part, front)",
        "more = SequenceInsert (s0, part) s2 = SequenceInsert (more, x) s1 = SequenceErase (s2)",
        "s2 = SequenceInsert (s0, x) f = Constant <value = int64 {0}> () s3 = SequenceInsert (s2, part, f) "
        "last = Constant <value = int64 {-1}> () s1 = SequenceErase (s3, last)",
    ],
)
def test_loop_with_a_sequence_as_state(start, insert):
    feed = {"m": np.array(2), "x": X, "at": np.array(-1)}
    check(SEQUENCE_STATE.format(start=start, insert=insert), feed, through=("run",))


def test_gradients_flow_through_a_loop():
    graph = """<ir_version: 8, opset_import: ["" : 17]> g (int64 m, float[2] x) => (float[] y, float[] z)
        <float[2] w = {2.0, 3.0}> {
        c = Constant <value = bool {1}> ()
        y, z = Loop (m, c, x) <body = b (int64 i, bool go, float[] s) => (bool next, float[] t, float[] r) {
            next = Identity (go) t = Mul (s, x) r = Mul (t, x)
        }>
    }"""
    module = prepare(onnx.parser.parse_model(graph)).tf_module
    x = tf.constant([2.0, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = module(tf.constant(3, tf.int64), x)
        total = tf.reduce_sum(outputs["y"]) + tf.reduce_sum(outputs["z"])
    # y = x^4, z = x^3 + x^4 + x^5
    expected = 4 * x**3 + 3 * x**2 + 4 * x**3 + 5 * x**4
    np.testing.assert_allclose(tape.gradient(total, x), expected)


SCAN = """g (float[H] h, float[A, T, C] x, float[T, H] u) => (float[] y, float[] z, float[] w) {{
    y, z, w = Scan <num_scan_inputs = 2, {attributes},
        body = b (float[] s, float[] a, float[] d) => (float[] t, float[] p, float[] q) {{
        r = ReduceSum <keepdims = 0> (a)
        sd = Add (s, d)
        t = Mul (sd, r)
        p = Identity (t)
        q = Neg (a)
    }}> (h, x, u)
}}"""


@pytest.mark.parametrize("length", [1, 3, 40])
@pytest.mark.parametrize(
    "attributes",
    [
        "scan_input_axes = [1, 0]",
        "scan_input_axes = [-2, 0], scan_input_directions = [1, 0], scan_output_axes = [1, 2]",
        "scan_input_axes = [1, 0], scan_output_directions = [1, 0], scan_output_axes = [0, -2]",
    ],
)
def test_scan(attributes, length):
    rng = np.random.default_rng(0)
    feed = {"h": np.ones(2, np.float32)}
    feed["x"] = rng.normal(size=(2, length, 3)).astype(np.float32) / 4
    feed["u"] = rng.normal(size=(length, 2)).astype(np.float32)
    check(SCAN.format(attributes=attributes), feed, through=("run",) if length < 40 else ("run", "export"))


@pytest.mark.parametrize("lengths", ["", "n"])
@pytest.mark.parametrize("direction", [0, 1])
def test_scan_8_over_a_batch(lengths, direction):
    graph = f"""g (int64[B] n, float[B, H] h, float[B, T, H] x) => (float[] y, float[] z) {{
        y, z = Scan <num_scan_inputs = 1, directions = [{direction}],
            body = b (float[H] s, float[H] a) => (float[H] t, float[H] p) {{
            t = Add (s, a)
            p = Mul (t, a)
        }}> ({lengths}, h, x)
    }}"""
    rng = np.random.default_rng(0)
    feed = {"n": np.array([4, 4]), "h": np.ones((2, 3), np.float32), "x": rng.normal(size=(2, 4, 3)).astype(np.float32)}
    check(graph, feed, opset=8, through=("run",))


def test_scan_8_stops_at_the_lengths():
    graph = """<ir_version: 8, opset_import: ["" : 8]>
        g (int64[B] n, float[B, H] h, float[B, T, H] x) => (float[] y, float[] z) {
        y, z = Scan <num_scan_inputs = 1, body = b (float[H] s, float[H] a) => (float[H] t, float[H] p) {
            t = Add (s, a)
            p = Mul (t, a)
        }> (n, h, x)
    }"""
    x = np.ones((2, 4, 3), np.float32)
    y, z = prepare(onnx.parser.parse_model(graph)).run([np.array([1, 3]), np.zeros((2, 3), np.float32), x])
    np.testing.assert_array_equal(y, [[1, 1, 1], [3, 3, 3]])
    np.testing.assert_array_equal(z[:, :, 0], [[1, 0, 0, 0], [1, 2, 3, 0]])


def test_weights_of_branches_are_variables():
    graph = """<ir_version: 8, opset_import: ["" : 17]> g (bool c, float[N, 4] x) => (float[] y) {
        y = If (c) <then_branch = t () => (float[] a) <float[4, 4] w = {WEIGHTS}> { a = MatMul (x, w) },
                    else_branch = e () => (float[] b) <float[4, 4] w = {WEIGHTS}> { n = Neg (w) b = MatMul (x, n) }>
    }""".replace("WEIGHTS", ", ".join(["1.0"] * 16))
    rep = prepare(onnx.parser.parse_model(graph))
    assert len(rep.tf_module.trainable_variables) in (1, 2)
    x = np.ones((2, 4), np.float32)
    np.testing.assert_array_equal(rep.run([True, x])[0], np.full((2, 4), 4))
    np.testing.assert_array_equal(rep.run([False, x])[0], np.full((2, 4), -4))


def test_branches_of_different_dtypes_are_refused():
    graph = IF.format(then="a = Neg (x) b = Neg (w)", other="d = Cast <to = 11> (x) f = Neg (w)")
    with pytest.raises(Exception, match="dtypes float32 and float64"):
        prepare(onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {graph}'))


FOR = """<ir_version: 8, opset_import: ["" : 17]> g (int64 m, float[3] x) => (float[] y, float[] z) {
    c = Constant <value = bool {1}> ()
    y, z = Loop (m, c, x) <body = b (int64 i, bool go, float[3] s) => (bool next, float[3] t, float[] r) {
        next = Identity (go) t = Sin (s) r = Concat <axis = 0> (t, x)
    }>
}"""


def test_a_for_loop_fills_lists_of_known_element_shape():
    loops = loop_operations(prepare(onnx.parser.parse_model(FOR)))
    assert tf.get_static_value(loops["TensorListReserve"].inputs[0]).tolist() == [6]
    (loop,) = [operation for kind, operation in loops.items() if kind in ("While", "StatelessWhile")]
    dtypes = [tensor.dtype for tensor in loop.inputs]
    assert tf.bool not in dtypes  # its condition is no state
    assert dtypes.count(tf.variant) == 1


def test_conditions_that_are_scalars_are_taken_as_they_are():
    """To coremltools a Reshape makes something else of a condition than a loop started with."""
    graph = """<ir_version: 8, opset_import: ["" : 17]> g (float[3] x) => (float[3] y) {
        c = Constant <value = bool {1}> () limit = Constant <value_float = 20.0> ()
        y = Loop (, c, x) <body = b (int64 i, bool go, float[3] s) => (bool next, float[3] t) {
            t = Add (s, s) most = ReduceMax <keepdims = 0> (t) next = Less (most, limit)
        }>
    }"""
    rep = prepare(onnx.parser.parse_model(graph))
    assert "Reshape" not in loop_operations(rep)
    np.testing.assert_array_equal(rep.run([np.float32([1, 2, 3])])[0], [8, 16, 24])


@pytest.mark.parametrize("count", [0, 1, 9])
def test_a_for_loop_of_an_open_count(count):
    model = onnx.parser.parse_model(FOR)
    feed = {"m": np.array(count), "x": np.array([1, 2, 3], np.float32)}
    for way in ("run", "export"):
        compare(run_reference(model, feed, "ort"), RUNS[way](model, list(feed.values())), rtol=1e-5, atol=1e-6)
