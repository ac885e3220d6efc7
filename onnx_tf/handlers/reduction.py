"""Reductions and ArgMax/ArgMin."""
