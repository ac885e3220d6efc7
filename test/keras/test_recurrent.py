"""Recurrent operators as Keras's layers."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from test.keras.check import check_keras, layers_of
from test.models import node_model

RNG = np.random.default_rng(0)
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
LAYERS = {"LSTM": "LSTM", "GRU": "GRU", "RNN": "SimpleRNN"}


def drawn(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32) / 2


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(
    ("op", "attributes"), [("LSTM", {}), ("GRU", {"linear_before_reset": 1}), ("GRU", {}), ("RNN", {})]
)
@pytest.mark.parametrize("has_state", [False, True])
def test_recurrent(op, attributes, direction, has_state, tmp_path):
    count, size, wide = 1 + (direction == "bidirectional"), 5, GATES[op] * 5
    weights = {"w": drawn(count, wide, 3), "r": drawn(count, wide, size), "b": drawn(count, 2 * wide)}
    states = {"h": [count, "n", size]} | ({"c": [count, "n", size]} if op == "LSTM" else {}) if has_state else {}
    inputs = ["x", "w", "r", "b", "", *states]
    outputs = ["y", "y_h"] + ["y_c"] * (op == "LSTM")
    node = helper.make_node(op, inputs, outputs, name="node", hidden_size=size, direction=direction, **attributes)
    model = node_model([node], {"x": ["s", "n", 3], **states}, outputs, weights)
    feeds = [{"x": drawn(s, n, 3)} | {name: drawn(count, n, size) for name in states} for s, n in ((4, 2), (6, 3))]
    name = "Bidirectional" if count == 2 else LAYERS[op]
    assert layers_of(check_keras(model, feeds, tmp_path)).count(name) == 1
