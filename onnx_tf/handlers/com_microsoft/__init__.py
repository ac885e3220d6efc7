"""Operators of the com.microsoft domain, as ONNX Runtime defines them, by family."""

from onnx_tf.handlers.com_microsoft import quantized, quantized_elementwise, text

__all__ = ["quantized", "quantized_elementwise", "text"]
