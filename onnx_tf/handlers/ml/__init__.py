"""Operators of the ai.onnx.ml domain, by family."""
