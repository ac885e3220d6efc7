"""Attention of several heads with its projections: one layer."""

from __future__ import annotations

from typing import Any

from keras import layers

from onnx_tf.export.keras._place import Place, keras_op
from onnx_tf.registry import ATTENTION_DOMAIN

FREE: dict[str, Any] = {"kernel_initializer": "zeros", "bias_initializer": "zeros"}


@keras_op("MultiHeadAttention", domain=ATTENTION_DOMAIN)
def multi_head_attention(
    place: Place,
    query: Any,
    value: Any,
    key: Any,
    query_kernel: Any,
    query_bias: Any,
    key_kernel: Any,
    key_bias: Any,
    value_kernel: Any,
    value_bias: Any,
    kernel: Any,
    bias: Any = None,
    mask: Any = None,
    *,
    is_causal: int,
    dropout: float,
) -> Any:
    query, value, key = (place.tensor(x) for x in (query, value, key))
    pairs = ((query_kernel, query_bias), (key_kernel, key_bias), (value_kernel, value_bias), (kernel, bias))
    _, heads, size = query_kernel.shape
    features = kernel.shape[2]
    given = {"key": None if key is value else key, "attention_mask": None if mask is None else place.tensor(mask)}
    rate = dropout if place.drawn.training else 0.0
    return place.layer(
        layers.MultiHeadAttention,
        query,
        value,
        weights=[array for pair in pairs for array in pair if array is not None],
        given={name: x for name, x in given.items() if x is not None}
        | ({"use_causal_mask": True} if is_causal else {}),
        num_heads=heads,
        key_dim=size,
        output_shape=features if features != query.shape[-1] else None,
        use_bias=bias is not None,
        dropout=rate or None,
        **FREE,
    )
