"""Forms of which the shape of the data decides which is used: rows of ``python -m bench.forms``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import tensorflow as tf

from onnx_tf.handlers import group_normalization
from onnx_tf.handlers._phases import of_phases
from onnx_tf.handlers._pools import LITERT, TENSORFLOW, Choice, average_pool, max_pool
from onnx_tf.handlers._windows import windows
from onnx_tf.handlers.normalization import lrn
from onnx_tf.handlers.padding import padded
from onnx_tf.registry import NodeContext

Form: TypeAlias = Callable[[tf.Tensor], tf.Tensor]
Row: TypeAlias = tuple[str, Sequence[int], dict[str, Form]]


def weight(*shape: int) -> tf.Variable:
    """Return random weights."""
    return tf.Variable(np.random.default_rng(1).standard_normal(shape).astype(np.float32) * 0.1)


def rows() -> list[Row]:
    """Return the operations with their forms."""
    return [*pools(), *volumes(), *transposed(), *normalizations(), *mirrored()]


def pools() -> list[Row]:
    """Return pools of few channels: kernels compute channel by channel."""

    def pooled(pool: Callable[..., tf.Tensor], kernel: Sequence[int], pads: Sequence[int] | None) -> dict[str, Form]:
        def of(choice: Choice) -> Form:
            return lambda x: pool(x, _windows(x, kernel, pads), choice)

        return {"by shape": of(TENSORFLOW), "kernel": of(LITERT)}

    def maxima(x: tf.Tensor, w: object, choice: Choice) -> tf.Tensor:
        return max_pool(x, w, NodeContext("", "MaxPool", "", 22, (True,), lower_bounds=(-math.inf,)), choice)  # type: ignore[arg-type]

    def means(x: tf.Tensor, w: object, choice: Choice) -> tf.Tensor:
        return average_pool(x, w, 1, choice)  # type: ignore[arg-type]

    around = [1, 1, 1, 1]
    return [
        ("MaxPool 2x2, stride 2, 256x512x3", (1, 256, 512, 3), pooled(maxima, [2, 2], None)),
        ("MaxPool 2x2, stride 2, 128x256x15", (1, 128, 256, 15), pooled(maxima, [2, 2], None)),
        ("AveragePool 3x3, stride 2, 256x512x3", (1, 256, 512, 3), pooled(means, [3, 3], around)),
        ("MaxPool 2x2x2, stride 2, 16x32x32x8", (1, 16, 32, 32, 8), pooled(maxima, [2, 2, 2], None)),
        ("MaxPool 3x3x3, stride 2, 8x28x28x16", (1, 8, 28, 28, 16), pooled(maxima, [3, 3, 3], [1] * 6)),
    ]


def _windows(x: tf.Tensor, kernel: Sequence[int], pads: Sequence[int] | None) -> object:
    return windows(x, kernel, strides=[2] * len(kernel), dilations=None, auto_pad="NOTSET", pads=pads)


def volumes() -> list[Row]:
    """Return convolutions over three axes."""

    def stacked(x: tf.Tensor, filters: tf.Tensor) -> tf.Tensor:
        depth, channels, results = x.shape[1], x.shape[-1], filters.shape[-1]
        data = tf.pad(x, [[0, 0], [1, 1], [0, 0], [0, 0], [0, 0]])
        images = tf.concat([data[:, i : i + depth] for i in range(3)], -1)
        own = tf.reshape(tf.transpose(filters, [1, 2, 0, 3, 4]), [3, 3, 3 * channels, results])
        y = tf.nn.conv2d(tf.reshape(images, [-1, *images.shape[2:]]), own, 1, "SAME")
        return tf.reshape(y, [*x.shape[:-1], results])

    def forms(channels: int, results: int) -> dict[str, Form]:
        filters = weight(3, 3, 3, channels, results)
        return {
            "Conv3D": lambda x: tf.nn.conv3d(x, filters, [1] * 5, "SAME"),
            "planes stacked into channels": lambda x: stacked(x, filters),
        }

    return [
        (f"Conv 3x3x3, 16x32x32x{channels} to {results}", (1, 16, 32, 32, channels), forms(channels, results))
        for channels, results in ((1, 8), (8, 8), (16, 8))
    ]


def transposed() -> list[Row]:
    """Return transposed convolutions of few results and of many."""

    def forms(kernel: int, channels: int, results: int) -> dict[str, Form]:
        filters = weight(kernel, kernel, results, channels)

        def kernel_of_tensorflow(x: tf.Tensor) -> tf.Tensor:
            n, h, w, _ = x.shape
            return tf.nn.conv2d_transpose(x, filters, [n, 2 * h, 2 * w, results], 2, "SAME")

        def phases(x: tf.Tensor) -> tf.Tensor:
            return of_phases(x, filters, [2 * n for n in x.shape[1:3]], (2, 2), "SAME")

        found: dict[str, Form] = {"convolution of phases": phases, "TensorFlow's": kernel_of_tensorflow}
        return found if results <= 4 else dict(reversed(found.items()))

    return [
        (f"ConvTranspose {k}x{k}, stride 2, {n}x{n}x{c} to {m}", (1, n, n, c), forms(k, c, m))
        for n, k, c, m in ((32, 4, 32, 3), (32, 4, 128, 64), (64, 2, 64, 64))
    ]


def normalizations() -> list[Row]:
    """Return normalizations of each channel, and over neighbours."""

    def forms(channels: int) -> dict[str, Form]:
        scale, bias = weight(channels), weight(channels)
        copies = group_normalization.FULL // channels
        found: dict[str, Form] = {
            "channels repeated": lambda x: group_normalization.repeated(x, scale, bias, 1e-5, copies),
            "sums over the image": lambda x: group_normalization.by_sums(x, scale, bias, 1e-5, None),
            "FusedBatchNormV3 in training, which other readers do not take": lambda x: tf.raw_ops.FusedBatchNormV3(
                x=x, scale=scale, offset=bias, mean=tf.zeros([0]), variance=tf.zeros([0]), epsilon=1e-5
            )[0],
        }
        if channels > group_normalization.MAX_FEW_CHANNELS:
            del found["channels repeated"]
        return found

    def local(x: tf.Tensor) -> tf.Tensor:
        return lrn(x, alpha=1e-4, beta=0.75, bias=1.0, size=5)

    return [
        ("InstanceNormalization, 128x128x8", (1, 128, 128, 8), forms(8)),
        ("InstanceNormalization, 64x64x64", (1, 64, 64, 64), forms(64)),
        (
            "LRN of 5, 27x27x96",
            (1, 27, 27, 96),
            {"sums over a line": local, "TensorFlow's": lambda x: tf.nn.lrn(x, 2, 1.0, 2e-5, 0.75)},
        ),
    ]


def mirrored() -> list[Row]:
    """Return reflected borders."""

    def forms(pad: int) -> dict[str, Form]:
        pads = [0, pad, pad, 0] * 2
        return {
            "gathered or joined": lambda x: padded(x, tf.constant(pads, tf.int64), None, "reflect"),
            "MirrorPad": lambda x: tf.pad(x, [[0, 0], [pad, pad], [pad, pad], [0, 0]], "REFLECT"),
        }

    return [
        (f"Pad by {pad}, reflect, {n}x{n}x{c}", (1, n, n, c), forms(pad))
        for n, c, pad in ((128, 32, 1), (128, 16, 4), (128, 3, 4))
    ]
