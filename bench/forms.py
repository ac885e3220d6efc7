"""Time the forms that one operation can take in TensorFlow: ``python -m bench.forms [WORDS]`` prints a Markdown table.

The first form of each is the one that handlers and passes use. All run on one thread and count
processor time, so that a busy machine changes little; the forms of a row take turns.
"""

from __future__ import annotations

import functools
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from bench import forms_by_shape
from bench.forms_by_shape import Form, Row
from onnx_tf.check.compare import compare
from onnx_tf.handlers._barrier import kept
from onnx_tf.handlers._ranks import strided

RNG = np.random.default_rng(0)
ROUNDS = 15


def main(wanted: str = "") -> None:
    """Print the rows whose operation has ``wanted`` in it."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    print("| operation | used | ms | instead of | ms |\n|---|---|--:|---|--:|", flush=True)
    for title, shape, forms in all_rows():
        if wanted not in title:
            continue
        (used, least), *others = milliseconds(forms, shape).items()
        for name, found in others:
            print(f"| {title} | {used} | {least:.2f} | {name} | {found:.2f} |", flush=True)


def all_rows() -> list[Row]:
    """Return the operations with their forms."""
    return [
        *dense_rows(),
        *convolution_rows(),
        *merging_rows(),
        *open_batch_rows(),
        *pooling_rows(),
        *grouped_rows(),
        *other_rows(),
        *forms_by_shape.rows(),
    ]


def milliseconds(forms: dict[str, Form], shape: Sequence[int]) -> dict[str, float]:
    """Return the median processor time of each form; forms that differ in their numbers are an error."""
    x = tf.constant(RNG.standard_normal(shape).astype(np.float32))
    calls = {name: tf.function(form, autograph=False).get_concrete_function(x) for name, form in forms.items()}
    results = {name: call(x).numpy() for name, call in calls.items()}
    comparison = compare(dict.fromkeys(results, next(iter(results.values()))), results)
    assert comparison.fits, str(comparison)
    times: dict[str, list[float]] = {name: [] for name in calls}
    order = list(calls)
    for _ in range(ROUNDS):
        random.shuffle(order)
        for name in order:
            start = time.process_time()
            calls[name](x)
            times[name].append(1000 * (time.process_time() - start))
    return {name: statistics.median(found) for name, found in times.items()}


def weight(*shape: int) -> tf.Variable:
    """Return random weights."""
    return tf.Variable(RNG.standard_normal(shape).astype(np.float32) * 0.1)


def dense_rows() -> list[Row]:
    """Return products and what is left of normalizations."""
    rows: list[Row] = [(f"Gemm, 1x{size} by {size}x1000", (1, size), _products(size)) for size in (512, 2048)]
    scale, shift, mean = weight(256), weight(256), weight(256)
    variance = tf.Variable(tf.square(weight(256)))
    factor = tf.Variable(scale / tf.sqrt(variance + 1e-5))
    offset = tf.Variable(shift - mean * factor)
    norm = {
        "Mul, Add": lambda x: tf.nn.relu(x * factor + offset),
        "FusedBatchNormV3": lambda x: tf.nn.relu(
            tf.raw_ops.FusedBatchNormV3(
                x=x, scale=scale, offset=shift, mean=mean, variance=variance, epsilon=1e-5, is_training=False
            )[0]
        ),
    }
    return [*rows, ("BatchNormalization and Relu, 28x28x256", (1, 28, 28, 256), norm)]


def _products(size: int) -> dict[str, Form]:
    matrix, bias = weight(size, 1000), weight(1000)
    turned = tf.Variable(tf.transpose(matrix))
    return {
        "matrix stored as read": lambda x: tf.nn.bias_add(x @ matrix, bias),
        "transposed by MatMul": lambda x: tf.nn.bias_add(tf.matmul(x, turned, transpose_b=True), bias),
    }


def convolution_rows() -> list[Row]:
    """Return paddings, strides, dilations and activations of convolutions and pools."""
    pads = [[0, 0], [1, 1], [1, 1], [0, 0]]
    thin, wide, pointwise = weight(3, 3, 96, 1), weight(3, 3, 128, 128), weight(1, 1, 256, 512)
    two = [1, 2, 2, 1]
    infinity = -np.inf
    return [
        (
            "depthwise 3x3, stride 2, 112x112x96",
            (1, 112, 112, 96),
            {
                "Pad": lambda x: tf.nn.depthwise_conv2d(tf.pad(x, pads), thin, two, "VALID"),
                "explicit padding, which oneDNN does not take": lambda x: tf.nn.depthwise_conv2d(x, thin, two, pads),
            },
        ),
        (
            "MaxPool 3x3, stride 2, 112x112x64",
            (1, 112, 112, 64),
            {
                "Pad": lambda x: tf.nn.max_pool(tf.pad(x, pads, constant_values=infinity), 3, 2, "VALID"),
                "explicit padding, which LiteRT does not take": lambda x: tf.nn.max_pool(x, 3, 2, pads),
            },
        ),
        (
            "Conv 3x3, stride 2, 56x56x128",
            (1, 56, 56, 128),
            {
                "Pad": lambda x: tf.nn.conv2d(tf.pad(x, pads), wide, 2, "VALID"),
                "explicit padding": lambda x: tf.nn.conv2d(x, wide, 2, pads),
            },
        ),
        (
            "Conv 1x1, stride 2, 56x56x256",
            (1, 56, 56, 256),
            {
                "as it is": lambda x: tf.nn.conv2d(x, pointwise, 2, "VALID"),
                "every second pixel, stride 1": lambda x: tf.nn.conv2d(
                    strided(strided(x, 1, 0, 2, 28), 2, 0, 2, 28), pointwise, 1, "VALID"
                ),
            },
        ),
        (
            "Conv 3x3, dilation 2, 32x32x128",
            (1, 32, 32, 128),
            {
                "SpaceToBatch": lambda x: tf.batch_to_space(
                    tf.nn.conv2d(tf.space_to_batch(x, [2, 2], [[2, 2]] * 2), wide, 1, "VALID"), [2, 2], [[0, 0]] * 2
                ),
                "TensorFlow's, without gradient": lambda x: tf.nn.conv2d(x, wide, 1, "SAME", dilations=2),
            },
        ),
    ]


def merging_rows() -> list[Row]:
    """Return what follows a convolution by variables: merged into its kernel by TensorFlow, or not."""
    filters, bias, residual = weight(1, 1, 64, 256), weight(256), weight(1, 56, 56, 256)

    def conv(x: tf.Tensor) -> tf.Tensor:
        return tf.nn.bias_add(tf.nn.conv2d(x, filters, 1, "VALID"), bias)

    follow: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
        "Clip(0, 6)": tf.nn.relu6,
        "Add, Relu": lambda y: tf.nn.relu(y + residual),
        "SiLU": lambda y: y * tf.sigmoid(y),
        "Mish": lambda y: y * tf.tanh(tf.nn.softplus(y)),
        "Elu": tf.nn.elu,
    }

    def forms(function: Callable[[tf.Tensor], tf.Tensor]) -> dict[str, Form]:
        return {"apart": lambda x: function(kept(conv(x))), "merged": lambda x: function(conv(x))}

    return [(f"Conv 1x1 and {name}, 56x56x64 to 256", (1, 56, 56, 64), forms(f)) for name, f in follow.items()]


def open_batch_rows() -> list[Row]:
    """Return convolutions with and without what gives the result of an empty batch its shape."""
    layers = [(weight(3, 3, 64, 64), weight(64)) for _ in range(8)]

    def shaped(y: tf.Tensor) -> tf.Tensor:
        return kept(tf.reshape(y, [-1, *y.shape[1:]]))

    def net(before: Form, after: Form) -> Form:
        def of(x: tf.Tensor) -> tf.Tensor:
            for filters, bias in layers:
                x = after(tf.nn.relu(before(tf.nn.bias_add(tf.nn.conv2d(x, filters, 1, "SAME"), bias))))
            return x

        return of

    forms = {
        "as they are": net(tf.identity, tf.identity),
        "a Reshape behind each Relu": net(tf.identity, shaped),
        "a Reshape behind each Conv": net(shaped, tf.identity),
    }
    return [(f"8 Convs and Relus for an open batch, {n}x{n}x64", (1, n, n, 64), forms) for n in (14, 56)]


def pooling_rows() -> list[Row]:
    """Return wide windows, few channels, and slices with a step."""

    def pool(k: int) -> dict[str, Form]:
        return {"MaxPool": lambda x: tf.nn.max_pool2d(x, k, 1, "SAME")}

    def by_axis(x: tf.Tensor, k: int) -> tf.Tensor:
        return tf.nn.max_pool2d(tf.nn.max_pool2d(x, (k, 1), 1, "SAME"), (1, k), 1, "SAME")

    def maxima(x: tf.Tensor, k: int) -> tf.Tensor:
        edge = [[0, 0], [k // 2] * 2, [k // 2] * 2, [0, 0]]
        padded = tf.pad(x, edge, constant_values=-np.inf)
        rows = functools.reduce(tf.maximum, [padded[:, i : i + x.shape[1]] for i in range(k)])
        return functools.reduce(tf.maximum, [rows[:, :, i : i + x.shape[2]] for i in range(k)])

    return [
        ("MaxPool 9x9, 240x320x1", (1, 240, 320, 1), {"maxima of slices": lambda x: maxima(x, 9), **pool(9)}),
        ("MaxPool 3x3, 64x64x8", (1, 64, 64, 8), {**pool(3), "maxima of slices": lambda x: maxima(x, 3)}),
        ("MaxPool 13x13, 20x20x256", (1, 20, 20, 256), {"by axis": lambda x: by_axis(x, 13), **pool(13)}),
        ("MaxPool 5x5, 20x20x256", (1, 20, 20, 256), {"by axis": lambda x: by_axis(x, 5), **pool(5)}),
        ("MaxPool 3x3, 56x56x64", (1, 56, 56, 64), {**pool(3), "by axis": lambda x: by_axis(x, 3)}),
        ("MaxPool and NaN, 3x3, stride 2, 112x112x64", (1, 112, 112, 64), _keeping_nan(3, 2)),
        ("MaxPool and NaN, 5x5, 20x20x256", (1, 20, 20, 256), _keeping_nan(5, 1)),
        (
            "Softmax and NaN, 12x128x128",
            (12, 128, 128),
            {"Softmax": lambda x: tf.nn.softmax(x), "and the maximum": _softmax_or_nan},
        ),
        (
            "Slice, step 2, 3x256x256",
            (1, 3, 256, 256),
            {
                "of pairs": lambda x: strided(x, 3, 0, 2, 128),
                "StridedSlice": lambda x: x[..., ::2],
                "Gather": lambda x: tf.gather(x, np.arange(0, 256, 2), axis=-1),
            },
        ),
    ]


def _keeping_nan(k: int, stride: int) -> dict[str, Form]:
    """Return a pool that leaves NaN out, as TensorFlow's does, and two that keep it, all exact for -inf."""
    nan, inf = np.float32(np.nan), np.float32(np.inf)

    def pool(x: tf.Tensor) -> tf.Tensor:
        return tf.nn.max_pool2d(x, k, stride, "SAME")

    def marked(x: tf.Tensor) -> tf.Tensor:
        # Half of a number is below the mark of infinity, which is below that of NaN.
        largest = pool(tf.where(x == x, tf.minimum(x * 0.5, np.float32(2.5e38)), inf))
        return tf.where(largest == inf, nan, 2 * largest)

    return {
        "left out": lambda x: 2 * pool(x * 0.5),
        "a second pool, of where NaN is": lambda x: tf.where(
            pool(tf.cast(x != x, x.dtype)) > 0, nan, 2 * pool(x * 0.5)
        ),
        "one pool, of numbers that mark NaN": marked,
    }


