"""Normalization for LiteRT, which has no operator that computes statistics."""

from __future__ import annotations

from onnx_tf.handlers.group_normalization import by_sums, register_group_normalization

register_group_normalization(by_sums, target="litert")
