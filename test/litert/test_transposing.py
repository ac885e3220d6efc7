"""Transpose of many axes and of dtypes without kernel."""

from __future__ import annotations

import numpy as np
import pytest

from test.handlers.check import make_op_model
from test.litert.check import check_tflite
from test.models import text_model

DIMS = (2, 3, 1, 2, 3, 2, 2, 3)


@pytest.mark.parametrize("perm", [[7, 6, 5, 4, 3, 2, 1, 0], [1, 3, 5, 7, 0, 2, 4, 6], [0, 1, 2, 3, 5, 4, 6, 7]])
@pytest.mark.parametrize("dynamic", [False, True])
def test_eight_axes(perm, dynamic, tmp_path):
    x = np.arange(np.prod(DIMS), dtype=np.float32).reshape(DIMS)
    check_tflite(make_op_model("Transpose", [x], {"perm": perm}, dynamic=dynamic), {"x0": x}, tmp_path)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.uint16, np.int16, np.uint32, np.uint64, np.bool_])
def test_dtypes(dtype, tmp_path):
    x = np.arange(24).reshape(2, 3, 4).astype(dtype)
    check_tflite(make_op_model("Transpose", [x], {"perm": [2, 0, 1]}), {"x0": x}, tmp_path)


@pytest.mark.parametrize("formula", ["Sub(number, t)", "Div(number, t)", "Reciprocal(t)", "Sub(t, number)"])
def test_operands_behind_a_transpose_stay_in_order(formula, tmp_path):
    body = f"g (float[N, 4] x) => (float[4, N] y) <float number = {{100}}> {{ t = Transpose(x) y = {formula} }}"
    check_tflite(text_model(body), {"x": np.arange(1, 13, dtype=np.float32).reshape(3, 4)}, tmp_path)
