"""Tree ensembles, which LiteRT walks without operators of single bits."""

from __future__ import annotations

import numpy as np
import pytest

from test.handlers.check import make_op_model
from test.handlers.test_ml_trees import FEATURES, MODES, RandomForest, chain
from test.litert.check import check_tflite

ML = "ai.onnx.ml"


@pytest.mark.parametrize("dynamic", [False, True])
def test_every_mode(dynamic, tmp_path):
    forest = RandomForest(3, vote="target", targets=[[0], [1]], trees=8, depth=5, modes=MODES)
    attributes = forest.attributes(n_targets=2)
    count = len(attributes["nodes_modes"])
    attributes["nodes_missing_value_tracks_true"] = forest.rng.integers(0, 2, count).tolist()
    x = (np.random.default_rng(0).integers(-6, 7, (20, FEATURES)) / 2).astype(np.float32)
    x[::3, 0], x[1::3, 2] = np.nan, np.inf
    model = make_op_model("TreeEnsembleRegressor", [x], attributes, domain=ML, dynamic=dynamic)
    check_tflite(model, {"x0": x}, tmp_path)


def test_a_long_chain_is_a_loop(tmp_path):
    x = np.repeat(np.linspace(-0.1, 1.1, 41, dtype=np.float32)[:, np.newaxis], FEATURES, 1)
    found = check_tflite(make_op_model("TreeEnsembleRegressor", [x], chain(300), domain=ML), {"x0": x}, tmp_path)
    assert found["WHILE"] == 1
