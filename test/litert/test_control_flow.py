"""If, Loop, Scan and sequences in .tflite files: any number of iterations, none included, and shapes of any path."""

from __future__ import annotations

import numpy as np
import onnx.parser
import pytest

from onnx_tf import UnsupportedError
from test.handlers.test_control_flow import ADDING, FOR, GROWING, IF, LOOP, SCAN, SEQUENCES, STATE_AND_STACK, UNTIL
from test.litert.check import check_tflite, written
from test.models import text_model

X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize(
    ("then", "other"),
    [
        ("a = Concat <axis = 0> (x, x) b = Neg (w)", "d = Neg (x) f = Concat <axis = 0> (w, w)"),
        ("s = Neg (x) a = Neg (s) b = Neg (w)", "d = Identity (x) f = Identity (w)"),
    ],
)
def test_branches(tmp_path, then, other):
    feeds = [{"x": X, "c": np.array(taken), "w": np.ones(4, np.float32)} for taken in (True, False)]
    assert check_tflite(text_model(IF.format(then=then, other=other)), feeds, tmp_path)["IF"] == 1


@pytest.mark.parametrize(
    ("given", "body"), [("m, c, x", GROWING), ("m, , x", GROWING), ("m, c, x", UNTIL), ("m, , x", ADDING)]
)
def test_loops(tmp_path, given, body):
    feeds = [{"m": np.array(count), "c": np.array(True), "x": X} for count in (4, 0, 1)]
    graph = LOOP.format(body=body, given=given, **STATE_AND_STACK)
    assert check_tflite(text_model(graph), feeds, tmp_path)["WHILE"] == 1


def test_what_a_loop_gives_goes_into_a_buffer(tmp_path):
    feeds = [{"m": np.array(count), "x": X[0]} for count in (9, 0)]
    found = check_tflite(onnx.parser.parse_model(FOR), feeds, tmp_path)
    assert found["DYNAMIC_UPDATE_SLICE"] == 1


NESTED = """g (int64 m, float[N, M] x) => (float[] y, float[] z) {
    c = Constant <value = bool {1}> ()
    y, z = Loop (m, c, x) <body = b (int64 i, bool go, float[] s) => (bool next, float[] t, float[] r) {
        next = Identity (go)
        t, inner = Loop (i, c, s) <body = b2 (int64 j, bool go2, float[] s2) => (bool next2, float[] t2, float[] r2) {
            next2 = Identity (go2) f = Cast <to = 1> (i) a = Add (s2, x) t2 = Mul (a, f) r2 = Neg (t2)
        }>
        r = ReduceSum <keepdims = 0> (inner)
    }>
}"""


def test_a_loop_in_a_loop(tmp_path):
    feeds = [{"m": np.array(count), "x": X / 8} for count in (3, 1)]
    assert check_tflite(text_model(NESTED), feeds, tmp_path)["WHILE"] == 2


ATTRIBUTES = "scan_input_axes = [-2, 0], scan_input_directions = [1, 0], scan_output_axes = [1, 2]"


@pytest.mark.parametrize("length", ["T", "40"])
def test_scan(tmp_path, length):
    rng = np.random.default_rng(0)
    graph = SCAN.format(attributes=ATTRIBUTES).replace("T,", f"{length},")
    if length != "T":
        graph = graph.replace("[H]", "[2]").replace(", H]", ", 2]").replace("[A, ", "[2, ").replace(", C]", ", 3]")
    feeds = [
        {
            "h": np.ones(2, np.float32),
            "x": rng.normal(size=(2, steps, 3)).astype(np.float32) / 4,
            "u": rng.normal(size=(steps, 2)).astype(np.float32),
        }
        for steps in ((40, 1) if length == "T" else (40,))
    ]
    found = check_tflite(text_model(graph), feeds, tmp_path)
    assert found["WHILE"] == 1
    assert found.get("DYNAMIC_UPDATE_SLICE", 0) == (0 if length == "T" else 2)


LISTS = """g (float[N, 6] x, int64 i) => (int64 n, float[] y, float[] z, float[] w, float[] v) {
    two = Constant <value = int64 {2}> ()
    s = SplitToSequence <axis = 1> (x, two)
    p = Neg (x)
    s1 = SequenceInsert (s, p, two)
    s2 = SequenceErase (s1)
    m = SequenceMap (s1) <body = b (float[] a) => (float[] d) { d = Abs (a) }>
    n = SequenceLength (s2)
    y = SequenceAt (s1, i)
    z = ConcatFromSequence <axis = 1> (s1)
    lengths = Constant <value = int64[2] {4, 2}> ()
    parts = SplitToSequence <axis = 1> (x, lengths)
    last = Constant <value = int64 {-1}> ()
    w = SequenceAt (parts, last)
    v = ConcatFromSequence <axis = 1> (m)
}"""


def test_sequences_of_known_length(tmp_path):
    rng = np.random.default_rng(0)
    feeds = [{"x": rng.normal(size=(n, 6)).astype(np.float32), "i": np.array(i)} for n, i in ((1, 2), (3, -1), (2, 0))]
    check_tflite(text_model(LISTS), feeds, tmp_path)


@pytest.mark.parametrize(
    ("graph", "node"),
    [
        (SEQUENCES, "If"),
        (
            "g (float[N, 6] x) => (float[] z) { s = SplitToSequence (x) z = ConcatFromSequence <axis = 0> (s) }",
            "SplitToSequence",
        ),
    ],
)
def test_sequences_of_unknown_length_are_refused(tmp_path, graph, node):
    with pytest.raises(UnsupportedError, match=rf"{node} .*no lists"):
        written(text_model(graph), tmp_path / "model.tflite")
