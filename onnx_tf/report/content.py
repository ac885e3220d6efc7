"""What a report tells, as values; pages and files of data are made of it."""

from __future__ import annotations

import collections
import importlib.metadata
import math
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnx_tf import __version__
from onnx_tf.edits import edit
from onnx_tf.layout.report import LayoutReport
from onnx_tf.model.loading import ModelSource, load_model
from onnx_tf.options import Options

if TYPE_CHECKING:
    from onnx_tf.artifacts import Written
    from onnx_tf.check.values import Values

__all__ = ["ModelFacts", "Report", "peak_memory", "versions"]

PACKAGES = ("tensorflow", "keras", "onnx", "onnx-ir", "onnxruntime", "ai-edge-litert", "numpy")


@dataclass(frozen=True)
class ModelFacts:
    """What is known of an ONNX model before it is converted, after edits.

    Attributes:
        name: the file's name, or the graph's.
        bytes: the size of the file, ``None`` of a model in memory.
        producer: what exported it, with its version.
        opsets: the opset version of each domain of which it has operators.
        operators: how often each operator is in it, bodies included, the most frequent first.
        weights: the size of all weights.
        parameters: how many numbers they are.
    """

    name: str
    bytes: int | None
    producer: str
    opsets: Mapping[str, int]
    operators: Mapping[str, int]
    weights: int
    parameters: int

    @classmethod
    def of(cls, source: ModelSource, options: Options) -> ModelFacts:
        """Return what is known of a model with its edits.

        Raises:
            OnnxTfError: the model is not valid, or an edit does not fit it.
        """
        model = edit(load_model(source), options)
        path = Path(source) if isinstance(source, (str, os.PathLike)) else None
        tensors = [v.const_value for graph in model.graphs() for v in graph.initializers.values() if v.const_value]
        counts = collections.Counter(
            f"{node.domain}.{node.op_type}" if node.domain else node.op_type for node in model.graph.all_nodes()
        )
        used = {node.domain for node in model.graph.all_nodes()} | {""}
        return cls(
            str(model.graph.name or "model") if path is None else path.name,
            None if path is None else path.stat().st_size,
            f"{model.producer_name or 'unknown'} {model.producer_version or ''}".strip(),
            {domain or "ai.onnx": version for domain, version in model.graph.opset_imports.items() if domain in used},
            dict(counts.most_common()),
            sum(tensor.nbytes for tensor in tensors),
            sum(math.prod(tensor.shape.numpy()) for tensor in tensors),
        )


@dataclass(frozen=True)
class Report:
    """All that a report tells.

    Attributes:
        model: the ONNX model.
        inputs: name, dtype, shape and order of each input, as JSON has them.
        outputs: likewise.
        artifacts: what was written, with its comparisons.
        values: the comparison of every value inside; ``None`` where it was not made.
        no_values: why it was not.
        layout: what the layout pass did.
        timings: how long each step took, by its name, in seconds.
        seconds: how long loading, converting and writing took.
        memory: the most memory that the process had so far, in bytes; ``None`` where the system does not tell.
        versions: of this package and those that it works with, and of the machine.
    """

    model: ModelFacts
    inputs: Sequence[Mapping[str, Any]]
    outputs: Sequence[Mapping[str, Any]]
    artifacts: Sequence[Written]
    values: Values | None
    no_values: str
    layout: LayoutReport
    timings: Mapping[str, float]
    seconds: float
    memory: int | None = field(default_factory=lambda: peak_memory())
    versions: Mapping[str, str] = field(default_factory=lambda: versions())


def peak_memory() -> int | None:
    """Return the most memory that this process had so far, in bytes; ``None`` where the system does not tell."""
    try:
        import resource
    except ImportError:  # on Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Return the versions of this package, of others that are installed, of Python and of the machine."""
    found = {"onnx-tf": __version__}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    return found | {"Python": platform.python_version(), "machine": machine}
