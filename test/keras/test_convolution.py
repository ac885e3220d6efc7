"""Convolutions, pools and normalizations as Keras's layers."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

import onnx_tf
from test.keras.check import check_keras, layers_of
from test.models import node_model

RNG = np.random.default_rng(0)


def drawn(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def checked(op: str, x: tuple[int, ...], weights: tuple[np.ndarray, ...], folder, **attributes) -> list[str]:
    """Check one node with an open batch, and return its layers."""
    names = [f"w{i}" for i in range(len(weights))]
    model = node_model(
        [helper.make_node(op, ["x", *names], ["y"], name="node", **attributes)],
        {"x": ["n", *x[1:]]},
        ["y"],
        dict(zip(names, weights, strict=True)),
    )
    feeds = [{"x": drawn(n, *x[1:])} for n in (x[0], x[0] + 2)]
    return [name for name in layers_of(check_keras(model, feeds, folder)) if name != "Permute"]


@pytest.mark.parametrize(
    ("x", "filters", "attributes", "layers"),
    [
        ((2, 3, 8, 9), (4, 3, 3, 3), {"pads": [1, 1, 1, 1]}, ["Conv2D"]),
        ((1, 3, 8, 9), (4, 3, 3, 3), {"pads": [1, 1, 1, 1], "strides": [2, 2]}, ["ZeroPadding2D", "Conv2D"]),
        ((1, 3, 8, 8), (4, 3, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, ["Conv2D"]),
        ((1, 3, 8, 8), (4, 3, 3, 3), {"auto_pad": "SAME_LOWER", "strides": [2, 2]}, ["ZeroPadding2D", "Conv2D"]),
        ((1, 4, 8, 9), (8, 1, 3, 3), {"group": 4}, ["DepthwiseConv2D"]),
        ((1, 4, 8, 9), (4, 1, 3, 3), {"group": 4, "strides": [1, 2]}, ["Conv2D"]),
        ((1, 4, 8, 9), (6, 2, 3, 3), {"group": 2}, ["Conv2D"]),
        ((1, 3, 9, 9), (4, 3, 3, 3), {"dilations": [2, 2], "pads": [2, 2, 2, 2]}, ["Conv2D"]),
        ((1, 3, 9, 9), (4, 3, 3, 3), {"dilations": [2, 2], "strides": [2, 2]}, ["Conv2D", "GetItem"]),
        ((1, 3, 9), (4, 3, 3), {"pads": [1, 1]}, ["Conv1D"]),
        ((1, 4, 9), (4, 1, 3), {"group": 4}, ["DepthwiseConv1D"]),
        ((1, 2, 4, 5, 6), (3, 2, 2, 2, 2), {"strides": [2, 1, 1]}, ["Conv3D"]),
    ],
)
def test_conv(x, filters, attributes, layers, tmp_path):
    assert checked("Conv", x, (drawn(*filters), drawn(filters[0])), tmp_path, **attributes) == layers
    assert checked("Conv", x, (drawn(*filters),), tmp_path, **attributes) == layers


@pytest.mark.parametrize(
    ("x", "filters", "attributes"),
    [
        ((2, 3, 4, 5), (3, 2, 2, 2), {"strides": [2, 2]}),
        ((1, 3, 4, 5), (3, 2, 3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
        ((1, 3, 4, 5), (3, 2, 3, 3), {"strides": [2, 2], "output_padding": [1, 1]}),
        ((1, 3, 4, 5), (3, 2, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ((1, 3, 4, 5), (3, 2, 1, 1), {"strides": [2, 2]}),
        ((1, 3, 4, 5), (3, 2, 3, 3), {"dilations": [2, 1]}),
        ((1, 4, 4, 5), (4, 2, 3, 3), {"group": 2, "strides": [2, 1]}),
        ((1, 3, 5), (3, 2, 4), {"strides": [2], "pads": [1, 1]}),
        ((1, 3, 3, 4, 5), (3, 2, 2, 2, 2), {"strides": [2, 2, 2]}),
    ],
)
def test_conv_transpose(x, filters, attributes, tmp_path):
    bias = drawn(filters[1] * attributes.get("group", 1))
    checked("ConvTranspose", x, (drawn(*filters), bias), tmp_path, **attributes)


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize(
    ("x", "attributes"),
    [
        ((1, 3, 8, 9), {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ((1, 3, 8, 9), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ((1, 3, 8, 9), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
        ((1, 3, 8, 9), {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
        ((1, 3, 8, 9), {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1, "pads": [0, 0, 1, 1]}),
        ((1, 3, 9), {"kernel_shape": [3], "strides": [2]}),
        ((1, 3, 4, 5, 6), {"kernel_shape": [2, 2, 2]}),
    ],
)
def test_pools(op, x, attributes, tmp_path):
    checked(op, x, (), tmp_path, **attributes)


def test_average_pool_that_counts_padding(tmp_path):
    checked("AveragePool", (1, 3, 8, 9), (), tmp_path, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)


@pytest.mark.parametrize(
    ("op", "counts"), [("MaxPool", {}), ("AveragePool", {}), ("AveragePool", {"count_include_pad": 1})]
)
def test_windows_that_are_larger_than_all_data_are_not_padded(op, counts, tmp_path):
    shape = {"kernel_shape": [20, 3], "strides": [20, 1], "pads": [4, 1, 9, 1], "ceil_mode": 1}
    layers = checked(op, (1, 3, 8, 2), (), tmp_path, **shape, **counts)
    assert {"MaxPool": "MaxPooling2D", "AveragePool": "AveragePooling2D"}[op] in layers
    model = node_model([helper.make_node(op, ["x"], ["y"], **shape, **counts)], {"x": ["n", 3, 8, 2]}, ["y"])
    sizes = [layer.output.shape[1] for layer in onnx_tf.to_keras(model).layers if "pad" in layer.name]
    assert all(size <= 8 for size in sizes)


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool"])
def test_global_pools(op, tmp_path):
    assert len(checked(op, (1, 3, 4, 5), (), tmp_path)) == 1


def test_lrn(tmp_path):
    checked("LRN", (1, 6, 4, 5), (), tmp_path, size=3, alpha=0.1)


def test_normalizations(tmp_path):
    scale, bias = drawn(6), drawn(6)
    assert checked("InstanceNormalization", (1, 6, 4, 5), (scale, bias), tmp_path) == ["GroupNormalization"]
    weights = (scale, bias)
    assert checked("LayerNormalization", (2, 5, 6), weights, tmp_path, epsilon=1e-3) == ["LayerNormalization"]
    checked("LayerNormalization", (2, 5, 6), (drawn(5, 6),), tmp_path, axis=1)


def test_batch_normalization_is_folded_or_kept_for_training(tmp_path):
    weights = {"f": drawn(4, 3, 3, 3), "s": drawn(4), "b": drawn(4), "m": drawn(4), "v": abs(drawn(4)) + 1}
    nodes = [
        helper.make_node("Conv", ["x", "f"], ["c"], name="conv"),
        helper.make_node("BatchNormalization", ["c", "s", "b", "m", "v"], ["n"], name="norm"),
        helper.make_node("Relu", ["n"], ["y"], name="relu"),
    ]
    model = node_model(nodes, {"x": ["n", 3, 8, 8]}, ["y"], weights)
    feed = {"x": drawn(2, 3, 8, 8)}
    assert [n for n in layers_of(check_keras(model, feed, tmp_path)) if n != "Permute"] == ["Conv2D", "ReLU"]
    kept = check_keras(model, feed, tmp_path, training=True)
    assert kept.get_layer("norm").moving_mean.trainable is False
    assert type(kept.get_layer("norm")).__name__ == "BatchNormalization"
    assert type(kept.get_layer("conv")).__name__ == "Conv2D"
