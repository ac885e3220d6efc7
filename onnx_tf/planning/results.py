"""What a plan tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from onnx_tf.errors import OnnxTfError, UnsupportedError, UnsupportedNode
from onnx_tf.export.paths import Format

__all__ = ["Approximation", "Plan", "PlannedArtifact"]


@dataclass(frozen=True)
class Approximation:
    """What is not computed exactly as the model says.

    Attributes:
        reason: what is done instead.
        nodes: the ONNX nodes or initializers that it concerns; none where it concerns all.
    """

    reason: str
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlannedArtifact:
    """What would become of one artefact.

    Attributes:
        format: what it is.
        kind: of .tflite files, in which precision; empty for others.
        error: why it would be refused; ``None`` where it can be written.
        flex: the nodes of a .tflite file that TensorFlow's Flex delegate would compute.
        custom: those that would be custom operators.
        elsewhere: those that a target leaves to something else, as Ethos-U does to the CPU.
        approximated: what would not be computed exactly.
        changes: how its signature differs from the model's, a sentence each.
        inputs: name, dtype and shape of each input, as JSON has them.
        outputs: likewise.
        bytes: about how large it would be.
        memory: about how much memory a run takes, weights included and open dimensions counted as 1.
        unknown: what only the conversion itself can tell, a sentence each.
    """

    format: Format
    kind: str = ""
    error: OnnxTfError | None = None
    flex: tuple[UnsupportedNode, ...] = ()
    custom: tuple[UnsupportedNode, ...] = ()
    elsewhere: tuple[UnsupportedNode, ...] = ()
    approximated: tuple[Approximation, ...] = ()
    changes: tuple[str, ...] = ()
    inputs: tuple[dict[str, Any], ...] = ()
    outputs: tuple[dict[str, Any], ...] = ()
    bytes: int | None = None
    memory: int | None = None
    unknown: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether it can be written."""
        return self.error is None

    @property
    def name(self) -> str:
        """What messages call it, as in ``tflite (float16)``."""
        return f"{self.format} ({self.kind})" if self.kind else self.format

    @property
    def reason(self) -> str:
        """Why it would be refused; empty where it can be written."""
        return "" if self.error is None else str(self.error)

    @property
    def refused(self) -> tuple[UnsupportedNode, ...]:
        """The nodes for which it would be refused."""
        error = self.error
        if isinstance(error, UnsupportedError):
            return error.nodes
        if error is None or error.node is None:
            return ()
        return (UnsupportedNode(error.node, error.op or "", error.domain or "", error.version, str(error)),)


@dataclass(frozen=True)
class Plan:
    """What a conversion would do.

    Attributes:
        artifacts: each of what was asked for, in the order in which it would be written.
        weights: how many bytes of weights the ONNX model has.
        seconds: how long it took to find out.
    """

    artifacts: tuple[PlannedArtifact, ...]
    weights: int
    seconds: float = field(default=0.0, compare=False)

    @property
    def fits(self) -> bool:
        """Whether all of it can be written."""
        return all(artifact.fits for artifact in self.artifacts)
