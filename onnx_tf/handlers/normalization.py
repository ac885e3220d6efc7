"""Normalisation over batch, channel or feature axes."""
