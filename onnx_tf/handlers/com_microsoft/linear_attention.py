"""Recurrent layers of decoders that ONNX Runtime had before ai.onnx."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers._attend import computable
from onnx_tf.handlers._layout import to_channels_first, to_channels_last
from onnx_tf.handlers._tensors import dims_of, product, rank_of, reshaped, shaped, widened
from onnx_tf.handlers.attention import linear_attention as standard_linear_attention
from onnx_tf.handlers.convolution import causal_convolution
from onnx_tf.handlers.linear_algebra import mat_mul
from onnx_tf.registry import onnx_op

MICROSOFT = "com.microsoft"


@onnx_op("LinearAttention", domain=MICROSOFT)
def linear_attention(
    query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, past_state: tf.Tensor | None = None,
    decay: tf.Tensor | None = None, beta: tf.Tensor | None = None, *, chunk_size: int = 64, kv_num_heads: int,
    q_num_heads: int, scale: float = 0.0, state_window: int = 0, update_rule: str = "gated_delta",
) -> tuple[tf.Tensor, tf.Tensor]:  # fmt: skip
    """Compute as LinearAttention of ai.onnx.

    Limits: no state_window.
    """
    if state_window:
        raise ValueError("state_window is not supported; export the model without")
    groups = kv_num_heads // q_num_heads
    if groups > 1:
        batch, length, width = dims_of(query)
        heads = reshaped(query, [batch, length, q_num_heads, width // q_num_heads])
        query = reshaped(tf.repeat(heads, groups, axis=2), [batch, length, width * groups])
        q_num_heads = kv_num_heads
    return standard_linear_attention(
        query, key, value, past_state, decay, beta,
        chunk_size=chunk_size, kv_num_heads=kv_num_heads, q_num_heads=q_num_heads, scale=scale, update_rule=update_rule,
    )  # fmt: skip


@onnx_op("CausalConvWithState", domain=MICROSOFT)
def causal_conv_with_state(
    x: tf.Tensor,
    weight: tf.Tensor,
    bias: tf.Tensor | None = None,
    past_state: tf.Tensor | None = None,
    *,
    activation: str = "none",
    channels_last: int = 0,
    dilation: int = 1,
    input_channel_offset: int = 0,
    input_channels: int = 0,
    ndim: int = 1,
    state_channels_last: int = -1,
    state_length: int = 0,
    state_update_capacity: int = 0,
    state_window: int = 0,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
    """Compute as CausalConvWithState of ai.onnx.

    Limits: one spatial axis, no state_window.
    """
    if state_window or ndim != 1:
        raise ValueError("CausalConvWithState with state_window or ndim > 1 is not supported")
    extended = input_channels or input_channel_offset or state_length or state_update_capacity
    if (extended or state_channels_last != -1) and not (channels_last and rank_of(x) == 3):
        raise ValueError("input_channels, input_channel_offset, state_... are for channels_last=1 and 3 axes alone")
    if input_channel_offset and not input_channels:
        raise ValueError("input_channel_offset is given without input_channels, which says how many follow it")
    if input_channels:
        x = x[:, :, input_channel_offset : input_channel_offset + input_channels]
    if not channels_last:
        return *causal_convolution(x, weight, bias, past_state, activation, dilation), None
    dims, rows_last = dims_of(x), state_channels_last == 0
    if past_state is not None and not rows_last:
        past_state = to_channels_first(_flat(past_state))
    y, state = causal_convolution(
        to_channels_first(_flat(x)), weight, bias, past_state, activation, dilation, state_length
    )
    y = reshaped(to_channels_last(y), dims)
    if not rows_last:
        state = to_channels_last(state)
        state = reshaped(state, [*dims_of(state)[:2], *dims[2:]])
    return y, state, _first_rows(x, state_update_capacity) if state_update_capacity else None


def _first_rows(x: tf.Tensor, count: int) -> tf.Tensor:
    """Return the first rows of [batch, length, channels], and zeros where it has fewer."""
    rows = x[:, :count]
    rows = tf.pad(rows, [[0, 0], [0, count - tf.shape(rows)[1]], [0, 0]])
    return shaped(rows, [x.shape[0], count, x.shape[2]])


def _flat(x: tf.Tensor) -> tf.Tensor:
    """Return [batch, length, channels...] with its channels on one axis."""
    batch, length, *channels = dims_of(x)
    return reshaped(x, [batch, length, product(channels)])


@onnx_op("LinearAttentionGate", domain=MICROSOFT)
def linear_attention_gate(
    a: tf.Tensor, dt_bias: tf.Tensor, decay_scale: tf.Tensor, b: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor | None]:
    decay = decay_scale * tf.nn.softplus(computable(a) + dt_bias)
    return tf.cast(decay, a.dtype), None if b is None else widened(tf.sigmoid, b)


@onnx_op("GatedRMSNorm", domain=MICROSOFT)
def gated_rms_norm(
    x: tf.Tensor, scale: tf.Tensor, gate: tf.Tensor, *, activation: str = "silu", epsilon: float = 1e-5
) -> tf.Tensor:
    if activation not in ("silu", "swish", "sigmoid"):
        raise ValueError(f"activation {activation!r} is not known: silu, swish or sigmoid is expected")
    wide, opened = computable(x), computable(gate)
    size, dims = dims_of(scale)[0], dims_of(x)
    heads = reshaped(wide, [*dims[:-1], dims[-1] // size, size])
    factor = tf.math.rsqrt(tf.reduce_mean(tf.square(heads), -1, keepdims=True) + epsilon)
    y = reshaped(heads * factor * computable(scale), dims)
    return tf.cast(y * (tf.sigmoid(opened) if activation == "sigmoid" else tf.nn.silu(opened)), x.dtype)


@onnx_op("GatedAdd", domain=MICROSOFT)
def gated_add(x: tf.Tensor, y: tf.Tensor, gate: tf.Tensor, gate_weight: tf.Tensor | None = None) -> tf.Tensor:
    """Add y times a gate for each row, which is given or projected from rows [..., K] by weights [K, 1].

    Limits: gate_weight with bfloat16 alone, as in ONNX Runtime.
    """
    if gate_weight is None:
        return x + y * gate
    if x.dtype != tf.bfloat16:
        raise ValueError(f"GatedAdd with gate_weight is defined for bfloat16 alone, not {x.dtype.name}")
    logits = tf.cast(mat_mul(tf.cast(gate, tf.float32), tf.cast(gate_weight, tf.float32)), x.dtype)
    return x + y * widened(tf.sigmoid, logits)