def _softmax_or_nan(x: tf.Tensor) -> tf.Tensor:
    most = tf.reduce_max(x, -1, keepdims=True)
    return tf.nn.softmax(x) + (most - most)


def grouped_rows() -> list[Row]:
    """Return convolutions of few channels per group."""
    return [
        (f"{groups} groups of {channels // groups}, 3x3, {n}x{n}", (1, n, n, channels), _grouped(channels, groups))
        for n, channels, groups in ((28, 116, 58), (56, 128, 32), (28, 256, 32), (14, 160, 10))
    ]


def _grouped(channels: int, groups: int) -> dict[str, Form]:
    size = channels // groups
    filters = weight(3, 3, size, channels)

    def each(x: tf.Tensor) -> tf.Tensor:
        pairs = zip(tf.split(x, groups, -1), tf.split(filters, groups, -1), strict=True)
        return tf.concat([tf.nn.conv2d(part, own, 1, "SAME") for part, own in pairs], -1)

    forms: dict[str, Form] = {
        "TensorFlow's": lambda x: kept(tf.nn.conv2d(x, filters, 1, "SAME")),
        "Conv of each group": each,
    }
    summed: dict[str, Form] = {"sum of depthwise": lambda x: _sum_of_depthwise(x, filters)}
    return {**summed, **forms} if size <= 4 else {**forms, **summed}


