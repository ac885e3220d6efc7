"""Normalizations: versions, statistics as outputs, ranks, dtypes."""

from __future__ import annotations

import numpy as np
import pytest

from test.handlers.check import check_op

RNG = np.random.default_rng(4)
SHAPES = [(4, 3), (4, 3, 5), (2, 3, 4, 5), (2, 3, 2, 4, 3)]


def normal(*shape, dtype=np.float32):
    return RNG.standard_normal(shape).astype(dtype)


def statistics(*shape, dtype=np.float32):
    return [normal(*shape), normal(*shape), normal(*shape), RNG.random(shape).astype(dtype) + 0.5]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("opset", [7, 9, 15])
def test_batch_normalization(shape, opset):
    inputs = [normal(*shape), *statistics(shape[1])]
    check_op("BatchNormalization", inputs, {"epsilon": 1e-3}, opset=opset, constants=(1, 2, 3, 4))
    check_op("BatchNormalization", inputs, opset=opset, through=["static"])


@pytest.mark.parametrize("shape", SHAPES)
def test_batch_normalization_in_training(shape):
    x, scale, b, mean, var = inputs = [normal(*shape), *statistics(shape[1])]
    axes = (0, *range(2, len(shape)))
    by_channel = (slice(None), *[None] * (len(shape) - 2))
    saved = [x.mean(axes), x.var(axes)]
    running = [0.8 * old + 0.2 * new for old, new in zip((mean, var), saved, strict=True)]
    y = (x - saved[0][by_channel]) / np.sqrt(saved[1][by_channel] + 1e-5) * scale[by_channel] + b[by_channel]
    attributes = {"momentum": 0.8}
    for opset, extra, outputs in ((15, {"training_mode": 1}, [y, *running]), (9, {}, [y, *running, *saved])):
        check_op(
            "BatchNormalization",
            inputs,
            {**attributes, **extra},
            opset=opset,
            outputs=len(outputs),
            reference=outputs,
        )


