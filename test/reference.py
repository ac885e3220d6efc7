"""ONNX Runtime as the reference for numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx
import onnxruntime as ort
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel


def ort_outputs(model: onnx.ModelProto, feed: Mapping[str, Any], *, optimized: bool = True) -> dict[str, Any]:
    """Return ONNX Runtime's outputs by name, exact in integers.

    By default its uint8 x int8 products saturate at 16 bits on processors without VNNI.

    Args:
        model: the model.
        feed: an array for each input.
        optimized: whether ONNX Runtime may rewrite the graph.
    """
    try:
        session = _session(model, precise=True, optimized=optimized)
    except NoKernel:  # the precise kernels take no int8 x int8 products, which never saturate
        session = _session(model, precise=False, optimized=optimized)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feed)), strict=True))


def _session(model: onnx.ModelProto, *, precise: bool, optimized: bool) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    if not optimized:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.x64quantprecision", "1" if precise else "0")
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
