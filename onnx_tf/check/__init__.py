"""Comparison of converted models with ONNX Runtime: ``artifacts`` compute, ``compare`` judges."""
