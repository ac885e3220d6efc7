"""Operators on tensors and images that com.microsoft had before ai.onnx, or alone."""

from __future__ import annotations

import math

import tensorflow as tf

from onnx_tf.handlers._layout import to_channels_first, to_channels_last
from onnx_tf.handlers._tensors import as_shape, dims_of, elements_of, normalize_axis, rank_of, static_ints, widened
from onnx_tf.handlers.generating import range_11
from onnx_tf.handlers.indexing import gather_nd_11
from onnx_tf.handlers.padding import padded
from onnx_tf.handlers.shaping import trilu
from onnx_tf.registry import onnx_op

MICROSOFT = "com.microsoft"

onnx_op("GatherND", domain=MICROSOFT)(gather_nd_11)


@onnx_op("Inverse", domain=MICROSOFT)
def inverse(x: tf.Tensor) -> tf.Tensor:
    return widened(tf.linalg.inv, x)


@onnx_op("Trilu", domain=MICROSOFT)
def trilu_with_default(x: tf.Tensor, k: tf.Tensor | None = None, *, upper: int = 1) -> tf.Tensor:
    return trilu(x, k, upper=upper)


@onnx_op("Range", domain=MICROSOFT)
def range_with_default(start: tf.Tensor, limit: tf.Tensor, delta: tf.Tensor | None = None) -> tf.Tensor:
    return range_11(start, limit, tf.ones_like(start) if delta is None else delta)


@onnx_op("ExpandDims", domain=MICROSOFT)
def expand_dims(x: tf.Tensor, axis: tf.Tensor) -> tf.Tensor:
    axes = static_ints(axis)
    if axes is None:
        raise ValueError("'axis' must be a constant: it decides the rank of the result")
    return tf.expand_dims(x, axes[0])


@onnx_op("Pad", domain=MICROSOFT)
def pad(data: tf.Tensor, pads: tf.Tensor, value: tf.Tensor | None = None, *, mode: str = "constant") -> tf.Tensor:
    return padded(data, tf.reshape(pads, [-1]), value, mode)


@onnx_op("Unique", domain=MICROSOFT)
def unique(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return tuple(tf.unique_with_counts(x, tf.int64))


@onnx_op("CDist", domain=MICROSOFT)
def c_dist(a: tf.Tensor, b: tf.Tensor, *, metric: str = "sqeuclidean") -> tf.Tensor:
    if metric not in ("euclidean", "sqeuclidean"):
        raise ValueError(f"metric {metric!r} is not supported: 'euclidean' or 'sqeuclidean' is expected")
    squares = tf.reduce_sum(tf.math.squared_difference(a[:, None], b[None]), -1)
    return squares if metric == "sqeuclidean" else tf.sqrt(squares)


@onnx_op("CropAndResize", domain=MICROSOFT)
def crop_and_resize(
    x: tf.Tensor,
    rois: tf.Tensor,
    batch_indices: tf.Tensor,
    crop_size: tf.Tensor,
    *,
    extrapolation_value: float = 0.0,
    mode: str = "bilinear",
) -> tf.Tensor:
    if 0 in x.shape[2:]:  # all that lies outside of no image
        dims = [*dims_of(rois)[:1], x.shape[1], *elements_of(crop_size, 2)]
        return tf.fill(as_shape(dims), tf.cast(extrapolation_value, x.dtype))
    crops = tf.image.crop_and_resize(
        tf.cast(to_channels_last(x), tf.float32),
        tf.cast(rois, tf.float32),
        batch_indices,
        crop_size,
        method=mode,
        extrapolation_value=extrapolation_value,
    )
    return tf.cast(to_channels_first(crops), x.dtype)


@onnx_op("UnfoldTensor", domain=MICROSOFT)
def unfold_tensor(x: tf.Tensor, *, dim: int = -1, size: int, step: int = 1) -> tf.Tensor:
    rank = rank_of(x)
    axis = normalize_axis(dim, rank)
    starts = tf.range(0, tf.cast(dims_of(x)[axis], tf.int64) - size + 1, step)
    windows = tf.gather(x, starts[:, tf.newaxis] + tf.range(size, dtype=tf.int64), axis=axis)
    return tf.transpose(windows, [*range(axis + 1), *range(axis + 2, rank + 1), axis + 1])


@onnx_op("NGramRepeatBlock", domain=MICROSOFT)
def n_gram_repeat_block(input_ids: tf.Tensor, scores: tf.Tensor, *, ngram_size: int) -> tf.Tensor:
    length = tf.cast(dims_of(input_ids)[1], tf.int64)
    grams = unfold_tensor(input_ids, dim=1, size=ngram_size)
    last = input_ids[:, tf.maximum(length - ngram_size + 1, 0) :]
    repeated = tf.reduce_all(grams[..., : ngram_size - 1] == last[:, tf.newaxis, : ngram_size - 1], -1)
    places = tf.where(repeated)
    tokens = tf.stack([places[:, 0], tf.cast(tf.gather_nd(grams[..., -1], places), tf.int64)], -1)
    return tf.tensor_scatter_nd_update(
        scores, tokens, tf.fill(tf.shape(tokens)[:1], tf.constant(-math.inf, scores.dtype))
    )
