"""Operators that make tensors from shapes, ranges and attributes."""
