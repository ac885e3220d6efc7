"""TensorFlow's converter of SavedModels to LiteRT, without the work that changes nothing here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.lite.python import lite

__all__ = ["saved_model_converter"]


class _Converter(lite.TFLiteSavedModelConverterV2):
    """Leaves out two loads of the model into Python, for messages, and a second walk over the file's buffers."""

    def convert(self) -> bytes:
        graph_def, _, _ = self._load_saved_model(self.saved_model_dir, self._saved_model_tags)
        content: bytes = self._convert_from_saved_model(graph_def)
        return content

    def _optimize_tflite_model(self, model: bytes, *_: Any, **__: Any) -> bytes:
        return model


def saved_model_converter(path: Path, signature: str) -> Any:
    """Return a ``tf.lite.TFLiteConverter`` of one signature of a SavedModel.

    It shares no weights among tensors and does not quantise activations.
    """
    return _Converter(str(path), {tf.saved_model.SERVING}, [signature])
