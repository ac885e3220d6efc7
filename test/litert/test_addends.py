"""Constants that are added one after the other, in .tflite files."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper

from onnx_tf import convert
from test.litert.check import check_tflite
from test.models import text_model

RNG = np.random.default_rng(0)


def sums(*constants, orders=("Add(x, a)", "Add(s, b)"), shape="N"):
    nodes = f"{{ s = {orders[0]} y = {orders[1]} }}"
    model = text_model(f"g (float[{shape}] x) => (float[{shape}] y) {nodes}")
    for name, constant in zip("ab", constants, strict=True):
        model.graph.initializer.append(numpy_helper.from_array(np.array(constant, np.float32), name))
    return model


@pytest.mark.parametrize("orders", [("Add(x, a)", "Add(s, b)"), ("Add(a, x)", "Add(b, s)")])
@pytest.mark.parametrize("constants", [(1e8, -1e8), (1e8, 0.25), ([1.0, 1e8, 3.0], [2.0, -1e8, 4.0])])
def test_constants_that_swallow_others_are_added_in_order(orders, constants, tmp_path):
    x = np.array([[1.25, -3.0, 0.0], [-0.0, 1e-3, 7.0]], np.float32)
    operators = check_tflite(sums(*constants, orders=orders, shape="N, 3"), {"x": x}, tmp_path)
    assert operators == {"ADD": 1, "SUB": 1}


def test_constants_of_one_kind_are_added_once(tmp_path):
    feed = {"x": RNG.random((3, 2), np.float32)}
    assert check_tflite(sums([1.0, 2.0], [0.5, 3.0], shape="N, 2"), feed, tmp_path) == {"ADD": 1}


def test_constants_stay_as_small_as_they_are(tmp_path):
    bias, mask = RNG.random((1, 4, 16, 16), np.float32), RNG.random((32, 1, 16, 16), np.float32)
    model = sums(bias, mask, shape="32, 4, 16, 16")
    assert check_tflite(model, {"x": RNG.random((32, 4, 16, 16), np.float32)}, tmp_path) == {"ADD": 1, "SUB": 1}
    convert(model, tmp_path / "small.tflite", check=False)
    assert (tmp_path / "small.tflite").stat().st_size < 1.1 * (bias.nbytes + mask.nbytes)
