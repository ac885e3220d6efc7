"""Random numbers in .tflite files: of the right distribution, others in each call."""

from __future__ import annotations

import numpy as np
import pytest

from onnx_tf.check.litert import LiteRT
from test.litert.check import check_tflite, written
from test.models import text_model

X = np.full((50, 40), 0.25, np.float32)


@pytest.mark.parametrize(
    ("node", "mean", "deviation"),
    [
        ("RandomNormalLike <mean = 2.0, scale = 3.0> (x)", 2, 3),
        ("RandomUniformLike <low = 1.0, high = 3.0> (x)", 2, 12**-0.5 * 2),
        ("RandomUniform <shape = [50, 40]> ()", 0.5, 12**-0.5),
        ("RandomNormal <shape = [50, 40]> ()", 0, 1),
        ("Bernoulli (x)", 0.25, 0.1875**0.5),
    ],
)
def test_moments(tmp_path, node, mean, deviation):
    file = tmp_path / "model.tflite"
    interface = written(text_model(f"g (float[N, 40] x) => (float[N, 40] y) {{ y = {node} }}", opset=22), file)
    first, second = (outputs["y"] for outputs in LiteRT(file, interface).runs([{"x": X}, {"x": X}]))
    assert not np.array_equal(first, second)
    assert first.shape == (50, 40)
    np.testing.assert_allclose([first.mean(), first.std()], [mean, deviation], atol=0.1 * deviation)


def test_draws_of_classes(tmp_path):
    file = tmp_path / "model.tflite"
    graph = "g (float[2, 3] x) => (int32[2, 2000] y) { y = Multinomial <sample_size = 2000> (x) }"
    interface = written(text_model(graph, opset=22), file)
    probabilities = np.array([[0.2, 0.3, 0.5], [0.7, 0.2, 0.1]], np.float32)
    drawn = LiteRT(file, interface).run({"x": np.log(probabilities)})["y"]
    found = [[np.mean(row == i) for i in range(3)] for row in drawn]
    np.testing.assert_allclose(found, probabilities, atol=0.06)


def test_numbers_of_a_seed_are_constants(tmp_path):
    graph = """g (float[2, 3] x) => (float[2, 3] y) {
        r = RandomUniform <shape = [2, 3], seed = 3.0> () s = Sub (r, r) y = Add (x, s) }"""
    expected = [{"y": X[:2, :3]}]
    assert "RANDOM_UNIFORM" not in check_tflite(
        text_model(graph, opset=22), {"x": X[:2, :3]}, tmp_path, expected=expected
    )
