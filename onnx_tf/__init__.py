"""Bring ONNX models into TensorFlow.

``prepare(model).run(x)`` computes a model, ``prepare(model).export_graph(path)`` writes it as a
SavedModel. TensorFlow is imported when one of these names is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx_tf.backend import TensorflowBackend, prepare, run_model, run_node, supports_device
    from onnx_tf.backend_rep import TensorflowRep
    from onnx_tf.calibration.data_file import DataFile
    from onnx_tf.conversion import convert
    from onnx_tf.errors import (
        CheckError,
        ConversionError,
        CrashError,
        EditError,
        ExportError,
        FileError,
        InputError,
        ModelError,
        OnnxTfError,
        OptionError,
        PathError,
        ProcessLimitError,
        RunError,
        UnsupportedError,
        WriteError,
    )
    from onnx_tf.keras_layer import OnnxLayer
    from onnx_tf.keras_model import to_keras
    from onnx_tf.planning import plan
    from onnx_tf.registry import NodeContext, onnx_op

__version__ = "2.0.0.dev0"

__all__ = [
    "CheckError",
    "ConversionError",
    "CrashError",
    "DataFile",
    "EditError",
    "ExportError",
    "FileError",
    "InputError",
    "ModelError",
    "NodeContext",
    "OnnxLayer",
    "OnnxTfError",
    "OptionError",
    "PathError",
    "ProcessLimitError",
    "RunError",
    "TensorflowBackend",
    "TensorflowRep",
    "UnsupportedError",
    "WriteError",
    "__version__",
    "convert",
    "onnx_op",
    "plan",
    "prepare",
    "run_model",
    "run_node",
    "supports_device",
    "to_keras",
]

_MODULES = {
    **dict.fromkeys(["TensorflowBackend", "prepare", "run_model", "run_node", "supports_device"], "backend"),
    **dict.fromkeys(["NodeContext", "onnx_op"], "registry"),
    "TensorflowRep": "backend_rep",
    "DataFile": "calibration.data_file",
    "convert": "conversion",
    "OnnxLayer": "keras_layer",
    "plan": "planning",
    "to_keras": "keras_model",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'onnx_tf' has no attribute {name!r}")
    module = _MODULES.get(name, "errors")
    if module.startswith("backend") or module in ("conversion", "keras_layer", "keras_model", "planning"):
        import tensorflow  # noqa: F401  (before onnx: the other order hangs on macOS arm64)
    return getattr(importlib.import_module(f"onnx_tf.{module}"), name)


def __dir__() -> list[str]:
    return list(__all__)
