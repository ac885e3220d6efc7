"""Sequences, optionals and maps."""
