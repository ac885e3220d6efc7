"""GroupQueryAttention: attention of decoders over a growing cache of keys and values."""

from __future__ import annotations

import onnx_ir as ir
import tensorflow as tf

from onnx_tf.handlers import attention as onnx_attention
from onnx_tf.handlers._attend import computable, join_heads, scores_of, split_heads, weighted_sums
from onnx_tf.handlers._quantized import dequantize, quantize
from onnx_tf.handlers._tensors import Dim, as_shape, dims_of, static_value
from onnx_tf.registry import onnx_op


@onnx_op("GroupQueryAttention", domain="com.microsoft")
def group_query_attention(
    query: tf.Tensor, key: tf.Tensor | None, value: tf.Tensor | None, past_key: tf.Tensor | None,
    past_value: tf.Tensor | None, seqlens_k: tf.Tensor, total_sequence_length: tf.Tensor,
    cos_cache: tf.Tensor | None = None, sin_cache: tf.Tensor | None = None, position_ids: tf.Tensor | None = None,
    attention_bias: tf.Tensor | None = None, head_sink: tf.Tensor | None = None, k_scale: tf.Tensor | None = None,
    v_scale: tf.Tensor | None = None, q_norm_weight: tf.Tensor | None = None, k_norm_weight: tf.Tensor | None = None,
    query_seqlens: tf.Tensor | None = None, *, causal: int = 1, do_rotary: int = 0,
    k_norm_epsilon: float | None = None, k_quant_type: str = "NONE", kv_cache_bit_width: int = 0, kv_num_heads: int,
    local_window_size: int = -1, num_heads: int, q_norm_epsilon: float | None = None, qk_norm_epsilon: float = 1e-6,
    qk_output: int = 0, rotary_interleaved: int = 0, scale: float | None = None, sliding_window_cache: int = 0,
    smooth_softmax: int = -1, softcap: float = 0.0, v_quant_type: str = "NONE",
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:  # fmt: skip
    """Attend over a cache that grows; rows of the output for padding, after query_seqlens, are zero.

    Limits: the cache has 8 bits or more, and does not slide.
    """
    if kv_cache_bit_width not in (0, 8) or sliding_window_cache:
        raise ValueError("GroupQueryAttention with a cache that slides or of 4 bits is not supported")
    if query_seqlens is not None and (past_key is None or past_value is None or not causal):
        raise ValueError("GroupQueryAttention with query_seqlens needs past_key, past_value and causal=1")
    if (q_norm_weight is None) != (k_norm_weight is None):
        raise ValueError("GroupQueryAttention takes q_norm_weight and k_norm_weight together, or neither")
    q, k, v = _heads_of(query, key, value, num_heads, kv_num_heads)
    if q_norm_weight is not None:
        q = _unit(q, q_norm_weight, qk_norm_epsilon if q_norm_epsilon is None else q_norm_epsilon)
        k = _unit(k, k_norm_weight, qk_norm_epsilon if k_norm_epsilon is None else k_norm_epsilon)
    before, positions, totals = _positions(seqlens_k, total_sequence_length, query_seqlens, dims_of(q)[2])
    ends = None if query_seqlens is None else totals
    if do_rotary:
        where = positions if position_ids is None else position_ids
        if position_ids is not None and query_seqlens is None:
            where = _rotation_places(position_ids, before)
        q, k = (_rotated(t, where, cos_cache, sin_cache, rotary_interleaved) for t in (q, k))
    k_scale, v_scale = _by_channel(k_scale, k, k_quant_type), _by_channel(v_scale, v, v_quant_type)
    keys, values = (
        _appended(past, _stored(new, scale), before, ends, total_sequence_length)
        for past, new, scale in ((past_key, k, k_scale), (past_value, v, v_scale))
    )
    scores = scores_of(computable(q), _read(keys, k_scale), scale or None)
    scores = softcap * tf.tanh(scores / softcap) if softcap else scores
    scores = scores if attention_bias is None else scores + _as_wide_as(scores, attention_bias)
    visible = _visible(positions, totals, dims_of(keys)[2], causal, local_window_size)
    scores = tf.where(visible, scores, scores.dtype.min)
    probabilities = _softmax(scores, head_sink, smooth_softmax > 0)
    y = tf.cast(join_heads(weighted_sums(probabilities, _read(values, v_scale))), query.dtype)
    if ends is not None:
        y = tf.where((positions < ends[:, None])[:, :, None], y, tf.zeros_like(y))
    shown = probabilities if qk_output == 2 else tf.where(visible, scores, 0)
    return y, keys, values, tf.cast(shown, query.dtype)


def _positions(
    seqlens_k: tf.Tensor, total_sequence_length: tf.Tensor, query_seqlens: tf.Tensor | None, length: Dim
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return for each item how many tokens came before, where the new ones are, and how many there are then."""
    totals = tf.cast(tf.reshape(seqlens_k, [-1]), tf.int64) + 1
    if query_seqlens is not None:
        before = totals - tf.cast(tf.reshape(query_seqlens, [-1]), tf.int64)
    else:
        # The first prompts are padded on the right: the new tokens of all start at 0.
        is_prompt = tf.reshape(tf.cast(total_sequence_length, tf.int64), []) == tf.cast(length, tf.int64)
        before = tf.where(is_prompt, tf.zeros_like(totals), totals - tf.cast(length, tf.int64))
    return before, before[:, None] + tf.range(tf.cast(length, tf.int64))[None, :], totals


def _rotation_places(position_ids: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
    """Return the given positions; of first prompts the very first alone counts, as ONNX Runtime says."""
    consecutive = position_ids[:1, :1] + tf.range(dims_of(position_ids)[1], dtype=position_ids.dtype)
    return tf.where(tf.reduce_all(before == 0), consecutive, position_ids)


def _by_channel(scale: tf.Tensor | None, x: tf.Tensor, kind: str) -> tf.Tensor | None:
    """Return the scale of a quantised cache in the form that multiplies [batch, heads, length, size]."""
    if kind == "NONE":
        return None
    _, heads, _, size = dims_of(x)
    return tf.reshape(scale, [] if kind == "PER_TENSOR" else as_shape([1, heads, 1, size]))


def _stored(x: tf.Tensor, scale: tf.Tensor | None) -> tf.Tensor:
    """Return keys or values as the cache holds them: as they are, or as int8."""
    return x if scale is None else quantize(x, scale, None, ir.DataType.INT8)


def _read(cache: tf.Tensor, scale: tf.Tensor | None) -> tf.Tensor:
    """Return what a cache holds as numbers to compute with."""
    return computable(cache) if scale is None else dequantize(cache, scale, None, ir.DataType.INT8)


def _heads_of(
    query: tf.Tensor, key: tf.Tensor | None, value: tf.Tensor | None, num_heads: int, kv_num_heads: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return query, key and value, or what they are packed in, as [batch, heads, length, size]."""
    if key is None:
        size = dims_of(query)[2] // (num_heads + 2 * kv_num_heads)
        query, key, value = tf.split(query, [num_heads * size, kv_num_heads * size, kv_num_heads * size], axis=2)
    return split_heads(query, num_heads), split_heads(key, kv_num_heads), split_heads(value, kv_num_heads)


def _unit(x: tf.Tensor, weight: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Return [..., size] divided by its root mean square over the last axis, times a weight [size]."""
    wide = computable(x)
    factor = tf.math.rsqrt(tf.reduce_mean(tf.square(wide), -1, keepdims=True) + epsilon)
    return tf.cast(wide * factor * tf.cast(weight, wide.dtype), x.dtype)


def _rotated(
    x: tf.Tensor, positions: tf.Tensor, cos_cache: tf.Tensor, sin_cache: tf.Tensor, interleaved: int
) -> tf.Tensor:
    """Return [batch, heads, length, size] rotated by its positions [batch, length]."""
    half = cos_cache.shape[1]
    return onnx_attention.rotary_embedding(
        x,
        cos_cache,
        sin_cache,
        positions,
        interleaved=interleaved,
        num_heads=0,
        rotary_embedding_dim=0 if half is None or 2 * half == x.shape[3] else 2 * half,
    )


def _appended(
    past: tf.Tensor | None, new: tf.Tensor, before: tf.Tensor, ends: tf.Tensor | None, total: tf.Tensor
) -> tf.Tensor:
    """Return the cache [batch, heads, capacity, size] with new elements after the ``before`` of each item.

    ``ends`` says where they end, if some of them are padding.
    """
    length = dims_of(new)[2]
    known = static_value(total)
    capacity = tf.cast(tf.reshape(total, []), tf.int32) if known is None else int(known.reshape(()))
    if past is None:
        past = new[:, :, :0]
    old = dims_of(past)[2]
    if isinstance(old, int) and isinstance(capacity, int):
        capacity = max(old, capacity)
    else:
        capacity = tf.maximum(tf.cast(old, tf.int32), capacity)
    places = tf.range(tf.cast(capacity, tf.int64))[None, :] - before[:, None]
    last = tf.cast(length, tf.int64) - 1
    nearest = tf.clip_by_value(places, tf.zeros_like(last), last)
    fresh = tf.transpose(tf.gather(tf.transpose(new, [0, 2, 1, 3]), nearest, batch_dims=1), [0, 2, 1, 3])
    kept = tf.pad(past, [[0, 0], [0, 0], [0, tf.cast(capacity, tf.int32) - tf.cast(old, tf.int32)], [0, 0]])
    inside = (places >= 0) & (places <= last)
    if ends is not None:
        inside &= places < (ends - before)[:, None]
    kept = tf.where((places < 0)[:, None, :, None], kept, tf.zeros_like(kept))
    return tf.where(inside[:, None, :, None], fresh, kept)


def _visible(positions: tf.Tensor, totals: tf.Tensor, keys: Dim, causal: int, window: int) -> tf.Tensor:
    """Return which keys each query may see, [batch, 1, queries, keys]."""
    places = tf.range(tf.cast(keys, tf.int64))[None, None, :]
    visible = places < totals[:, None, None]
    if causal:
        visible &= places <= positions[:, :, None]
    if causal and window >= 0:
        visible &= places > positions[:, :, None] - window
    return visible[:, None]


def _as_wide_as(scores: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Return a bias of the scores; the last keys may have none."""
    missing = tf.shape(scores)[-1] - tf.shape(bias)[-1]
    return tf.pad(tf.cast(bias, scores.dtype), [[0, 0], [0, 0], [0, 0], [0, missing]])


def _softmax(scores: tf.Tensor, head_sink: tf.Tensor | None, smooth: bool) -> tf.Tensor:
    """Return the softmax, with one more term per head in the sum if there is a sink or it is smooth."""
    if head_sink is None and not smooth:
        return tf.nn.softmax(scores)
    sink = tf.zeros([1], scores.dtype) if head_sink is None else tf.cast(head_sink, scores.dtype)
    sink = tf.broadcast_to(tf.reshape(sink, [1, -1, 1, 1]), tf.concat([tf.shape(scores)[:3], [1]], 0))
    return tf.nn.softmax(tf.concat([scores, sink], -1))[..., :-1]
