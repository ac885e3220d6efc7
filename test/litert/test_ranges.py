"""Which ranges activations get: of all numbers, or narrower ones where these lose less."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from onnx_tf.check import litert
from onnx_tf.export.post_training import files
from onnx_tf.export.post_training.spread import Spread
from test.litert.served import ServedLiteRT
from test.litert.test_post_training import numbers, opened, quantise_here, written
from test.models import node_model

OUTLIER = 40.0


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    monkeypatch.setattr(files, "call_telling", quantise_here)
    monkeypatch.setattr(litert.LiteRT, "_call", ServedLiteRT._call)


def step_of_input(folder, last: str, kind: str, rows: np.ndarray) -> float:
    """The step of what a product reads, before an operator that is the last one."""
    nodes = [
        helper.make_node("MatMul", ["x", "matrix"], ["p"], "product"),
        helper.make_node(last, ["p"], ["y"], "last"),
    ]
    model = node_model(nodes, {"x": [1, 8]}, ["y"], {"matrix": numbers(8, 4, low=-1)})
    made = written(model, folder, kind, {"x": rows}, check=False)
    file = opened(made.path)
    (product,) = file.of_kind("FULLY_CONNECTED")
    return float(file.steps(int(product.inputs[0])).scale[0])


def samples(place: int) -> np.ndarray:
    """Sixteen rows of numbers between -1 and 1, one of which is far larger."""
    rows = numbers(16, 1, 8, low=-1)
    rows[place] *= OUTLIER
    return rows


def test_ranges_are_means_where_what_saturates_does_not_count(tmp_path):
    rows = samples(0)
    assert step_of_input(tmp_path, "Sigmoid", "integer_quant", rows) < 0.2 * (rows.max() - rows.min()) / 255


def test_ranges_hold_all_numbers_where_they_count(tmp_path):
    rows = samples(0)
    step = step_of_input(tmp_path, "Relu", "integer_quant", rows)
    assert step == pytest.approx((rows.max() - rows.min()) / 255, rel=1e-5)


def test_sixteen_bits_have_steps_for_all_numbers(tmp_path):
    rows = samples(0)
    step = step_of_input(tmp_path, "Sigmoid", "integer_quant_with_int16_act", rows)
    assert step == pytest.approx(np.abs(rows).max() / 32767, rel=1e-4)


def test_ranges_lose_least_where_far_numbers_are_few_in_every_sample(tmp_path):
    rows = np.random.default_rng(0).laplace(size=(15, 1, 2048)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "matrix"], ["y"], "product")]
    model = node_model(nodes, {"x": [1, 2048]}, ["y"], {"matrix": numbers(2048, 16, low=-1)})
    made = written(model, tmp_path, "integer_quant", {"x": rows}, check=False)
    file = opened(made.path)
    (product,) = file.of_kind("FULLY_CONNECTED")
    spread = Spread()
    for row in rows:
        spread.add(row)
    low, high = spread.closest()
    step = float(file.steps(int(product.inputs[0])).scale[0])
    assert step == pytest.approx((high - low) / 255, rel=1e-5)
    assert step < 0.95 * np.ptp(rows) / 255
