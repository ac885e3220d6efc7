"""Random numbers: dtypes, shapes, moments, and which of them repeat."""

from __future__ import annotations

import numpy as np
import pytest

from onnx_tf import prepare
from test.handlers.check import make_op_model

SHAPE = (200, 100)
DRAWN = {
    "RandomNormal": ([], {"shape": SHAPE, "mean": 2.0, "scale": 3.0}),
    "RandomNormalLike": ([np.zeros(SHAPE, np.float32)], {"mean": 2.0, "scale": 3.0}),
    "RandomUniform": ([], {"shape": SHAPE, "low": -1.0, "high": 5.0}),
    "RandomUniformLike": ([np.zeros(SHAPE, np.float32)], {"low": -1.0, "high": 5.0}),
    "Bernoulli": ([np.full(SHAPE, 0.3, np.float32)], {}),
    "Multinomial": ([np.log(np.array([[0.1, 0.6, 0.3]] * 200, np.float32))], {"sample_size": 100}),
}
MOMENTS = {
    "RandomNormal": (2, 3),
    "RandomUniform": (2, 3**0.5),
    "Bernoulli": (0.3, 0.21**0.5),
    "Multinomial": (1.2, 0.6),
}


@pytest.mark.parametrize("op", DRAWN)
def test_moments_and_seeds(op):
    inputs, attributes = DRAWN[op]
    fresh = prepare(make_op_model(op, inputs, attributes, opset=22))
    first, second = fresh.run(inputs)[0], fresh.run(inputs)[0]
    assert first.shape == SHAPE
    assert not np.array_equal(first, second)
    mean, deviation = MOMENTS[op.removesuffix("Like")]
    np.testing.assert_allclose([first.mean(), first.std()], [mean, deviation], atol=0.1)
    seeded = [prepare(make_op_model(op, inputs, attributes | {"seed": 4.0}, opset=22)) for _ in range(2)]
    results = [rep.run(inputs)[0] for rep in seeded for _ in range(2)]
    assert all(np.array_equal(results[0], other) for other in results[1:])


@pytest.mark.parametrize(
    ("op", "dtype"), [("RandomNormal", 10), ("RandomUniform", 11), ("Bernoulli", 9), ("Multinomial", 7)]
)
def test_dtypes(op, dtype):
    inputs, attributes = DRAWN[op]
    result = prepare(make_op_model(op, inputs, attributes | {"dtype": dtype}, opset=15)).run(inputs)[0]
    assert result.dtype == {10: np.float16, 11: np.float64, 9: np.bool_, 7: np.int64}[dtype]


def test_each_node_draws_its_own():
    model = make_op_model("RandomNormal", [], {"shape": [4]}, opset=22)
    other = model.graph.node.add()
    other.CopyFrom(model.graph.node[0])
    other.output[0] = "other"
    model.graph.output.add().name = "other"
    a, b = prepare(model).run([])
    assert not np.array_equal(a, b)
