"""Attention and rotary embedding."""

from __future__ import annotations

import math

import tensorflow as tf

from onnx_tf import tensor_list
from onnx_tf.dtypes import to_tf
from onnx_tf.handlers._attend import computable, join_heads, scores_of, split_heads, weighted_sums
from onnx_tf.handlers._attributes import given
from onnx_tf.handlers._control import counted_loop
from onnx_tf.handlers._tensors import Dim, as_shape, dims_of, rank_of, reshaped, static_value
from onnx_tf.handlers._versions import earlier
from onnx_tf.registry import onnx_op
from onnx_tf.values import Body

MAX_UNROLLED_STEPS = 4


@onnx_op("Attention", since=25)
def attention(
    q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, attn_mask: tf.Tensor | None = None, past_key: tf.Tensor | None = None,
    past_value: tf.Tensor | None = None, nonpad_kv_seqlen: tf.Tensor | None = None, *, is_causal: int,
    kv_num_heads: int | None, left_window_size: int, q_num_heads: int | None, qk_matmul_output_mode: int,
    right_window_size: int, scale: float | None, softcap: float, softmax_precision: int | None,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:  # fmt: skip
    packed = rank_of(q) == 3
    dtype = q.dtype
    if packed:
        q, k, v = split_heads(q, q_num_heads), split_heads(k, kv_num_heads), split_heads(v, kv_num_heads)
    if past_key is not None:
        k, v = tf.concat([past_key, k], 2), tf.concat([past_value, v], 2)
    raw = scores_of(computable(q), computable(k), scale)
    capped = softcap * tf.tanh(raw / softcap) if softcap else raw
    if past_key is None and nonpad_kv_seqlen is not None:
        offset = tf.reshape(tf.cast(nonpad_kv_seqlen, tf.int64), [-1, 1, 1, 1]) - dims_of(q)[2]
    else:
        offset = 0 if past_key is None else dims_of(past_key)[2]
    window = (left_window_size, 0 if is_causal else right_window_size)
    allowed = _allowed(dims_of(q)[2], dims_of(k)[2], offset, window, nonpad_kv_seqlen)
    attn_mask = _of_all_keys(attn_mask, dims_of(k)[2])
    biased = _masked(capped, attn_mask, allowed)
    probabilities = _softmax(biased, softmax_precision, _empty_rows(attn_mask, allowed))
    y = weighted_sums(tf.cast(probabilities, raw.dtype), tf.cast(v, raw.dtype))  # they may differ in dtype
    if packed:
        y = join_heads(y)
    shown = (raw, capped, biased, probabilities)[qk_matmul_output_mode]
    return tf.cast(y, dtype), k, v, tf.cast(shown, dtype)


onnx_op("Attention", since=23)(earlier(attention, {"left_window_size": -1, "right_window_size": -1}))


@onnx_op("FlexAttention", domain="ai.onnx.preview")
def flex_attention(
    q: tf.Tensor,
    k: tf.Tensor,
    v: tf.Tensor,
    *,
    prob_mod: Body | None,
    scale: float | None,
    score_mod: Body | None,
    softmax_precision: int | None,
) -> tf.Tensor:
    default = tf.float64 if q.dtype == tf.float64 else tf.float32
    precision = default if softmax_precision is None else to_tf(softmax_precision)
    scores = tf.cast(scores_of(computable(q), computable(k), scale), precision)
    if score_mod is not None:
        (scores,) = score_mod(scores)
    probabilities = tf.nn.softmax(scores)
    if prob_mod is not None:
        (probabilities,) = prob_mod(probabilities)
    v_computed = computable(v)
    return tf.cast(weighted_sums(tf.cast(probabilities, v_computed.dtype), v_computed), q.dtype)


@onnx_op("RotaryEmbedding", since=23)
def rotary_embedding(
    x: tf.Tensor,
    cos_cache: tf.Tensor,
    sin_cache: tf.Tensor,
    position_ids: tf.Tensor | None = None,
    *,
    interleaved: int,
    num_heads: int | None,
    rotary_embedding_dim: int,
) -> tf.Tensor:
    shape = dims_of(x)
    packed = len(shape) == 3
    if packed:
        (num_heads,) = given(num_heads=num_heads)
        x = reshaped(x, [*shape[:2], num_heads, shape[2] // num_heads])
    if position_ids is not None:
        cos_cache, sin_cache = tf.gather(cos_cache, position_ids), tf.gather(sin_cache, position_ids)
    # Heads lie after the length in packed tensors, before it in others.
    cos, sin = (tf.expand_dims(cache, 2 if packed else 1) for cache in (cos_cache, sin_cache))
    size = rotary_embedding_dim or dims_of(x)[3]
    rotated, kept = x[..., :size], x[..., size:]
    if interleaved:
        a, b = rotated[..., 0::2], rotated[..., 1::2]
        turned = reshaped(tf.stack([cos * a - sin * b, sin * a + cos * b], -1), dims_of(rotated))
    else:
        a, b = tf.split(rotated, 2, axis=-1)
        turned = tf.concat([cos * a - sin * b, sin * a + cos * b], -1)
    y = tf.concat([turned, kept], -1) if rotary_embedding_dim else turned
    return reshaped(y, shape) if packed else y


@onnx_op("LinearAttention", since=27)
def linear_attention(
    query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, past_state: tf.Tensor | None = None,
    decay: tf.Tensor | None = None, beta: tf.Tensor | None = None, *, chunk_size: int, kv_num_heads: int,
    q_num_heads: int, scale: float, update_rule: str,
) -> tuple[tf.Tensor, tf.Tensor]:  # fmt: skip
    del chunk_size  # a hint of how to divide the work
    q, k, v = (_steps(x, h) for x, h in ((query, q_num_heads), (key, kv_num_heads), (value, kv_num_heads)))
    steps, batch, _, key_size = dims_of(q)
    value_size = dims_of(v)[3]
    groups = q_num_heads // kv_num_heads
    factor = scale if scale else tf.math.rsqrt(tf.cast(key_size, q.dtype))
    q = reshaped(q * tf.cast(factor, q.dtype), [steps, batch, kv_num_heads, groups, key_size])
    rows = {"q": q, "k": k, "v": v}
    if update_rule in ("gated", "gated_delta"):
        rows["decay"] = tf.exp(_steps(decay, kv_num_heads))
    if update_rule in ("delta", "gated_delta"):
        rows["beta"] = _steps(beta, dims_of(beta)[2])
    lists = {name: tensor_list.unstack(x) for name, x in rows.items()}

    def step(index: tf.Tensor, state: tf.Tensor) -> list[tf.Tensor]:
        now = {name: tensor_list.get(lists[name], index, x.dtype, x.shape[1:]) for name, x in rows.items()}
        update = now["v"]
        if "decay" in now:
            state = state * now["decay"][..., tf.newaxis]
        if "beta" in now:
            update = now["beta"] * (update - tf.linalg.matvec(state, now["k"], transpose_a=True))
        state = state + now["k"][..., :, tf.newaxis] * update[..., tf.newaxis, :]
        return [state, tf.matmul(now["q"], state)]

    if past_state is None:
        state = tf.zeros(as_shape([batch, kv_num_heads, key_size, value_size]), q.dtype)
    else:
        state = computable(past_state)
    unroll = isinstance(steps, int) and steps <= MAX_UNROLLED_STEPS
    row = tf.TensorSpec([*q.shape[1:4], v.shape[3]], q.dtype)
    (state,), (sums,) = counted_loop(steps, step, [state], [row], unroll=unroll)
    output = reshaped(tf.transpose(sums, [1, 0, 2, 3, 4]), [batch, steps, q_num_heads * value_size])
    return tf.cast(output, query.dtype), tf.cast(state, (query if past_state is None else past_state).dtype)


def _steps(x: tf.Tensor, heads: Dim) -> tf.Tensor:
    """Return [batch, length, heads * size] as [length, batch, heads, size]."""
    batch, length, width = dims_of(x)
    return tf.transpose(reshaped(computable(x), [batch, length, heads, width // heads]), [1, 0, 2, 3])


def _allowed(
    queries: Dim, keys: Dim, offset: Dim, window: tuple[int, int], valid: tf.Tensor | None
) -> tf.Tensor | None:
    """Return which keys each query may see by position, [batch or 1, 1, queries, keys]; ``None`` for all."""
    left, right = window
    conditions = []
    key = tf.range(tf.cast(keys, tf.int64))[tf.newaxis, :]
    position = tf.range(tf.cast(queries, tf.int64))[:, tf.newaxis] + offset
    if right >= 0:
        conditions.append(key <= position + right)
    if left >= 0:
        conditions.append(key >= position - left)
    if valid is not None:
        conditions.append(key < tf.reshape(tf.cast(valid, tf.int64), [-1, 1, 1, 1]))
    allowed = None
    for condition in conditions:
        allowed = condition if allowed is None else tf.logical_and(allowed, condition)
    return allowed


def _of_all_keys(mask: tf.Tensor | None, keys: Dim) -> tf.Tensor | None:
    """Return a mask, which may lack the last keys, with these forbidden."""
    if mask is None or (isinstance(keys, int) and mask.shape[-1] == keys):
        return mask
    missing = tf.cast(keys, tf.int32) - tf.shape(mask)[-1]
    fill = False if mask.dtype == tf.bool else -math.inf
    return tf.pad(mask, [[0, 0]] * (rank_of(mask) - 1) + [[0, missing]], constant_values=fill)


def _masked(scores: tf.Tensor, mask: tf.Tensor | None, allowed: tf.Tensor | None) -> tf.Tensor:
    """Return the scores [batch, heads, queries, keys] with a mask and positions."""
    if mask is not None and mask.dtype != tf.bool:
        scores, mask = scores + tf.cast(mask, scores.dtype), None
    both = _both(mask, allowed)
    return scores if both is None else tf.where(both, scores, tf.constant(-math.inf, scores.dtype))


def _empty_rows(mask: tf.Tensor | None, allowed: tf.Tensor | None) -> tf.Tensor | None:
    """Return which queries may see no key, [..., queries, 1]; ``None`` if it is known that each may see one."""
    if mask is not None and mask.dtype != tf.bool:
        mask = mask > -math.inf
    both = _both(mask, allowed)
    if both is None:
        return None
    empty = ~tf.reduce_any(both, -1, keepdims=True)
    known = static_value(empty)
    return None if known is not None and not known.any() else empty


def _both(mask: tf.Tensor | None, allowed: tf.Tensor | None) -> tf.Tensor | None:
    if mask is None or allowed is None:
        return allowed if mask is None else mask
    return tf.logical_and(mask, allowed)


def _softmax(scores: tf.Tensor, precision: int | None, empty: tf.Tensor | None) -> tf.Tensor:
    """Return the softmax; rows without any allowed key are 0."""
    scores = scores if precision is None else tf.cast(scores, to_tf(precision))
    if empty is None:
        return tf.nn.softmax(scores)
    zero = tf.zeros([], scores.dtype)
    return tf.where(empty, zero, tf.nn.softmax(tf.where(empty, zero, scores)))
