"""Comparison of converted models with ONNX Runtime."""
