"""Operators of the com.microsoft domain, as ONNX Runtime defines them, by family."""

from onnx_tf.handlers.com_microsoft import (
    attention,
    experts,
    fused,
    grouped_attention,
    linear_attention,
    normalization,
    quantized,
    quantized_elementwise,
    tensors,
    text,
    weight_only,
)

__all__ = [
    "attention",
    "experts",
    "fused",
    "grouped_attention",
    "linear_attention",
    "normalization",
    "quantized",
    "quantized_elementwise",
    "tensors",
    "text",
    "weight_only",
]
