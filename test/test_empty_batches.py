"""``run`` with an open batch that turns out empty, before convolutions, whose kernels go wrong there (oneDNN)."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

from onnx_tf import prepare
from test.models import text_model

CONVOLUTIONS = {
    "image": ("Conv(x, w)", "N, 4, 6, 6"),
    "transposed": ("ConvTranspose <group = 1> (x, v)", "N, 4, 10, 10"),
    "dilated": ("Conv <dilations = [2, 2]> (x, w)", "N, 4, 4, 4"),
    "grouped, with pads": ("Conv <group = 3, pads = [1, 1, 1, 1]> (x, g)", "N, 6, 8, 8"),
    "strided": ("Conv <strides = [2, 2]> (x, w)", "N, 4, 3, 3"),
}


def model_of(convolution: str, dims: str, more: str = ""):
    return text_model(f"""
        agraph (float[N, 3, 8, 8] x) => (float[{dims}] y, float[N, C] z{more and ", float[] s"})
        <int64[4] ws = {{4, 3, 3, 3}}, int64[4] vs = {{3, 4, 3, 3}}, int64[4] gs = {{6, 1, 3, 3}}> {{
            w = ConstantOfShape <value = float[1] {{0.5}}> (ws)
            v = ConstantOfShape <value = float[1] {{0.5}}> (vs)
            g = ConstantOfShape <value = float[1] {{0.5}}> (gs)
            c = {convolution}
            y = Relu(c)
            z = ReduceMean <axes = [2, 3], keepdims = 0> (y)
            {more}
        }}""")


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_no_rows_as_in_onnx_runtime(name):
    model = model_of(*CONVOLUTIONS[name])
    x = np.zeros([0, 3, 8, 8], np.float32)
    expected = ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    found = prepare(model).run(x)
    assert [(a.shape, a.dtype) for a in found] == [(a.shape, a.dtype) for a in expected]


def test_rows_of_other_lengths_stay():
    rep = prepare(model_of(*CONVOLUTIONS["image"]))
    assert [rep.run(np.ones([n, 3, 8, 8], np.float32)).y.shape[0] for n in (0, 2, 1, 0)] == [0, 2, 1, 0]


def test_a_sum_over_no_rows_is_not_taken_from_one():
    """An output without the batch is a number of its own: what computes it sees the empty batch, or fails."""
    model = model_of("Relu(x)", "N, 3, 8, 8", "s = ReduceSum <keepdims = 0> (y)")
    assert prepare(model).run(np.zeros([0, 3, 8, 8], np.float32)).s == 0
