"""Forms of attention in transformers that ONNX Runtime has optimised."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from onnx_tf.handlers import attention as onnx_attention
from onnx_tf.handlers._attend import computable, join_heads, scores_of, split_heads, weighted_sums
from onnx_tf.handlers._tensors import Dim, dims_of, rank_of, shaped
from onnx_tf.handlers.com_microsoft.quantized import mat_mul_integer_to_float
from onnx_tf.handlers.linear_algebra import mat_mul
from onnx_tf.registry import NodeContext, onnx_op

MICROSOFT = "com.microsoft"
MASKED = -10000.0


@onnx_op("Attention", domain=MICROSOFT)
def attention(
    x: tf.Tensor,
    weights: tf.Tensor,
    bias: tf.Tensor | None = None,
    mask_index: tf.Tensor | None = None,
    past: tf.Tensor | None = None,
    attention_bias: tf.Tensor | None = None,
    past_sequence_length: tf.Tensor | None = None,
    *,
    do_rotary: int = 0,
    mask_filter_value: float = MASKED,
    num_heads: int,
    past_present_share_buffer: int = 0,
    qkv_hidden_sizes: Sequence[int] | None = None,
    rotary_embedding_dim: int = 0,
    scale: float | None = None,
    unidirectional: int = 0,
) -> tuple[tf.Tensor, tf.Tensor | None]:
    if do_rotary or past_present_share_buffer or past_sequence_length is not None:
        raise ValueError("Attention with do_rotary or a shared buffer runs on GPUs only; export the model without")
    del rotary_embedding_dim
    projected = mat_mul(x, weights)
    if bias is not None:
        projected += bias
    return _self_attention(
        projected, qkv_hidden_sizes, num_heads, mask_index, past, attention_bias, mask_filter_value, scale,
        unidirectional,
    )  # fmt: skip


@onnx_op("QAttention", domain=MICROSOFT)
def q_attention(
    x: tf.Tensor,
    weight: tf.Tensor,
    bias: tf.Tensor,
    x_scale: tf.Tensor,
    weight_scale: tf.Tensor,
    mask_index: tf.Tensor | None = None,
    x_zero_point: tf.Tensor | None = None,
    weight_zero_point: tf.Tensor | None = None,
    past: tf.Tensor | None = None,
    *,
    do_rotary: int = 0,
    mask_filter_value: float = MASKED,
    num_heads: int,
    past_present_share_buffer: int = 0,
    scale: float | None = None,
    unidirectional: int = 0,
    context: NodeContext,
) -> tuple[tf.Tensor, tf.Tensor | None]:
    if do_rotary or past_present_share_buffer:
        raise ValueError("QAttention with do_rotary or a shared buffer is not supported; export the model without")
    projected = mat_mul_integer_to_float(
        x, weight, x_scale, weight_scale, x_zero_point, weight_zero_point, bias, context=context
    )
    return _self_attention(projected, None, num_heads, mask_index, past, None, mask_filter_value, scale, unidirectional)


def _self_attention(
    projected: tf.Tensor,
    sizes: Sequence[int] | None,
    heads: int,
    mask: tf.Tensor | None,
    past: tf.Tensor | None,
    bias: tf.Tensor | None,
    filtered: float,
    scale: float | None,
    unidirectional: int,
) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Return attention and present keys and values from projections [batch, length, q + k + v sizes]."""
    if sizes is None:
        q, k, v = tf.split(projected, 3, axis=-1)
    else:
        q, k, v = tf.split(projected, list(sizes), axis=-1)
    q, k, v = split_heads(q, heads), split_heads(k, heads), split_heads(v, heads)
    if past is not None:
        k, v = tf.concat([past[0], k], 2), tf.concat([past[1], v], 2)
    y, _ = _attend(q, k, v, scale, mask, bias, filtered, unidirectional)
    return y, tf.stack([k, v]) if sizes is None or sizes[1] == sizes[2] else None


