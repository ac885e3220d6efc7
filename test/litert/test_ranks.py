"""More axes than LiteRT's kernels take: reductions, slices and pads of merged axes."""

from __future__ import annotations

import numpy as np
import pytest

from test.litert.check import check_tflite
from test.models import text_model

SIX, SEVEN = "2, 3, 2, 2, 3, 2", "2, 3, 2, 2, 3, 2, 2"


@pytest.mark.parametrize(
    "body",
    [
        f"g (float[{SEVEN}] x) => (float[2, 3, 2, 3, 2, 2] y) {{ y = ReduceMean <axes = [3], keepdims = 0> (x) }}",
        f"g (float[{SEVEN}] x) => (float[y] y) <int64[2] a = {{-1, 1}}> {{ y = ReduceSum <keepdims = 1> (x, a) }}",
        f"g (float[{SEVEN}] x) => (float[y] y) <int64[2] b = {{0, 1}}, int64[2] e = {{9, 3}}, int64[2] a = {{4, 1}}> "
        "{ y = Slice(x, b, e, a) }",
        f"g (float[{SIX}] x) => (float[y] y) <int64[12] p = {{0, 1, 0, 0, 2, 0, 1, 0, 0, 0, 0, 0}}> "
        "{ y = Pad(x, p) }",
    ],
)
def test_many_axes(tmp_path, body):
    model = text_model(body)
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    model.graph.output[0].type.tensor_type.ClearField("shape")
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    check_tflite(model, {"x": x}, tmp_path)
