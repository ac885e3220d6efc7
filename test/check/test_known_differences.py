"""What the table says is so: ONNX Runtime differs, onnx's reference and onnx_tf agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from onnx_tf import prepare
from onnx_tf.check.compare import compare
from onnx_tf.check.known_differences import KNOWN_DIFFERENCES, explanations, markdown
from onnx_tf.check.onnx_runtime import OnnxRuntime
from onnx_tf.errors import OnnxTfError
from onnx_tf.model.loading import load_model
from test.models import text_model

RNG = np.random.default_rng(0)
BINS = RNG.normal(size=(1, 5, 2)).astype(np.float32)
BINS[0, [0, -1], 1] = 0
HEADS = RNG.normal(size=(1, 1, 3, 4)).astype(np.float32)
X, THREE = RNG.normal(size=(2, 3, 4)).astype(np.float32), np.arange(1, 4, dtype=np.float32)

DFT = "DFT <onesided = 1, inverse = 1>"
ATTENTION = "(float[1, 1, 3, 4] q, bool[3, 3] m) => (float[a, b, c, d] y, float[e, f, g, h] s)"
NORM = "(float[2, 3, 4] x, float[3] s) => (float[2, 3, 4] y)"
UNIQUE = "(float[5] x) => (float[n] y)"

DIFFERENT = {
    "Attention": (
        f"g {ATTENTION} {{ y, , , s = Attention <qk_matmul_output_mode = 2> (q, q, q, m) }}",
        {"q": HEADS, "m": np.tri(3, dtype=bool)},
    ),
    "BatchNormalization": (
        f"g {NORM} {{ y = BatchNormalization <training_mode = 1> (x, s, s, s, s) }}",
        {"x": X, "s": THREE},
    ),
    "DFT": (
        f"g (float[1, 5, 2] x, int64 n, int64 a) => (float[1, m, 1] y) {{ y = {DFT} (x, n, a) }}",
        {"x": BINS, "n": np.array(5), "a": np.array(1)},
    ),
    "Unique": (f"g {UNIQUE} {{ y = Unique (x) }}", {"x": np.array([3, np.nan, 1, 3, np.nan], np.float32)}),
}
SAME = {
    "Attention": f"g {ATTENTION} {{ y, , , s = Attention <qk_matmul_output_mode = 3> (q, q, q, m) }}",
    "BatchNormalization": f"g {NORM} {{ y, m, v = BatchNormalization <training_mode = 1> (x, s, s, s, s) }}",
    "DFT": f"g (float[1, 5, 2] x, int64 a) => (float[1, 8, 1] y) {{ y = {DFT} (x, , a) }}",
    "Unique": "g (int64[5] x) => (int64[n] y) { y = Unique (x) }",
}


def model_of(text):
    return text_model(text, opset=23, ir_version=10)


@pytest.mark.parametrize("op", DIFFERENT)
def test_onnx_runtime_departs_and_we_do_not(op):
    text, feed = DIFFERENT[op]
    model = model_of(text)
    names = [output.name for output in model.graph.output]
    reference = dict(zip(names, ReferenceEvaluator(model).run(None, feed), strict=True))
    ours = dict(prepare(model).run(feed).items())
    comparison = compare(reference, ours)
    assert comparison.fits, str(comparison)
    try:
        assert not compare(reference, OnnxRuntime(model).run(feed)).fits
    except OnnxTfError:
        assert op == "BatchNormalization"


@pytest.mark.parametrize("op", DIFFERENT)
def test_they_are_named(op):
    (sentence,) = explanations(load_model(model_of(DIFFERENT[op][0])))
    assert op in sentence
    assert "`" not in sentence


@pytest.mark.parametrize("op", SAME)
def test_other_nodes_of_these_operators_are_not(op):
    assert explanations(load_model(model_of(SAME[op]))) == []


@pytest.mark.parametrize("op", ["Attention", "DFT"])
def test_on_other_nodes_onnx_runtime_agrees(op):
    model = model_of(SAME[op])
    feed = {value.name: DIFFERENT[op][1][value.name] for value in model.graph.input}
    reference = ReferenceEvaluator(model).run(None, feed)
    actual = OnnxRuntime(model).run(feed)
    comparison = compare(dict(zip(actual, reference, strict=True)), actual)
    assert comparison.fits, str(comparison)


def test_every_row_has_a_case():
    assert {known.op_type for known in KNOWN_DIFFERENCES} == DIFFERENT.keys() == SAME.keys()


def test_only_what_an_output_depends_on_explains_it():
    text = """g (float[5] x, bool c) => (float[n] y, float[5] z, float[m] w) {
        u = Unique (x)
        y = Neg (u)
        z = Neg (x)
        w = If (c) <
            then_branch = a () => (float[k] t) { t = Unique (x) },
            else_branch = b () => (float[k] e) { e = Identity (x) }
        >
    }"""
    model = load_model(model_of(text))
    assert len(explanations(model)) == 2
    assert [len(explanations(model, name)) for name in "yzw"] == [1, 0, 1]


def test_what_a_body_uses_counts():
    text = """g (float[5] x, bool c) => (float[m] w) {
        u = Unique (x)
        w = If (c) <
            then_branch = a () => (float[k] t) { t = Neg (u) },
            else_branch = b () => (float[k] e) { e = Identity (x) }
        >
    }"""
    assert len(explanations(load_model(model_of(text)), "w")) == 1


def test_the_page_has_the_table():
    page = Path(__file__).parents[2] / "doc" / "accuracy.md"
    assert markdown() in page.read_text(encoding="utf-8"), "write known_differences.markdown() into doc/accuracy.md"
