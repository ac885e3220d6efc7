"""Attention operators: unknown dimensions, and what the official cases leave out."""

from __future__ import annotations

import numpy as np
import pytest

from test.handlers.check import check_op

RNG = np.random.default_rng(5)
WAYS = ["static", "dynamic", "export"]


def draw(*shape, dtype=np.float32):
    return RNG.normal(size=shape).astype(dtype)


Q, K, V = draw(2, 4, 3, 8), draw(2, 2, 5, 8), draw(2, 2, 5, 6)


@pytest.mark.parametrize("attributes", [{}, {"is_causal": 1}, {"scale": 0.2, "softcap": 1.5}])
@pytest.mark.parametrize("mode", [0, 1, 2, 3])
def test_attention(attributes, mode):
    given = [Q, K, V, draw(3, 7), draw(2, 2, 2, 8), draw(2, 2, 2, 6)]
    attributes = attributes | {"qk_matmul_output_mode": mode}
    # ONNX Runtime shows the lowest number for masked scores, not -inf; onnx caps mode 0.
    reference = "onnx" if mode == 2 else "ort"
    check_op("Attention", given, attributes, opset=23, outputs=4, reference=reference, through=["dynamic"])


def test_attention_of_packed_heads():
    attributes = {"q_num_heads": 4, "kv_num_heads": 2, "is_causal": 1}
    check_op("Attention", [draw(2, 3, 32), draw(2, 5, 16), draw(2, 5, 12)], attributes, opset=24, through=WAYS)


@pytest.mark.parametrize("window", [(-1, -1), (1, -1), (2, 1), (0, 0)])
def test_attention_windows_and_valid_lengths(window):
    attributes = {"left_window_size": window[0], "right_window_size": window[1]}
    given = [Q, K, V, None, None, None, np.array([5, 2])]
    for causal in (0, 1):
        check_op(
            "Attention", given, attributes | {"is_causal": causal}, opset=25, reference="onnx", through=["dynamic"]
        )


def test_rows_without_an_allowed_key_are_zero():
    mask = np.ones((3, 5), bool)
    mask[1] = False
    check_op("Attention", [Q, K, V, mask], opset=23, reference="onnx")


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_attention_dtypes(dtype):
    given = [a.astype(dtype) for a in (Q, K, V)]
    tolerance = 4e-3 if dtype == np.float16 else 1e-6
    check_op("Attention", given, opset=23, reference="onnx", through=["dynamic"], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("size", [0, 4])
@pytest.mark.parametrize("packed", [True, False])
def test_rotary_embedding(packed, size, interleaved):
    x = draw(2, 3, 32) if packed else draw(2, 4, 3, 8)
    caches = [draw(10, (size or 8) // 2), draw(10, (size or 8) // 2)]
    attributes = {"interleaved": interleaved, "rotary_embedding_dim": size, "num_heads": 4}
    ids = RNG.integers(0, 10, (2, 3))
    check_op("RotaryEmbedding", [x, *caches, ids], attributes, opset=23, reference="onnx", through=["dynamic"])


@pytest.mark.parametrize("length", [1, 7])
@pytest.mark.parametrize("rule", ["linear", "gated", "delta", "gated_delta"])
def test_linear_attention(rule, length):
    given = [draw(2, length, 16), draw(2, length, 8) / 3, draw(2, length, 6), None, None, None]
    if "gated" in rule:
        given[4] = -np.abs(draw(2, length, 2))
    if "delta" in rule:
        given[5] = RNG.uniform(size=(2, length, 2)).astype(np.float32)
    while given[-1] is None:
        given.pop()
    attributes = {"update_rule": rule, "q_num_heads": 4, "kv_num_heads": 2}
    check_op("LinearAttention", given, attributes, opset=27, outputs=2, reference="onnx", through=["static"])


def test_values_of_another_dtype():
    q, k, v = draw(1, 2, 3, 4), draw(1, 2, 3, 4), draw(1, 2, 3, 4)
    weights = np.exp(q @ k.swapaxes(2, 3) / 2)
    expected = weights / weights.sum(-1, keepdims=True) @ v
    for one, other in [(np.float32, np.float64), (np.float64, np.float32), (np.float16, np.float32)]:
        inputs, tolerance = [q.astype(one), k.astype(one), v.astype(other)], 5e-3 if one is np.float16 else 1e-5
        settings = {"reference": [expected.astype(one)], "rtol": tolerance, "atol": tolerance}
        check_op("Attention", inputs, opset=23, through=["static"], **settings)
