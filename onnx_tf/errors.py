"""Errors raised by onnx_tf; each message says what was expected and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "ConversionError",
    "EditError",
    "ExportError",
    "InputError",
    "ModelError",
    "OnnxTfError",
    "UnsupportedError",
    "UnsupportedNode",
]


class OnnxTfError(Exception):
    """Base class of every error that onnx_tf raises on purpose.

    Attributes:
        step: the step of the conversion that failed (see :mod:`onnx_tf.pipeline`), if it was one.
    """

    step: str | None = None


class ModelError(OnnxTfError, ValueError):
    """The given file, bytes or model is not a valid ONNX model."""


class EditError(OnnxTfError, ValueError):
    """A change of the model's inputs, outputs or shapes was asked for that does not fit the model."""


class InputError(OnnxTfError, ValueError):
    """What was passed to ``run`` does not fit the model's inputs."""


class ExportError(OnnxTfError, ValueError):
    """The model cannot be written as asked; nothing was written."""


class ConversionError(OnnxTfError):
    """A supported node could not be turned into TensorFlow operations."""


@dataclass(frozen=True)
class UnsupportedNode:
    """One node that cannot be converted, and why.

    Attributes:
        name: the node's name.
        op_type: the ONNX operator.
        domain: the operator's domain, ``""`` for ai.onnx.
        version: the opset version the model imports for that domain.
        reason: what is missing and the next step.
    """

    name: str
    op_type: str
    domain: str
    version: int | None
    reason: str

    def __str__(self) -> str:
        domain = self.domain or "ai.onnx"
        return f"node {self.name!r}: {domain}.{self.op_type} (opset {self.version}): {self.reason}"


class UnsupportedError(OnnxTfError, NotImplementedError):
    """The model has nodes that cannot be converted; ``nodes`` lists every one of them."""

    def __init__(self, nodes: Sequence[UnsupportedNode]) -> None:
        self.nodes = tuple(nodes)
        lines = "\n".join(f"  {node}" for node in self.nodes)
        count = "1 node" if len(self.nodes) == 1 else f"{len(self.nodes)} nodes"
        super().__init__(f"{count} cannot be converted:\n{lines}")
