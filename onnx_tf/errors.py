"""Errors raised by onnx_tf; each message says what was expected and what to do next.

Every one of them can be pickled, as by a process pool, and keeps its fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "ConversionError",
    "EditError",
    "ExportError",
    "FileError",
    "InputError",
    "ModelError",
    "NodeError",
    "OnnxTfError",
    "OptionError",
    "RunError",
    "UnsupportedError",
    "UnsupportedNode",
    "WriteError",
]


class OnnxTfError(Exception):
    """Base class of every error that onnx_tf raises on purpose.

    Attributes:
        reason: what is wrong and the next step.
        step: the step of the conversion that failed; whoever runs the steps may set it later.
        node: the ONNX node's name.
        op: its operator, as in ``Conv``.
        domain: the operator's domain, ``""`` for ai.onnx.
        version: the opset version that the model imports for that domain.
        inputs: what the node was given, by the inputs' ONNX names, as in ``float32[?, 3]``.

    All but the reason are ``None`` where they are not known.
    """

    def __init__(
        self,
        reason: str = "",
        *,
        step: str | None = None,
        node: str | None = None,
        op: str | None = None,
        domain: str | None = None,
        version: int | None = None,
        inputs: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.step = step
        self.node = node
        self.op = op
        self.domain = domain
        self.version = version
        self.inputs = None if inputs is None else dict(inputs)

    def __str__(self) -> str:
        return self.reason

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args, self.__dict__)

    def fields(self) -> dict[str, Any]:
        """Return what is known of the error besides its text, ready for JSON."""
        names = ("step", "node", "op", "domain", "version", "inputs")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def _restored(cls: type[OnnxTfError], args: tuple[Any, ...], state: dict[str, Any]) -> OnnxTfError:
    error = cls(*args)
    error.__dict__.update(state)
    return error


class ModelError(OnnxTfError, ValueError):
    """The given file, bytes or model is not a valid ONNX model."""


class FileError(ModelError):
    """A file of the model is missing, cannot be read, is cut short or holds something else."""


class OptionError(OnnxTfError, ValueError):
    """An option has a value that does not exist, or that does not fit the model."""


class EditError(OptionError):
    """A change of the model's inputs, outputs or shapes was asked for that does not fit the model."""


class InputError(OnnxTfError, ValueError):
    """What was passed to ``run`` does not fit the model's inputs."""


class ExportError(OnnxTfError, ValueError):
    """The model cannot be written as asked; nothing was written."""


class WriteError(ExportError, OSError):
    """The operating system refuses a file or folder: no access, no space, a wrong path."""


class NodeError(OnnxTfError):
    """An error whose text is made from its fields."""

    def __str__(self) -> str:
        where = []
        if self.step is not None:
            where.append(f"step {self.step!r}")
        if self.node is not None:
            given = "" if self.inputs is None else ", ".join(f"{name}: {text}" for name, text in self.inputs.items())
            opset = f"{self.domain or 'ai.onnx'}.{self.op}, opset {self.version}"
            where.append(f"node {self.node!r} ({opset})" + f" with inputs [{given}]" * (self.inputs is not None))
        return f"{', '.join(where)}: {self.reason}" if where else self.reason


class ConversionError(NodeError):
    """A supported node could not be turned into TensorFlow operations."""


class RunError(NodeError):
    """TensorFlow failed while it computed a converted model; the node is the one that it came to, if known."""


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
    """The model has nodes that cannot be converted; ``nodes`` lists every one of them.

    The fields of the error are those of the first one.
    """

    def __init__(self, nodes: Sequence[UnsupportedNode], *, step: str | None = None) -> None:
        self.nodes = tuple(nodes)
        lines = "\n".join(f"  {node}" for node in self.nodes)
        count = "1 node" if len(self.nodes) == 1 else f"{len(self.nodes)} nodes"
        super().__init__(f"{count} cannot be converted:\n{lines}", step=step)
        for node in self.nodes[:1]:
            self.node, self.op, self.domain, self.version = node.name, node.op_type, node.domain, node.version

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), (self.nodes,), self.__dict__)

    def fields(self) -> dict[str, Any]:
        """Return what is known of the error besides its text, ready for JSON."""
        return super().fields() | {"nodes": [vars(node) for node in self.nodes]}
