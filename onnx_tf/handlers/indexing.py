"""Gather, scatter, slice and select."""
