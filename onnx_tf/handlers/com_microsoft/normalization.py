"""Layer normalizations as ONNX Runtime writes them into optimised transformers."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.dtypes import to_tf
from onnx_tf.handlers._cast import onnx_dtype
from onnx_tf.handlers._quantized import dequantize
from onnx_tf.handlers._tensors import dims_of, normalize_axis, rank_of
from onnx_tf.registry import NodeContext, onnx_op

MICROSOFT = "com.microsoft"
FLOAT = 1


@onnx_op("LayerNormalization")  # ONNX Runtime has it in ai.onnx, long before opset 17
def layer_normalization(
    x: tf.Tensor,
    scale: tf.Tensor,
    bias: tf.Tensor | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = FLOAT,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    y, mean, factor = normalized(x, scale, bias, axis, epsilon, centre=True)
    return tf.cast(y, scale.dtype), tf.cast(mean, to_tf(stash_type)), tf.cast(factor, to_tf(stash_type))


@onnx_op("SimplifiedLayerNormalization")
def simplified_layer_normalization(
    x: tf.Tensor, scale: tf.Tensor, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = FLOAT
) -> tuple[tf.Tensor, tf.Tensor]:
    y, _, factor = normalized(x, scale, None, axis, epsilon, centre=False)
    return tf.cast(y, scale.dtype), tf.cast(factor, to_tf(stash_type))


@onnx_op("SkipLayerNormalization", domain=MICROSOFT)
def skip_layer_normalization(
    x: tf.Tensor,
    skip: tf.Tensor,
    gamma: tf.Tensor,
    beta: tf.Tensor | None = None,
    bias: tf.Tensor | None = None,
    *,
    epsilon: float = 1e-12,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    return _skipped(x, skip, gamma, beta, bias, epsilon, centre=True)


@onnx_op("SkipSimplifiedLayerNormalization", domain=MICROSOFT)
def skip_simplified_layer_normalization(
    x: tf.Tensor, skip: tf.Tensor, gamma: tf.Tensor, bias: tf.Tensor | None = None, *, epsilon: float = 1e-12
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    return _skipped(x, skip, gamma, None, bias, epsilon, centre=False)


def _skipped(
    x: tf.Tensor,
    skip: tf.Tensor,
    gamma: tf.Tensor,
    beta: tf.Tensor | None,
    bias: tf.Tensor | None,
    epsilon: float,
    centre: bool,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return x + skip + bias normalized over the last axis, its mean, 1 / its deviation, and the sum."""
    total = _wide(x) + _wide(skip)
    if bias is not None:
        total += _wide(bias)
    y, mean, factor = normalized(total, gamma, beta, -1, epsilon, centre)
    return tf.cast(y, x.dtype), mean, factor, tf.cast(total, x.dtype)


@onnx_op("EmbedLayerNormalization", domain=MICROSOFT)
def embed_layer_normalization(
    input_ids: tf.Tensor,
    segment_ids: tf.Tensor | None,
    word_embedding: tf.Tensor,
    position_embedding: tf.Tensor,
    segment_embedding: tf.Tensor | None,
    gamma: tf.Tensor,
    beta: tf.Tensor,
    mask: tf.Tensor | None = None,
    position_ids: tf.Tensor | None = None,
    *,
    epsilon: float = 1e-12,
    mask_index_type: int | None = None,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    del mask_index_type  # for ONNX Runtime's shape inference only
    batch, length = dims_of(input_ids)
    total = tf.gather(word_embedding, input_ids)
    if position_ids is None:
        total += position_embedding[:length]
    else:
        total += tf.gather(position_embedding, position_ids)
    if segment_embedding is not None and segment_ids is not None:
        total += tf.gather(segment_embedding, segment_ids)
    y, _, _ = normalized(total, gamma, beta, -1, epsilon, centre=True)
    if mask is None:
        counts = tf.zeros(tf.stack([tf.cast(batch, tf.int32)]), tf.int32)
    else:
        counts = tf.reduce_sum(tf.cast(mask == 1, tf.int32), 1)
    return tf.cast(y, word_embedding.dtype), counts, total


@onnx_op("QEmbedLayerNormalization", domain=MICROSOFT)
def q_embed_layer_normalization(
    input_ids: tf.Tensor,
    segment_ids: tf.Tensor | None,
    *inputs: tf.Tensor | None,
    epsilon: float = 1e-12,
    context: NodeContext,
) -> tuple[tf.Tensor, tf.Tensor]:
    # Word, position and segment embeddings, gamma and beta; the mask; the scales and zero points of the five.
    quantized, mask, scales, zeros = inputs[:5], inputs[5], inputs[6:11], inputs[11:16]
    values = [
        None if q is None else dequantize(q, scale, zero, onnx_dtype(q, context, i + 2))
        for i, (q, scale, zero) in enumerate(zip(quantized, scales, zeros, strict=True))
    ]
    word, position, segment, gamma, beta = values
    y, counts, _ = embed_layer_normalization(
        input_ids, segment_ids, word, position, segment, gamma, beta, mask, epsilon=epsilon
    )
    return y, counts


def normalized(
    x: tf.Tensor, scale: tf.Tensor, bias: tf.Tensor | None, axis: int, epsilon: float, centre: bool
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the tensor normalized over the axes from ``axis`` on, its mean and 1 / its deviation, all wide."""
    axes = list(range(normalize_axis(axis, rank_of(x)), rank_of(x)))
    x = _wide(x)
    mean = tf.reduce_mean(x, axes, keepdims=True)
    data = x - mean if centre else x
    factor = tf.math.rsqrt(tf.reduce_mean(tf.square(data), axes, keepdims=True) + epsilon)
    y = data * factor * tf.cast(scale, x.dtype)
    return y if bias is None else y + tf.cast(bias, x.dtype), mean, factor


def _wide(x: tf.Tensor) -> tf.Tensor:
    return x if x.dtype == tf.float64 else tf.cast(x, tf.float32)
