"""Overrides of single nodes."""