@onnx_op("MultiHeadAttention", domain=MICROSOFT)
def multi_head_attention(
    query: tf.Tensor,
    key: tf.Tensor | None = None,
    value: tf.Tensor | None = None,
    bias: tf.Tensor | None = None,
    key_padding_mask: tf.Tensor | None = None,
    attention_bias: tf.Tensor | None = None,
    past_key: tf.Tensor | None = None,
    past_value: tf.Tensor | None = None,
    past_sequence_length: tf.Tensor | None = None,
    cache_indirection: tf.Tensor | None = None,
    *,
    mask_filter_value: float = MASKED,
    num_heads: int,
    scale: float | None = None,
    unidirectional: int = 0,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    if cache_indirection is not None:
        raise ValueError("attention over beams in one buffer is not supported; export the model without")
    q, k, v = _heads_of(query, key, value, bias, num_heads)
    keys, values = k, v
    if past_key is not None and past_sequence_length is not None:
        start = tf.reshape(past_sequence_length, [])
        keys, values = _written(past_key, k, start), _written(past_value, v, start)
        end = start + tf.cast(dims_of(k)[2], start.dtype)
        k, v = keys[:, :, :end], values[:, :, :end]
    elif past_key is not None:
        k, v = keys, values = tf.concat([past_key, k], 2), tf.concat([past_value, v], 2)
    y, scores = _attend(q, k, v, scale, key_padding_mask, attention_bias, mask_filter_value, unidirectional)
    return y, keys, values, scores


def _written(buffer: tf.Tensor, new: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """Return a buffer [batch, heads, capacity, size] with new elements from ``start`` on."""
    end = start + tf.cast(dims_of(new)[2], start.dtype)
    return shaped(tf.concat([buffer[:, :, :start], new, buffer[:, :, end:]], 2), buffer.shape)


@onnx_op("DecoderMaskedMultiHeadAttention", domain=MICROSOFT)
def decoder_masked_multi_head_attention(
    query: tf.Tensor,
    key: tf.Tensor | None = None,
    value: tf.Tensor | None = None,
    mask_index: tf.Tensor | None = None,
    attention_bias: tf.Tensor | None = None,
    past_key: tf.Tensor | None = None,
    past_value: tf.Tensor | None = None,
    past_sequence_length: tf.Tensor | None = None,
    beam_width: tf.Tensor | None = None,
    cache_indirection: tf.Tensor | None = None,
    bias: tf.Tensor | None = None,
    *,
    mask_filter_value: float = MASKED,
    num_heads: int,
    output_qk: int = 0,
    past_present_share_buffer: int = 0,
    scale: float | None = None,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    del beam_width, output_qk
    y, k, v, scores = multi_head_attention(
        query,
        key,
        value,
        bias,
        mask_index,
        attention_bias,
        past_key,
        past_value,
        past_sequence_length if past_present_share_buffer else None,
        cache_indirection,
        mask_filter_value=mask_filter_value,
        num_heads=num_heads,
        scale=scale,
        unidirectional=0,
    )
    return y, k, v, tf.nn.softmax(scores)


def _heads_of(
    query: tf.Tensor, key: tf.Tensor | None, value: tf.Tensor | None, bias: tf.Tensor | None, heads: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return query, key and value as [batch, heads, length, size] from any of the packings, biases added."""
    if rank_of(query) == 5:
        q, k, v = (tf.transpose(query[:, :, :, i], [0, 2, 1, 3]) for i in range(3))
    else:
        q = split_heads(query, heads)
        if key is None:
            raise ValueError("the input 'key' is missing: only a query that holds the keys too does without")
        if value is None:
            k, v = (tf.transpose(key[:, :, :, i], [0, 2, 1, 3]) for i in range(2))
        else:
            k, v = (_with_heads(t, heads) if rank_of(t) == 4 else split_heads(t, heads) for t in (key, value))
    if bias is None:
        return q, k, v
    sizes = [heads * dims_of(t)[3] for t in (q, k, v)]
    parts = [split_heads(part[tf.newaxis, tf.newaxis], heads) for part in tf.split(bias, sizes)]
    crossed = value is not None and rank_of(value) == 4  # keys and values that were biased elsewhere
    return q + parts[0], k if crossed else k + parts[1], v if crossed else v + parts[2]


def _with_heads(x: tf.Tensor, heads: int) -> tf.Tensor:
    return shaped(x, [None, heads, None, None])


def _attend(
    q: tf.Tensor,
    k: tf.Tensor,
    v: tf.Tensor,
    scale: float | None,
    mask: tf.Tensor | None,
    bias: tf.Tensor | None,
    filtered: float,
    unidirectional: int,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the attention [batch, length, heads * size] and its scores."""
    dtype = q.dtype
    scores = scores_of(computable(q), computable(k), scale or None)
    if bias is not None:
        scores += tf.cast(bias, scores.dtype)
    if mask is not None:
        scores += tf.cast(_penalties(mask, dims_of(q), dims_of(k)[2], filtered), scores.dtype)
    if unidirectional:
        queries, keys = dims_of(q)[2], dims_of(k)[2]
        position = tf.range(tf.cast(queries, tf.int64))[:, None] + tf.cast(keys - queries, tf.int64)
        future = tf.range(tf.cast(keys, tf.int64))[None, :] > position
        scores = tf.where(future, scores.dtype.min, scores)
    probabilities = tf.nn.softmax(scores)
    y = join_heads(weighted_sums(probabilities, computable(v)))
    return tf.cast(y, dtype), tf.cast(scores, dtype)


def _penalties(mask: tf.Tensor, query_dims: Sequence[Dim], keys: Dim, filtered: float) -> tf.Tensor:
    """Return what to add to the scores, [batch, 1, queries or 1, keys], from any of the forms of masks."""
    rank = rank_of(mask)
    if rank == 1:
        batch = query_dims[0]
        # Where the keys of each item end; where they start follows, or it is 0 for all.
        bounds = tf.concat([mask, tf.zeros_like(mask)], 0)
        ends, starts = bounds[:batch, None], bounds[batch : 2 * batch, None]
        places = tf.range(tf.cast(keys, mask.dtype))[None, :]
        mask = tf.cast((places >= starts) & (places < ends), tf.int32)[:, None, None, :]
    elif rank == 2:
        mask = mask[:, None, None, :]
    elif rank == 3:
        mask = mask[:, None]
    else:
        mask = mask[:, :, keys - query_dims[2] : keys, :keys]
    return tf.where(mask > 0, 0.0, filtered)


@onnx_op("RotaryEmbedding", domain=MICROSOFT)
def rotary_embedding(
    x: tf.Tensor,
    position_ids: tf.Tensor,
    cos_cache: tf.Tensor,
    sin_cache: tf.Tensor,
    *,
    interleaved: int = 0,
    is_packed_batching: int = 0,
    num_heads: int = 0,
    rotary_embedding_dim: int = 0,
    scale: float = 1.0,
) -> tf.Tensor:
    del scale  # ONNX Runtime ignores it on CPUs
    if is_packed_batching:
        raise ValueError("RotaryEmbedding with is_packed_batching is not supported; export the model without")
    packed = rank_of(x) == 3
    length = dims_of(x)[1 if packed else 2]
    if rank_of(position_ids) == 1:
        position_ids = position_ids[:, None] + tf.range(tf.cast(length, tf.int64))[None, :]
    if packed and not num_heads:
        num_heads = dims_of(x)[2] // (2 * dims_of(cos_cache)[1])
    return onnx_attention.rotary_embedding(
        x,
        cos_cache,
        sin_cache,
        position_ids,
        interleaved=interleaved,
        num_heads=num_heads,
        rotary_embedding_dim=rotary_embedding_dim,
    )


@onnx_op("MRotaryEmbedding", domain=MICROSOFT)
def m_rotary_embedding(
    x: tf.Tensor,
    position_ids: tf.Tensor,
    cos_cache: tf.Tensor,
    sin_cache: tf.Tensor,
    *,
    interleaved: int = 0,
    is_packed_batching: int = 0,
    mrope_layout: int = 0,
    mrope_section: Sequence[int],
    num_heads: int = 0,
    rotary_embedding_dim: int = 0,
    scale: float = 1.0,
) -> tf.Tensor:
    """Rotate by positions in time, height and width; each turns a section of every head."""
    del scale  # ONNX Runtime ignores it on CPUs
    if is_packed_batching:
        raise ValueError("MRotaryEmbedding with is_packed_batching is not supported; export the model without")
    half = sum(mrope_section)
    if mrope_layout:
        axes = [0] * half
        for axis in (1, 2):
            axes[axis : 3 * mrope_section[axis] : 3] = [axis] * len(axes[axis : 3 * mrope_section[axis] : 3])
    else:
        axes = [axis for axis, size in enumerate(mrope_section) for _ in range(size)]
    positions = tf.gather(position_ids, axes)
    cos, sin = (
        tf.transpose(tf.gather(tf.transpose(cache), positions, axis=1, batch_dims=1), [1, 2, 0])
        for cache in (cos_cache, sin_cache)
    )
    return onnx_attention.rotary_embedding(
        x, cos, sin, interleaved=interleaved, num_heads=num_heads, rotary_embedding_dim=rotary_embedding_dim
    )
