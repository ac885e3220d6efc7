"""Gradient nodes: second order, control flow inside, other values than the named ones."""

from __future__ import annotations

import numpy as np
import onnx.parser
import pytest

from onnx_tf import prepare

HEAD = '<ir_version: 8, opset_import: ["" : 17, "ai.onnx.preview.training" : 1]>'


def run(graph, *inputs):
    return prepare(onnx.parser.parse_model(f"{HEAD} {graph}")).run([np.array(i, np.float32) for i in inputs])


def test_second_order():
    outputs = run(
        """g (float[2] x) => (float[2] dy, float[2] ddy) {
            s = Mul (x, x)
            y = Mul (s, x)
            dy = ai.onnx.preview.training.Gradient <xs = ["x"], y = "y"> (x)
            ddy = ai.onnx.preview.training.Gradient <xs = ["x"], y = "dy"> (x)
        }""",
        [1, 2],
    )
    np.testing.assert_allclose(outputs["dy"], [3, 12])
    np.testing.assert_allclose(outputs["ddy"], [6, 12])


def test_at_another_value_with_constants_and_control_flow():
    outputs = run(
        """g (float[2] x, float[2] at, float[2] w) => (float[2] dx, float[2] dw, float[2] none) {
            three = Constant <value = float {3.0}> ()
            m = Mul (x, w)
            c = Constant <value = bool {1}> ()
            k = Neg (x)
            n = Constant <value = int64 {20}> ()
            l = Loop (n, c, m) <body = b (int64 i, bool go, float[2] s) => (bool next, float[2] t) {
                next = Identity (go) t = Sub (s, k)
            }>
            y = Mul (l, three)
            dx, dw = ai.onnx.preview.training.Gradient <xs = ["x", "w"], y = "y"> (at, w)
            none = ai.onnx.preview.training.Gradient <xs = ["at"], y = "y"> (at)
        }""",
        [9, 9],
        [1, 2],
        [4, 5],
    )
    # y = 3 (x w + 20 x)
    np.testing.assert_allclose(outputs["dx"], [72, 75])
    np.testing.assert_allclose(outputs["dw"], [3, 6])
    np.testing.assert_allclose(outputs["none"], [0, 0])


def test_unknown_names_are_refused():
    with pytest.raises(Exception, match="no value of the node's graph"):
        run(
            'g (float[2] x) => (float[2] d) { d = ai.onnx.preview.training.Gradient <xs = ["x"], y = "q"> (x) }', [1, 2]
        )
