"""Resize, Upsample and grid sampling."""
