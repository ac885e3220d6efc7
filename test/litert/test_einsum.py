"""Einsum in .tflite files: diagonals, sums, scalars and products that are scalars, whatever is open."""

from __future__ import annotations

import numpy as np
import pytest

from test.handlers.check import make_op_model
from test.litert.check import check_tflite

CASES = [
    ("...ii->...i", [(2, 3, 4, 4)]),
    ("iij,j->i", [(3, 3, 5), (5,)]),
    ("iii->i", [(4, 4, 4)]),
    ("i...i", [(3, 2, 4, 3)]),
    ("ii", [(5, 5)]),
    ("ii,jj->ij", [(3, 3), (4, 4)]),
    (",ij->ji", [(), (2, 3)]),
    ("i,i,->", [(3,), (3,), ()]),
    ("ij,kj->", [(2, 3), (4, 3)]),
    ("b...k->...b", [(2, 3, 4, 5)]),
]


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize(("equation", "shapes"), CASES)
def test_equations(tmp_path, equation, shapes, dynamic):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    model = make_op_model("Einsum", arrays, {"equation": equation}, dynamic=dynamic)
    check_tflite(model, {f"x{i}": array for i, array in enumerate(arrays)}, tmp_path)
