"""Outputs that rounding decides are not judged, and others are."""

from __future__ import annotations

import numpy as np

from onnx_tf import convert, prepare
from onnx_tf.check.accuracy import compare_saved_model
from onnx_tf.check.expected import expected_of
from onnx_tf.check.interface import Interface
from onnx_tf.cli.accuracy import print_accuracy
from test.models import text_model

TIES = """
    agraph (float[2, 4] x) => (int64[2] which, float[2, 4] e) {
        s = Mul (x, x)
        e = Exp (s)
        which = ArgMax <axis = 1, keepdims = 0> (s)
    }"""
TIED = {"x": np.array([[1, -1, 0, 1], [2, 2, -2, 2]], np.float32)}
APART = {"x": np.array([[1, 3, 0, 2], [5, 2, -2, 1]], np.float32)}


def accuracy_of_another(text: str, feed: dict[str, np.ndarray], folder) -> object:
    """Compare what is written of one model with what is expected of ``TIES``."""
    rep = prepare(text_model(text))
    rep.export_graph(folder / "other")
    return compare_saved_model(folder / "other", rep, expected_of(Interface.of(rep), text_model(TIES), feed))


def test_a_choice_among_equals_is_not_judged(tmp_path, capsys):
    last = TIES.replace("keepdims = 0", "keepdims = 0, select_last_index = 1")
    found = accuracy_of_another(last, TIED, tmp_path)
    assert found.fits
    assert dict(found.unstable) == {"which": 1}
    print_accuracy(found)
    assert "which: rounding alone decides it" in capsys.readouterr().out


def test_a_wrong_choice_is_found(tmp_path):
    found = accuracy_of_another(TIES.replace("ArgMax", "ArgMin"), APART, tmp_path)
    assert [(output.name, output.fits) for output in found.outputs] == [("which", False), ("e", True)]
    assert not found.unstable


def test_wrong_numbers_are_found_where_choices_are_not_judged(tmp_path):
    found = accuracy_of_another(TIES.replace("e = Exp (s)", "e = Sqrt (s)"), TIED, tmp_path)
    assert [(output.name, output.fits) for output in found.outputs] == [("which", True), ("e", False)]


def test_random_numbers_are_compared_in_shape_and_dtype(tmp_path):
    model = text_model("g (float[N, 3] x) => (float[N, 3] y, float[N, 3] z) { y = RandomNormalLike (x)  z = Neg (x) }")
    found = convert(model, tmp_path / "saved").accuracy
    assert found.fits
    assert found.random == {"y"}


def test_where_nothing_is_selected_all_is_judged(tmp_path):
    """A model whose rounding makes it unstable, compared with one that does not round."""
    rounds = "g (float[2, 4] x) => (float[2, 4] y) <float k = {1.2e7}> { a = Add (x, k)  y = Sub (a, k) }"
    rep = prepare(text_model(rounds.replace("y = Sub (a, k)", "y = Identity (x)")))
    rep.export_graph(tmp_path / "other")
    feed = {"x": np.full((2, 4), 0.5000001, np.float32)}
    found = compare_saved_model(tmp_path / "other", rep, expected_of(Interface.of(rep), text_model(rounds), feed))
    assert not found.fits
    assert not found.unstable
