"""A third of the zoo against ONNX Runtime, through ``run`` and through SavedModels."""

from __future__ import annotations

import pytest

from test.ledger import hold, ledger
from test.zoo.__main__ import REAL
from test.zoo.checks import check_model
from test.zoo.compare import MODELS, SHARED, manifest
from test.zoo.materialize import materialize

ENTRIES = manifest()
FRESH = {"bert_cls", "lstm_stateful_forecaster", "scripted_if_loop", "yolox"}
"""Models whose SavedModel runs in a process of its own: that takes seconds, so not all of them."""


@pytest.mark.parametrize("name", ENTRIES)
def test_model(name):
    entry = ENTRIES[name]

    def check() -> None:
        model = materialize(MODELS / f"{name}.onnx")
        export = "fresh" if name in FRESH else "here"
        for label, difference in check_model(entry, model, export=export, batches=(2, 3)):
            assert difference.fits, f"{label}: {difference}"

    hold("zoo", name, check)


def test_every_model_has_an_entry():
    assert {path.stem for path in MODELS.glob("*.onnx")} == ENTRIES.keys()


def test_the_ledger_lists_models_that_exist():
    known = ENTRIES.keys() | manifest(REAL.parent, REAL.name).keys()
    if (SHARED / "zoo").is_dir():
        known |= manifest(SHARED / "zoo" / "dev").keys()
        assert not ledger("zoo").keys() - known
