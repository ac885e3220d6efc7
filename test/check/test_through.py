"""Values inside a model as its artefacts compute them are those of ONNX Runtime, in ONNX order."""

from __future__ import annotations

import numpy as np
import pytest

from onnx_tf import prepare
from onnx_tf.check.through import ThroughFiles
from onnx_tf.check.values import check_values
from test.models import POOLED, text_model


@pytest.mark.parametrize("kind", ["saved_model", "tflite", "keras"])
@pytest.mark.parametrize("moved", [[], ["x"]])
def test_all_values(kind, moved):
    model = text_model(POOLED)
    rep = prepare(model, channels_last_inputs=moved)
    feed = {"x": np.random.default_rng(0).normal(size=(2, 8, 8, 3) if moved else (2, 3, 8, 8)).astype(np.float32) / 9}
    values = check_values(model, rep, feed, inside=ThroughFiles(kind, model, moved))
    assert values.fits
    assert [value.name for value in values.checked] == ["w", "c", "r", "p", "y"]
