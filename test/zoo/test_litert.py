"""Models of the zoo as .tflite files, in LiteRT's interpreter with XNNPACK and without, on a second batch too."""

from __future__ import annotations

import pytest

from test.ledger import hold
from test.zoo.checks import check_tflite
from test.zoo.compare import MODELS, manifest
from test.zoo.materialize import materialize

ENTRIES = manifest()


def _one_per_family() -> list[str]:
    chosen: dict[str, str] = {}
    for name, entry in sorted(ENTRIES.items(), key=lambda item: item[1].get("ort_ms", 0.0)):
        chosen.setdefault(entry["family"], name)
    return list(chosen.values())


def _check(name: str) -> None:
    def check() -> None:
        found = check_tflite(ENTRIES[name], materialize(MODELS / f"{name}.onnx"), batches=(3,))
        assert all(difference.fits for _, difference in found), [f"{run} {d}" for run, d in found if not d.fits]

    hold("litert", f"zoo/{name}", check)


@pytest.mark.parametrize("name", _one_per_family()[::3])
def test_litert(name):
    _check(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ENTRIES)
def test_litert_of_every_model(name):
    _check(name)
