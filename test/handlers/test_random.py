"""Random numbers: dtypes, shapes, moments, and which of them repeat."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

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


def _bins(op, drawn):
    """Return how often values fell into bins, and the share that each bin should get."""
    if op.startswith("RandomNormal"):
        # The deciles of the normal distribution.
        above = np.array([0.2533471, 0.5244005, 0.8416212, 1.2815516])
        edges = 2 + 3 * np.concatenate([-above[::-1], [0], above])
        return np.bincount(np.searchsorted(edges, drawn.ravel()), minlength=10), np.full(10, 0.1)
    if op.startswith("RandomUniform"):
        return np.histogram(drawn, 12, (-1, 5))[0], np.full(12, 1 / 12)
    shares = [0.7, 0.3] if op == "Bernoulli" else [0.1, 0.6, 0.3]
    return np.bincount(drawn.ravel().astype(int), minlength=len(shares)), np.array(shares)


@pytest.mark.parametrize("op", DRAWN)
def test_distributions_through_a_saved_model(op, tmp_path):
    inputs, attributes = DRAWN[op]
    calls = {}
    for name, seed in {"fresh": {}, "seeded": {"seed": 4.0}}.items():
        rep = prepare(make_op_model(op, inputs, attributes | seed, opset=22))
        rep.export_graph(tmp_path / name)
        serve = tf.saved_model.load(str(tmp_path / name)).signatures["serving_default"]
        feed = {f"x{i}": tf.constant(x) for i, x in enumerate(inputs)}
        calls[name] = [serve(**feed)["y0"].numpy() for _ in range(2)]
        if seed:
            np.testing.assert_array_equal(calls[name][0], rep.run(inputs)[0])
    assert not np.array_equal(*calls["fresh"])
    np.testing.assert_array_equal(*calls["seeded"])
    counts, shares = _bins(op, np.stack([*calls["fresh"], calls["seeded"][0]]))
    assert counts.sum() == 3 * SHAPE[0] * SHAPE[1]
    expected, freedom = counts.sum() * shares, len(shares) - 1
    # Chance alone gives more than this less than once in a million runs.
    limit = freedom * (1 - 2 / (9 * freedom) + 4.75 * (2 / (9 * freedom)) ** 0.5) ** 3
    assert (np.square(counts - expected) / expected).sum() < limit


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


LARGE = (65536, 65537)
"""More than 2**31 elements, which wrap to 65536 in 32 bits."""


@pytest.mark.parametrize("op", ["RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike"])
@pytest.mark.parametrize("shape", [LARGE, (1 << 16, 1 << 15), (1 << 16, 1 << 16), (3, 1 << 30)])
def test_more_elements_than_32_bits_count(op, shape):
    like = op.endswith("Like")
    model = make_op_model(
        op, [np.zeros((1, 1), np.float32)] if like else [], {} if like else {"shape": shape}, opset=22
    )
    for dim, size in zip(model.graph.input[0].type.tensor_type.shape.dim if like else (), shape, strict=False):
        dim.dim_value = size
    rep = prepare(model)
    (drawn,) = [
        operation
        for operation in rep.graph.get_operations()
        if operation.type.startswith("StatelessRandom")
        and "Seed" not in operation.type
        and operation.outputs[0].dtype.is_floating
    ]
    assert drawn.outputs[0].shape == shape
    assert rep.signatures["serving_default"].structured_outputs["y0"].shape == shape


@pytest.mark.parametrize("op", ["Bernoulli", "Multinomial"])
def test_more_draws_than_32_bits_count(op):
    attributes = {"sample_size": LARGE[1]} if op == "Multinomial" else {}
    model = make_op_model(op, [np.zeros((1, 3), np.float32)], attributes, opset=22)
    dims = model.graph.input[0].type.tensor_type.shape.dim
    dims[0].dim_value, dims[1].dim_value = LARGE[0], 3 if op == "Multinomial" else LARGE[1]
    rep = prepare(model)
    assert rep.signatures["serving_default"].structured_outputs["y0"].shape == LARGE
    kinds = {"Bernoulli": "StatelessRandomUniformV2", "Multinomial": "StatelessMultinomial"}
    (drawn,) = [operation for operation in rep.graph.get_operations() if operation.type == kinds[op]]
    assert drawn.outputs[0].shape.num_elements() == LARGE[0] * LARGE[1]


@pytest.mark.parametrize("op", ["RandomNormalLike", "RandomUniformLike"])
def test_shapes_that_only_the_run_knows(op):
    model = make_op_model(op, [np.zeros((1, 1, 1), np.float32)], {"seed": 1.0}, opset=22)
    for index, dim in enumerate(model.graph.input[0].type.tensor_type.shape.dim):
        dim.dim_param = f"d{index}"
    rep = prepare(model)
    drawn = rep.run(np.zeros((3, 4, 5), np.float32))[0]
    assert drawn.shape == (3, 4, 5)
    static = prepare(make_op_model(op, [np.zeros((3, 4, 5), np.float32)], {"seed": 1.0}, opset=22))
    np.testing.assert_array_equal(drawn, static.run(np.zeros((3, 4, 5), np.float32))[0])
