"""Whether a plan says what a conversion then does."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx

from onnx_tf import OnnxTfError, UnsupportedError, convert, plan
from onnx_tf.planning import PlannedArtifact

__all__ = ["FORMATS", "broken_promises"]

FORMATS: tuple[Any, ...] = ("saved_model", "tflite", "keras", "frozen_graph")
FACTOR, SLACK = 1.7, 20_000
"""How far off a size may be: a factor, and bytes that names, structures and the like may take besides."""


def broken_promises(model: onnx.ModelProto, formats: tuple[Any, ...] = FORMATS) -> Iterator[str]:
    """Yield where a conversion to each format does otherwise than the plan for all of them says.

    Args:
        model: the model with its weights.
        formats: those that are tried; of .tflite files float32.
    """
    planned = plan(model, formats=formats, tflite=["float32"] if "tflite" in formats else None)
    for artifact in planned.artifacts:
        with tempfile.TemporaryDirectory() as folder:
            yield from _broken(model, artifact, Path(folder))


def _broken(model: onnx.ModelProto, planned: PlannedArtifact, folder: Path) -> Iterator[str]:
    kinds = [planned.kind] if planned.kind else None
    try:
        (written,) = convert(model, folder, formats=[planned.format], tflite=kinds, check=False).artifacts
    except OnnxTfError as error:
        nodes = {node.name for node in error.nodes} if isinstance(error, UnsupportedError) else {error.node} - {None}
        if planned.fits:
            yield f"{planned.name} fits, and is refused: {error}"
        elif nodes != {node.name for node in planned.refused}:
            yield f"{planned.name} is refused for {[node.name for node in planned.refused]}, and then for {nodes}"
        return
    if not planned.fits:
        yield f"{planned.name} is refused ({planned.reason}), and can be written"
    elif not written.bytes / FACTOR - SLACK < planned.bytes < written.bytes * FACTOR + SLACK:
        yield f"{planned.name} has {written.bytes:,} bytes, not {planned.bytes:,}"
