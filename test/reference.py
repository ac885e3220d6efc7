"""ONNX Runtime as the reference for numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx

from onnx_tf.check.onnx_runtime import OnnxRuntime


def ort_outputs(model: onnx.ModelProto, feed: Mapping[str, Any], *, optimized: bool = True) -> dict[str, Any]:
    """Return ONNX Runtime's outputs by name."""
    return OnnxRuntime(model, optimized=optimized).run(feed)
