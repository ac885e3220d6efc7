"""Quantised operators as arithmetic, without float64."""

from __future__ import annotations

import numpy as np
import pytest

from test.handlers.check import make_op_model
from test.litert.check import check_tflite

RNG = np.random.default_rng(0)
A, B = RNG.integers(0, 256, (4, 600), dtype=np.uint8), RNG.integers(-128, 128, (600, 5), dtype=np.int8)
SCALES = np.float32(0.1), np.float32(0.02), np.float32(0.7)


@pytest.mark.parametrize("dynamic", [False, True])
def test_products_of_any_depth(dynamic, tmp_path):
    model = make_op_model("MatMulInteger", [A, B, np.uint8(7), np.int8(3)], dynamic=dynamic)
    feed = {"x0": A, "x1": B, "x2": np.array(7, np.uint8), "x3": np.array(3, np.int8)}
    check_tflite(model, feed, tmp_path)


@pytest.mark.parametrize("dynamic", [False, True])
def test_quantized_products(dynamic, tmp_path):
    inputs = [A, SCALES[0], np.uint8(7), B, SCALES[1], np.int8(0), SCALES[2], np.uint8(90)]
    model = make_op_model("QLinearMatMul", inputs, opset=10, constants=(1, 2, 4, 5, 6, 7), dynamic=dynamic)
    check_tflite(model, {"x0": A, "x3": B}, tmp_path)


def test_quantized_sum(tmp_path):
    a, b = (RNG.integers(0, 256, (64, 64), dtype=np.uint8) for _ in range(2))
    inputs = [a, SCALES[0], np.uint8(120), b, np.float32(0.07), np.uint8(90), SCALES[2], np.uint8(80)]
    model = make_op_model("QLinearAdd", inputs, domain="com.microsoft", constants=(1, 2, 4, 5, 6, 7))
    check_tflite(model, {"x0": a, "x3": b}, tmp_path)
