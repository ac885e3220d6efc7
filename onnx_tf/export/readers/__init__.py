"""Files for other readers than LiteRT's interpreter: rewritten where that helps, and refused by node where not."""

from __future__ import annotations

from onnx_tf.export.readers.fitting import Fitted, fitted

__all__ = ["Fitted", "fitted"]
