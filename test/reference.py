"""ONNX Runtime as the reference for numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx
import onnxruntime as ort


def ort_outputs(model: onnx.ModelProto, feed: Mapping[str, Any]) -> dict[str, Any]:
    """Return ONNX Runtime's outputs by name, exact in integers.

    By default its uint8 x int8 products saturate at 16 bits on processors without VNNI.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feed)), strict=True))
