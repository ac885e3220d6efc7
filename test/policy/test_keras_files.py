"""A .keras file holds nothing but Keras: every class in it, of models of every kind."""

from __future__ import annotations

import pytest

import onnx_tf
from onnx_tf.errors import UnsupportedError
from test.keras.check import foreign_classes
from test.zoo.compare import MODELS, manifest
from test.zoo.materialize import materialize

REFUSED = {
    "scripted_if_loop": "Loop",
    "superpoint": "NonZero",
    "superres_vitmatte": "If",
    "wav2vec2_layernorm_dyn": "Range",
    "yolov8_nms": "NonMaxSuppression",
}
"""Models that Keras has no form of, and an operator of each that is why."""


def _quick() -> list[str]:
    entries = [entry for entry in manifest().values() if entry["family"] != "classic_ml"]
    ordered = sorted(entries, key=lambda entry: entry.get("ort_ms", 0.0))
    return [entry["name"] for entry in ordered if entry["name"] not in REFUSED]


@pytest.mark.parametrize(
    "name", [*_quick()[:12:2], *(pytest.param(name, marks=pytest.mark.slow) for name in _quick()[12:])]
)
def test_every_class_is_of_keras(name, tmp_path):
    onnx_tf.to_keras(materialize(MODELS / f"{name}.onnx")).save(tmp_path / "model.keras")
    assert list(foreign_classes(tmp_path / "model.keras")) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSED)
def test_what_keras_has_no_form_of_is_refused(name):
    with pytest.raises(UnsupportedError, match=f"ai.onnx.{REFUSED[name]} "):
        onnx_tf.to_keras(materialize(MODELS / f"{name}.onnx"))
