"""A plan says what a conversion then does: models of the zoo in four formats."""

from __future__ import annotations

import pytest

from test.zoo.compare import MODELS, manifest
from test.zoo.materialize import materialize
from test.zoo.plans import broken_promises

QUICK = (
    "centernet_topk",
    "countvec_nb",
    "gcn_scatter",
    "label_encoder",
    "lstm_stateful_forecaster",
    "moe_tabular",
    "r3d_video",
    "scripted_if_loop",
    "union_kbins_sgd",
    "vad_stft_state",
)
"""Small models, of which some are refused in each format that refuses any of the zoo."""


def _check(name: str) -> None:
    assert list(broken_promises(materialize(MODELS / f"{name}.onnx"))) == []


@pytest.mark.parametrize("name", QUICK)
def test_plan(name):
    _check(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(manifest().keys() - set(QUICK)))
def test_plan_of_every_model(name):
    _check(name)
