"""Source of a Keras model, as a person would write it."""

from __future__ import annotations

from onnx_tf.export.keras_source.module import source_of

__all__ = ["source_of"]
