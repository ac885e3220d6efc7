"""Shape arithmetic over open dimensions becomes constants, and the numbers stay."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from onnx_tf.options import Options
from onnx_tf.pipeline import lower
from onnx_tf.targets import LITERT
from test.litert.check import check_tflite
from test.models import text_model

CONSTANTS = """<int64 zero = {0}, int64 one = {1}, int64[1] axis = {0}, int64[1] minus = {-1}, int64[1] heads = {4},
int64[1] size = {6}, int64[1] length = {5}, int64[1] two = {2}, int64 three = {3}>"""

HEADS = """s = Shape(x) n = Gather(s, zero) m = Unsqueeze(n, axis) """


def model_of(body: str, inputs: str = "float[N, 5, 24] x") -> onnx.ModelProto:
    return text_model(f"g ({inputs}) => (float[A, B, C, D] y) {CONSTANTS} {{ {body} }}")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (f"{HEADS} t = Concat <axis = 0> (m, length, heads, size) r = Reshape(x, t) y = Relu(r)", [-1, 5, 4, 6]),
        (f"{HEADS} t = Concat <axis = 0> (m, minus, heads, size) r = Reshape(x, t) y = Relu(r)", [-1, 5, 4, 6]),
        (f"{HEADS} t = Concat <axis = 0> (m, length, heads, minus) r = Reshape(x, t) y = Relu(r)", [-1, 5, 4, 6]),
        (
            f"""{HEADS} k = Mul(m, heads) t = Concat <axis = 0> (k, length, size) r = Reshape(x, t) s2 = Shape(r)
            n2 = Gather(s2, zero) n3 = Div(n2, three) y0 = Relu(r) i = Reshape(n3, minus) f = Cast <to = 1> (i)
            z = Mul(f, f) y1 = Unsqueeze(y0, axis) y = Add(y1, z)""",
            [-1, 5, 6],
        ),
        (
            """s = Shape(x) a = Slice(s, axis, two) t = Concat <axis = 0> (a, heads, size) r = Reshape(x, t)
            y = Relu(r)""",
            [-1, 5, 4, 6],
        ),
    ],
)
def test_a_reshape_with_one_open_dimension_gets_a_constant(body, expected):
    graph = lower(model_of(body), Options(target=LITERT), until="settle shapes").model.graph
    reshape = next(node for node in graph if node.op_type == "Reshape")
    assert reshape.inputs[1].const_value.numpy().tolist() == expected


@pytest.mark.parametrize(
    "body",
    [
        f"{HEADS} t = Concat <axis = 0> (m, length, heads, size) r = Reshape(x, t) y = Relu(r)",
        f"{HEADS} t = Concat <axis = 0> (m, length, minus, size) r = Reshape(x, t) y = Relu(r)",
    ],
)
def test_numbers_stay_for_every_batch(body, tmp_path):
    feeds = [{"x": np.random.default_rng(n).standard_normal((n, 5, 24)).astype(np.float32)} for n in (1, 3)]
    found = check_tflite(model_of(body), feeds, tmp_path)
    assert "SHAPE" not in found


def test_two_open_dimensions_stay_computed(tmp_path):
    body = """s = Shape(x) n = Gather(s, zero) l = Gather(s, one) m = Unsqueeze(n, axis) k = Unsqueeze(l, axis)
    t = Concat <axis = 0> (m, k, heads, size) r = Reshape(x, t) y = Relu(r)"""
    feeds = [{"x": np.random.default_rng(n).standard_normal((n, n + 2, 24)).astype(np.float32)} for n in (1, 3)]
    check_tflite(model_of(body, "float[N, L, 24] x"), feeds, tmp_path)
