"""What numbers are compared with: ONNX Runtime, and where it is not installed ONNX's reference implementation."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Protocol

import onnx
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

from onnx_tf.check.onnx_runtime import OnnxRuntime, first_line, has_onnx_runtime
from onnx_tf.errors import CheckError
from onnx_tf.model.loading import ModelSource, load_model

__all__ = ["OnnxReference", "Reference", "open_reference", "reference_name"]


class Reference(Protocol):
    """Something that says what an ONNX model's outputs are."""

    def run(self, feed: Mapping[str, Any]) -> dict[str, Any]:
        """Return the outputs by name, see :class:`onnx_tf.check.artifacts.Artifact`."""


def open_reference(model: ModelSource, *, optimized: bool = True) -> Reference:
    """Return ONNX Runtime with a model, ONNX's reference implementation where that is not installed.

    Args:
        model: a path, bytes, a ``ModelProto`` or an ``onnx_ir.Model``.
        optimized: whether ONNX Runtime may rewrite the graph.

    Raises:
        CheckError: it does not take the model.
    """
    if not has_onnx_runtime():
        return OnnxReference(model)
    return OnnxRuntime(model, optimized=optimized, leaves_weights=True)


def reference_name() -> str:
    """Return what :func:`open_reference` opens, with its version."""
    if has_onnx_runtime():
        return f"ONNX Runtime {version('onnxruntime')}"
    return f"onnx.reference {onnx.__version__}"


class OnnxReference:
    """An ONNX model in ``onnx.reference``: slow, but part of the package ``onnx``."""

    def __init__(self, model: ModelSource) -> None:
        """Load a model, as :func:`open_reference` does.

        Raises:
            CheckError: the reference implementation does not take it.
        """
        proto = ir.to_proto(ir.external_data.load_to_model(load_model(model)))
        try:
            self._evaluator = ReferenceEvaluator(proto)
        except Exception as error:
            raise CheckError(f"onnx.reference does not take the model: {first_line(error)}") from error

    def run(self, feed: Mapping[str, Any]) -> dict[str, Any]:
        """See :class:`Reference`.

        Raises:
            CheckError: it cannot run the model on these inputs.
        """
        try:
            found = self._evaluator.run(None, dict(feed))
        except Exception as error:
            raise CheckError(f"onnx.reference cannot run the model on these inputs: {first_line(error)}") from error
        return dict(zip(self._evaluator.output_names, found, strict=True))
