"""Operators of detection networks and images."""