def _sum_of_depthwise(x: tf.Tensor, filters: tf.Tensor) -> tf.Tensor:
    size, channels = filters.shape[2:]
    grouped = tf.reshape(x, [*x.shape[:3], channels // size, size])
    own = [tf.reshape(filters[:, :, i], [3, 3, channels // size, size]) for i in range(size)]
    return tf.add_n([tf.nn.depthwise_conv2d(grouped[..., i], own[i], [1] * 4, "SAME") for i in range(size)])


def other_rows() -> list[Row]:
    """Return channel shuffles, gates and reductions."""
    order = np.arange(116).reshape(2, 58).T.reshape(-1)
    image = [1, 28, 28, 116]
    first, second = weight(1, 1, 480, 20), weight(1, 1, 20, 480)
    return [
        (
            "SpaceToDepth by 2, 416x416x3",
            [1, 416, 416, 3],
            {
                "Transpose": lambda x: tf.reshape(
                    tf.transpose(tf.reshape(x, [208, 2, 208, 6]), [0, 2, 1, 3]), [1, 208, 208, 12]
                ),
                "TensorFlow's": lambda x: tf.nn.space_to_depth(x, 2),
            },
        ),
        (
            "channel shuffle, 28x28x116",
            image,
            {
                "Transpose": lambda x: tf.reshape(
                    tf.transpose(tf.reshape(x, [*image[:3], 2, 58]), [0, 1, 2, 4, 3]), image
                ),
                "Gather": lambda x: tf.gather(x, order, axis=-1),
                "Split, Pack": lambda x: tf.reshape(tf.stack(tf.split(x, 2, -1), -1), image),
            },
        ),
        (
            "squeeze and excite, 480 channels",
            (1, 1, 1, 480),
            {
                "Conv 1x1": lambda x: tf.nn.conv2d(tf.nn.silu(tf.nn.conv2d(x, first, 1, "VALID")), second, 1, "VALID"),
                "MatMul": lambda x: (tf.nn.silu(x[:, 0, 0] @ first[0, 0]) @ second[0, 0])[:, tf.newaxis, tf.newaxis],
            },
        ),
        (
            "GlobalAveragePool, 56x56x96",
            (1, 56, 56, 96),
            {
                "Mean": lambda x: tf.reduce_mean(x, [1, 2], keepdims=True),
                "AvgPool": lambda x: tf.nn.avg_pool(x, 56, 1, "VALID"),
            },
        ),
        (
            "SiLU, 112x112x96",
            (1, 112, 112, 96),
            {
                "Sigmoid, Mul": lambda x: x * tf.sigmoid(x),
                "Tanh": lambda x: x * (0.5 * tf.tanh(0.5 * x) + 0.5),
                "Exp": lambda x: x / (1 + tf.exp(-x)),
            },
        ),
    ]


if __name__ == "__main__":
    main(*sys.argv[1:])