def test_batch_normalization_of_single_activations():
    x, (scale, b, mean, var) = normal(2, 3, 4, 5), statistics(3, 4, 5)
    y = (x - mean) / np.sqrt(var + 1e-5) * scale + b
    check_op("BatchNormalization", [x, scale, b, mean, var], {"spatial": 0}, opset=7, reference=[y])
    check_op("BatchNormalization", [x, scale, b, mean, var], {"spatial": 0, "is_test": 1}, opset=6, reference=[y])


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_batch_normalization_of_other_floats(dtype):
    inputs = [normal(2, 3, 4, 5, dtype=dtype), *[a.astype(dtype) for a in statistics(3)]]
    tolerance = 5e-3 if dtype == np.float16 else 1e-6
    check_op("BatchNormalization", inputs, opset=15, reference="onnx", rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("shape", SHAPES[1:])
def test_instance_normalization(shape):
    inputs = [normal(*shape) + 50, normal(shape[1]), normal(shape[1])]
    check_op("InstanceNormalization", inputs, {"epsilon": 1e-3}, opset=6, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("shape", [(2, 6, 5), (2, 6, 4, 5), (2, 6, 2, 3, 4)])
@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_group_normalization(shape, groups):
    attributes = {"num_groups": groups, "epsilon": 1e-3}
    for opset, size in ((18, groups), (21, 6)):
        inputs = [normal(*shape), normal(size), normal(size)]
        check_op("GroupNormalization", inputs, attributes, opset=opset, reference="onnx", through=["static"])
        # The number of channels is what the scale says, or the filters before.
        check_op("GroupNormalization", inputs, attributes, opset=opset, reference="onnx", constants=(1, 2))


@pytest.mark.parametrize("axis", [None, 1, -2, 0])
def test_layer_normalization(axis):
    x = normal(2, 3, 4)
    shape = x.shape[-1 if axis is None else axis :]
    inputs = [x, normal(*shape), normal(*shape)]
    attributes = {} if axis is None else {"axis": axis}
    check_op("LayerNormalization", inputs, attributes, opset=17, outputs=3)
    check_op("LayerNormalization", inputs[:2], attributes, opset=17, outputs=3, through=["static"])


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_layer_normalization_of_other_floats(dtype):
    inputs = [normal(2, 3, 40, dtype=dtype), normal(40, dtype=dtype), normal(40, dtype=dtype)]
    tolerance = 5e-3 if dtype == np.float16 else 1e-6
    check_op("LayerNormalization", inputs, opset=17, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("axis", [-1, 1, 0])
def test_rms_normalization(axis):
    x = normal(2, 3, 4)
    check_op(
        "RMSNormalization", [x, normal(*x.shape[axis:])], {"axis": axis, "epsilon": 1e-3}, opset=23, reference="onnx"
    )


def test_rms_normalization_has_the_dtype_of_its_scale():
    inputs = [normal(2, 4, dtype=np.float16), normal(4)]
    wide = inputs[0].astype(np.float32)
    expected = wide / np.sqrt((wide**2).mean(-1, keepdims=True) + 1e-5) * inputs[1]
    check_op("RMSNormalization", inputs, opset=23, reference=[expected], rtol=1e-3)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("shape", [(2, 6, 4, 5), (2, 6, 5)])
def test_lrn(size, shape):
    attributes = {"size": size, "alpha": 0.5, "beta": 0.6, "bias": 1.5}
    reference = "ort" if len(shape) == 4 and size % 2 else [_lrn(x := normal(*shape), **attributes)]
    check_op("LRN", [normal(*shape) if reference == "ort" else x], attributes, opset=13, reference=reference)


@pytest.mark.parametrize("beta", [0.5, 0.75, 1.0, 2.3])
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf, 3e38, 1e-40])
def test_lrn_keeps_to_its_neighbours(special, beta):
    x = normal(2, 9, 3, 4)
    x[0, 4, 1, 2] = x[1, 0, 0, 0] = x[1, 8, 2, 3] = special
    attributes = {"size": 5, "alpha": 0.5, "beta": beta, "bias": 1.5}
    with np.errstate(all="ignore"):
        check_op("LRN", [x], attributes, opset=13, reference=[_lrn(x, **attributes)])


@pytest.mark.parametrize("attributes", [{"alpha": -2.0, "beta": 2.0}, {"bias": -3.0, "beta": 1.0}, {"size": 99}])
def test_lrn_of_unusual_attributes(attributes):
    x = normal(2, 9, 3, 4)
    given = {"size": 3, "alpha": 0.5, "beta": 0.75, "bias": 1.5, **attributes}
    check_op("LRN", [x], given, opset=13, reference=[_lrn(x, **given)], through=["static", "export"])


def test_lrn_of_an_empty_batch():
    check_op("LRN", [normal(0, 5, 3, 4)], {"size": 3}, opset=13, reference=[np.zeros([0, 5, 3, 4], np.float32)])


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    "shape", [(3, 256, 128), (16, 64, 64), (5, 7, 9), (24, 40), (8, 16, 32, 32), (40, 30, 30), (4, 1)]
)
def test_the_form_of_instance_normalization_depends_on_the_shape(batch, shape):
    inputs = [normal(batch, *shape) * 3 + 2, normal(shape[0]), normal(shape[0])]
    check_op(
        "InstanceNormalization", inputs, {"epsilon": 1e-3}, constants=[1, 2], through=["static", "export"], rtol=1e-3
    )


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(1, 3, 256, 128), (1, 24, 40), (2, 24, 40)])
def test_instance_normalization_of_special_values_of_one_channel(shape, special):
    x = normal(*shape)
    x[0, 1].flat[5] = special
    check_op("InstanceNormalization", [x, normal(shape[1]), normal(shape[1])], through=["static"], rtol=1e-3, atol=1e-4)


def _lrn(x, size, alpha, beta, bias):
    total = np.zeros_like(x)
    for c in range(x.shape[1]):
        low, high = max(0, c - (size - 1) // 2), min(x.shape[1] - 1, c + size // 2)
        total[:, c] = (x[:, low : high + 1] ** 2).sum(1)
    return x / (bias + alpha / size * total) ** beta


@pytest.mark.parametrize("axes", [None, [0, 2, 3], [0, 1, 2, 3], [-1], [1]])
def test_mean_variance_normalization(axes):
    check_op(
        "MeanVarianceNormalization",
        [normal(2, 3, 4, 5)],
        {} if axes is None else {"axes": axes},
        opset=13,
        reference="onnx",
    )


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_lp_normalization(p, axis):
    x = normal(3, 4, 5)
    x[1] = 0
    norm = np.abs(x).sum(axis, keepdims=True) if p == 1 else np.sqrt((x**2).sum(axis, keepdims=True))
    expected = np.where(norm == 0, 0, x / np.where(norm == 0, 1, norm))
    check_op("LpNormalization", [x], {"p": p, "axis": axis}, opset=22, reference=[expected])
