"""Errors raised by onnx_tf; each message says what was expected and what to do next.

Every one of them can be pickled, as by a process pool, and keeps its fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

__all__ = [
    "CheckError",
    "ConversionError",
    "CrashError",
    "EditError",
    "ExportError",
    "FileError",
    "InputError",
    "ModelError",
    "NodeError",
    "OnnxTfError",
    "OptionError",
    "PathError",
    "ProcessLimitError",
    "RunError",
    "UnsupportedError",
    "UnsupportedNode",
    "WriteError",
    "either",
    "option",
]

_BEGIN, _OR, _END = "\ue000", "\ue001", "\ue002"


def either(python: str, command_line: str) -> str:
    """Return a part of an error's reason that is said in the words of who reads it.

    Args:
        python: what a caller of the library reads, as in ``pass overwrite=True``.
        command_line: what a user of ``onnx-tf`` reads, as in ``drop --no-overwrite``.
    """
    return f"{_BEGIN}{python}{_OR}{command_line}{_END}"


def option(name: str) -> str:
    """Return the name of an argument of the library, on the command line that of the option of the same name."""
    return either(name, f"--{name.replace('_', '-')}")


def _said(text: str, group: int) -> str:
    return re.sub(f"{_BEGIN}([^{_OR}]*){_OR}([^{_END}]*){_END}", lambda found: found.group(group), text)


class OnnxTfError(Exception):
    """Base class of every error that onnx_tf raises on purpose.

    Attributes:
        code: what kind of error it is, in a word that does not change; ``doc/errors.md`` lists all.
        marked: what is wrong and the next step, with both sayings where :func:`either` states two.
        step: the step of the conversion that failed; whoever runs the steps may set it later.
        node: the ONNX node's name.
        op: its operator, as in ``Conv``.
        domain: the operator's domain, ``""`` for ai.onnx.
        version: the opset version that the model imports for that domain.
        inputs: what the node was given, by the inputs' ONNX names, as in ``float32[?, 3]``.

    All but the code and the reason are ``None`` where they are not known.
    """

    code: ClassVar[str] = "error"
    next_step: ClassVar[str] = "the message says what to do"
    """What helps most often, with both sayings where :func:`either` states two."""

    def __init__(
        self,
        reason: str = "",
        *,
        advice: str | None = None,
        step: str | None = None,
        node: str | None = None,
        op: str | None = None,
        domain: str | None = None,
        version: int | None = None,
        inputs: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(_said(reason, 1))
        self.marked = reason
        self.own_advice = advice
        self.step = step
        self.node = node
        self.op = op
        self.domain = domain
        self.version = version
        self.inputs = None if inputs is None else dict(inputs)

    @property
    def reason(self) -> str:
        """What is wrong and the next step, in the words of Python."""
        return _said(self.marked, 1)

    @property
    def advice(self) -> str:
        """The next step, in the words of Python: of this error where it is known, else of errors of its code."""
        return _said(self.own_advice or self.next_step, 1)

    def text(self) -> str:
        """Return the message with both sayings of what :func:`either` states."""
        return self.marked

    def __str__(self) -> str:
        return _said(self.text(), 1)

    def for_command_line(self) -> str:
        """Return the message in the words of the command line, which speaks of its options."""
        return _said(self.text(), 2)

    def advice_for_command_line(self) -> str:
        """Return the next step in the words of the command line."""
        return _said(self.own_advice or self.next_step, 2)

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

    code = "invalid-model"
    next_step = "export the model again, with a newer exporter if there is one"


class FileError(ModelError):
    """A file of the model is missing, cannot be read, is cut short or holds something else."""

    code = "unreadable-file"
    next_step = "give the path of a whole .onnx file, with the files of its weights beside it"


class OptionError(OnnxTfError, ValueError):
    """An option has a value that does not exist, or that does not fit the model."""

    code = "invalid-option"
    next_step = either(
        "give the argument a value that the message names", "give the option a value that the message names"
    )


class EditError(OptionError):
    """A change of the model's inputs, outputs or shapes was asked for that does not fit the model."""

    code = "invalid-edit"
    next_step = "look for names and shapes with onnx-tf info"


class InputError(OnnxTfError, ValueError):
    """What was passed to ``run`` or to a check does not fit the model's inputs."""

    code = "invalid-input"
    next_step = "give arrays of the names, dtypes and shapes that onnx-tf info prints"


class ExportError(OnnxTfError, ValueError):
    """The model cannot be written as asked; nothing was written."""

    code = "export-refused"
    next_step = "write another format, or change the model where the message says"


class PathError(ExportError):
    """The path holds something else than what is to be written there, or must not be replaced."""

    code = "path-taken"
    next_step = either(
        "choose another path, or pass overwrite=True", "choose another path, or leave out --no-overwrite"
    )


class WriteError(ExportError, OSError):
    """The operating system refuses a file or folder: no access, no space, a wrong path."""

    code = "write-failed"
    next_step = "choose a folder with room and write access"


class CheckError(OnnxTfError):
    """A comparison with ONNX Runtime could not be made; if all was written, the message says where it lies."""

    code = "check-failed"
    next_step = "install ONNX Runtime, and give inputs that it takes, or leave the check out"


class CrashError(OnnxTfError):
    """The process that did the work was ended: by a library, or by the system."""

    code = "process-crashed"
    next_step = "try newer releases of TensorFlow, LiteRT and ONNX Runtime, and report the model"


class ProcessLimitError(OnnxTfError):
    """The process that did the work took more memory or time than it may, and was ended."""

    code = "process-limit"
    next_step = either("allow more with max_memory or timeout", "allow more with --max-memory or --timeout")


class NodeError(OnnxTfError):
    """An error whose text is made from its fields."""

    def text(self) -> str:
        """Return the message with both sayings of what :func:`either` states."""
        where = []
        if self.step is not None:
            where.append(f"step {self.step!r}")
        if self.node is not None:
            given = "" if self.inputs is None else ", ".join(f"{name}: {text}" for name, text in self.inputs.items())
            opset = f"{self.domain or 'ai.onnx'}.{self.op}, opset {self.version}"
            where.append(f"node {self.node!r} ({opset})" + f" with inputs [{given}]" * (self.inputs is not None))
        return f"{', '.join(where)}: {self.marked}" if where else self.marked


class ConversionError(NodeError):
    """A supported node could not be turned into TensorFlow operations."""

    code = "conversion-failed"
    next_step = "look at the attributes and the inputs of the node that the message names; onnx.checker may tell more"


class RunError(NodeError):
    """TensorFlow failed while it computed a converted model; the node is the one that it came to, if known."""

    code = "run-failed"
    next_step = "give inputs that fit what the node computes; rep.intermediate_values shows what came before it"


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

    code = "unsupported-node"
    next_step = "write functions for the operators (doc/adding_an_op.md), replace them in the model, or cut them off"

    def __init__(self, nodes: Sequence[UnsupportedNode], *, step: str | None = None) -> None:
        lines = "\n".join(f"  {node}" for node in nodes)
        count = "1 node" if len(nodes) == 1 else f"{len(nodes)} nodes"
        super().__init__(f"{count} cannot be converted:\n{lines}", step=step)
        self.nodes = tuple(replace(node, reason=_said(node.reason, 1)) for node in nodes)
        for node in self.nodes[:1]:
            self.node, self.op, self.domain, self.version = node.name, node.op_type, node.domain, node.version

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), (self.nodes,), self.__dict__)

    def fields(self) -> dict[str, Any]:
        """Return what is known of the error besides its text, ready for JSON."""
        return super().fields() | {"nodes": [vars(node) for node in self.nodes]}
