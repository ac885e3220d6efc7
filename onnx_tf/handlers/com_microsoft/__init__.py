"""Operators of the com.microsoft domain, as ONNX Runtime defines them, by family."""
