"""Refuse to compute what this machine has no memory for: TensorFlow ends the process where it gets none."""

from __future__ import annotations

import os

from onnx_tf.errors import RunError
from onnx_tf.runtime.graph import BoundGraph

__all__ = ["check_memory"]


def check_memory(graph: BoundGraph) -> None:
    """Check that the largest value of a graph fits into the memory of this machine.

    Raises:
        RunError: it does not.
    """
    largest, available = graph.largest, _memory()
    if largest is not None and available is not None and largest.size > available:
        raise RunError(
            f"node {largest.node!r} computes {largest.label!r} of shape {list(largest.shape)}, which takes "
            f"{largest.size} bytes: this machine has {available}; run it on a larger one, or with smaller shapes",
        )


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # as on Windows
        return None
