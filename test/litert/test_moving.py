"""Expand and mirrored pads in .tflite files: by kernels that copy rows, whatever is open."""

from __future__ import annotations

import numpy as np
import pytest

from test.handlers.check import make_op_model
from test.litert.check import check_tflite

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.bool_])
@pytest.mark.parametrize(
    ("dims", "shape"),
    [((2, 3, 1), (2, 3, 4)), ((1, 3, 4), (5, 1, 1)), ((3, 1), (2, 1, 6)), ((2, 3), (2, 3)), ((), (2, 3))],
)
def test_expand(tmp_path, dims, shape, dtype, dynamic):
    x = np.asarray(RNG.integers(0, 2, dims), dtype)
    model = make_op_model("Expand", [x, np.array(shape)], {}, constants=(1,), dynamic=dynamic)
    assert "BROADCAST_TO" not in check_tflite(model, {"x0": x}, tmp_path)


def test_expand_to_a_computed_shape(tmp_path):
    x, shape = RNG.standard_normal((3, 1)).astype(np.float32), np.array([2, 3, 4])
    check_tflite(make_op_model("Expand", [x, shape], {}), {"x0": x, "x1": shape}, tmp_path)


@pytest.mark.parametrize("open_batch", [False, True])
@pytest.mark.parametrize("pads", [[0, 0, 1, 2, 0, 0, 2, 1], [0, 0, 4, 0, 0, 0, 0, 5], [0, 1, 0, 0, 0, 0, 0, 0]])
def test_mirrored_pads(tmp_path, pads, open_batch):
    x = RNG.standard_normal((2, 3, 5, 6)).astype(np.float32)
    model = make_op_model("Pad", [x, np.array(pads)], {"mode": "reflect"}, constants=(1,))
    if open_batch:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "n"
    found = check_tflite(model, {"x0": x}, tmp_path)
    assert "MIRROR_PAD" not in found
