"""Comparison, boolean and bitwise operators."""
