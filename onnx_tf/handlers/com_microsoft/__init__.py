"""Operators of the com.microsoft domain, as ONNX Runtime defines them, by family."""

from onnx_tf.handlers.com_microsoft import text

__all__ = ["text"]
