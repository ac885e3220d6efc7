"""Data of more axes than kernels take, running products, and scattering that reduces."""

from __future__ import annotations

import numpy as np
import pytest

from test.handlers.check import make_op_model
from test.litert.check import check_tflite

RNG = np.random.default_rng(0)
SEVEN = RNG.standard_normal((2, 1, 3, 2, 1, 2, 2)).astype(np.float32)
CUBE = RNG.standard_normal((3, 4, 5)).astype(np.float32)


@pytest.mark.parametrize("dynamic", [False, True])
def test_joined_along_any_of_seven_axes(dynamic, tmp_path):
    model = make_op_model("Concat", [SEVEN, SEVEN], {"axis": 3}, dynamic=dynamic)
    check_tflite(model, {"x0": SEVEN, "x1": -SEVEN}, tmp_path)


@pytest.mark.parametrize("dynamic", [False, True])
def test_slices_of_seven_axes(dynamic, tmp_path):
    bounds = [np.array(x) for x in ([-1, 1], [-9, 2], [2, 6], [-2, 1])]
    model = make_op_model("Slice", [SEVEN, *bounds], constants=(1, 2, 3, 4), dynamic=dynamic)
    check_tflite(model, {"x0": SEVEN}, tmp_path)


@pytest.mark.parametrize("attributes", [{}, {"exclusive": 1}, {"reverse": 1}, {"exclusive": 1, "reverse": 1}])
def test_running_products(attributes, tmp_path):
    model = make_op_model("CumProd", [CUBE, np.array(1)], attributes, constants=(1,), dynamic=True)
    expected = np.flip(CUBE, 1) if "reverse" in attributes else CUBE
    expected = np.cumprod(expected, 1)
    if "exclusive" in attributes:
        expected = np.concatenate([np.ones_like(expected[:, :1]), expected[:, :-1]], 1)
    expected = np.flip(expected, 1) if "reverse" in attributes else expected
    check_tflite(model, {"x0": CUBE}, tmp_path, expected=[{"y0": expected}])


@pytest.mark.parametrize("reduction", ["add", "mul", "max", "min"])
def test_scattered_and_reduced(reduction, tmp_path):
    data = CUBE.copy()
    if reduction in ("max", "min"):  # kernels of sums make the largest numbers of infinities
        data[1] = -np.inf
    places = np.array([[0], [-1], [0]])
    model = make_op_model("ScatterND", [data, places, CUBE], {"reduction": reduction})
    check_tflite(model, {"x0": data, "x1": places, "x2": CUBE}, tmp_path)
