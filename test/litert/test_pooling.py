"""Pools over lines, images and volumes, static and open, and what undoes them."""

from __future__ import annotations

import numpy as np
import pytest

from test.handlers.check import make_op_model
from test.litert.check import check_tflite
from test.models import text_model

RNG = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


LINES, IMAGES, VOLUMES = floats(2, 3, 15), floats(2, 3, 9, 11), floats(2, 3, 7, 8, 9)

CASES = [
    (LINES, {"kernel_shape": [3], "strides": [2], "pads": [1, 1]}),
    (IMAGES, {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_LOWER"}),
    (IMAGES, {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    (IMAGES, {"kernel_shape": [3, 3], "dilations": [2, 2], "pads": [1, 1, 1, 1]}),
    (VOLUMES, {"kernel_shape": [3, 3, 3], "strides": [2, 2, 2], "pads": [1, 1, 1, 1, 1, 1]}),
    (VOLUMES, {"kernel_shape": [2, 1, 2], "strides": [2, 1, 2]}),
]


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("op_type", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize(("x", "attributes"), CASES)
def test_pools(tmp_path, op_type, x, attributes, dynamic):
    check_tflite(make_op_model(op_type, [x], attributes, dynamic=dynamic), {"x0": x}, tmp_path)


@pytest.mark.parametrize(("x", "attributes"), CASES[-2:])
def test_norms(tmp_path, x, attributes):
    check_tflite(make_op_model("LpPool", [x], attributes, dynamic=True), {"x0": x}, tmp_path)


@pytest.mark.parametrize("x", [LINES, VOLUMES])
@pytest.mark.parametrize("op_type", ["GlobalMaxPool", "GlobalAveragePool"])
def test_pools_over_everything(tmp_path, op_type, x):
    check_tflite(make_op_model(op_type, [x], dynamic=True), {"x0": x}, tmp_path)


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("x", [LINES, VOLUMES])
def test_indices(tmp_path, x, dynamic):
    rank = x.ndim - 2
    attributes = {"kernel_shape": [3] * rank, "strides": [2] * rank, "pads": [1] * 2 * rank}
    model = make_op_model("MaxPool", [x], attributes, outputs=2, dynamic=dynamic)
    check_tflite(model, {"x0": x}, tmp_path)


@pytest.mark.parametrize("stride", [2, 1])
def test_undone_pools(tmp_path, stride):
    body = """y, i = MaxPool <kernel_shape = [2, 2], strides = [S, S]> (x)
    z = MaxUnpool <kernel_shape = [2, 2], strides = [S, S]> (y, i)""".replace("S", str(stride))
    model = text_model(f"g (float[N, 3, H, W] x) => (float[N, 3, H, W] z) {{ {body} }}")
    feeds = [{"x": floats(1, 3, 6, 8)}, {"x": floats(2, 3, 4, 4)}]
    # Windows that overlap have one maximum; ONNX Runtime writes it as often, LiteRT adds it up.
    check_tflite(model, feeds, tmp_path)


def test_small_integers(tmp_path):
    x = RNG.integers(-128, 127, (1, 3, 6, 7)).astype(np.int8)
    attributes = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    check_tflite(make_op_model("MaxPool", [x], attributes), {"x0": x}, tmp_path)


@pytest.mark.parametrize(("op", "operator"), [("Relu", "PAD"), ("Tanh", "PADV2")])
def test_the_padding_is_a_number_that_the_data_reaches(tmp_path, op, operator):
    body = f"r = {op}(x) y = MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (r)"
    model = text_model(f"g (float[1, 8, 8, 8] x) => (float[1, 8, 4, 4] y) {{ {body} }}")
    found = check_tflite(model, {"x": floats(1, 8, 8, 8)}, tmp_path)
    assert found[operator] == 1
    assert b"\x00\x00\x80\xff" not in (tmp_path / "model.tflite").read_bytes()  # -inf
