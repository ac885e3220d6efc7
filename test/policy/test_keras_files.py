"""A .keras file holds nothing but Keras: every class in it, of models of every kind."""

from __future__ import annotations

import pytest

from test.keras.check import foreign_classes
from test.zoo.compare import MODELS, manifest
from test.zoo.materialize import materialize

REFUSED = {"scripted_if_loop", "swin_qdq_perchannel"}
"""Models that Keras has no form of."""


def _quick() -> list[str]:
    entries = [entry for entry in manifest().values() if entry["family"] != "classic_ml"]
    ordered = sorted(entries, key=lambda entry: entry.get("ort_ms", 0.0))
    return [entry["name"] for entry in ordered if entry["name"] not in REFUSED]


@pytest.mark.parametrize(
    "name", [*_quick()[:12:2], *(pytest.param(name, marks=pytest.mark.slow) for name in _quick()[12:])]
)
def test_every_class_is_of_keras(name, tmp_path):
    from onnx_tf.export.keras import build, write_keras
    from onnx_tf.options import Options
    from onnx_tf.targets import KERAS

    write_keras(build(materialize(MODELS / f"{name}.onnx"), Options(target=KERAS)).model, tmp_path / "model.keras")
    assert list(foreign_classes(tmp_path / "model.keras")) == []
