"""Recurrent layers of decoders that ONNX Runtime had before ai.onnx."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers._attend import computable
from onnx_tf.handlers._layout import to_channels_first, to_channels_last
from onnx_tf.handlers._tensors import as_shape, dims_of, product, widened
from onnx_tf.handlers.attention import linear_attention as standard_linear_attention
from onnx_tf.handlers.convolution import causal_convolution
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
        heads = tf.reshape(query, as_shape([batch, length, q_num_heads, width // q_num_heads]))
        query = tf.reshape(tf.repeat(heads, groups, axis=2), as_shape([batch, length, width * groups]))
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
    ndim: int = 1,
    state_window: int = 0,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Compute as CausalConvWithState of ai.onnx.

    Limits: one spatial axis, no state_window.
    """
    if state_window or ndim != 1:
        raise ValueError("CausalConvWithState with state_window or ndim > 1 is not supported")
    dims = dims_of(x)
    if not channels_last:
        return causal_convolution(x, weight, bias, past_state, activation, dilation)
    # The channels may be on several axes.
    flat = [None if t is None else to_channels_first(_flat(t)) for t in (x, past_state)]
    y, state = (to_channels_last(t) for t in causal_convolution(flat[0], weight, bias, flat[1], activation, dilation))
    return tf.reshape(y, as_shape(dims)), tf.reshape(state, as_shape([*dims_of(state)[:2], *dims[2:]]))


def _flat(x: tf.Tensor) -> tf.Tensor:
    """Return [batch, length, channels...] with its channels on one axis."""
    batch, length, *channels = dims_of(x)
    return tf.reshape(x, as_shape([batch, length, product(channels)]))


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
    heads = tf.reshape(wide, as_shape([*dims[:-1], dims[-1] // size, size]))
    factor = tf.math.rsqrt(tf.reduce_mean(tf.square(heads), -1, keepdims=True) + epsilon)
    y = tf.reshape(heads * factor * computable(scale), as_shape(dims))
    return tf.cast(y * (tf.sigmoid(opened) if activation == "sigmoid" else tf.nn.silu(opened)), x.dtype)


@onnx_op("GatedAdd", domain=MICROSOFT)
def gated_add(x: tf.Tensor, y: tf.Tensor, gate: tf.Tensor) -> tf.Tensor:
    return x + y * gate
