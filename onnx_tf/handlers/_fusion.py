"""Keep TensorFlow from merging operations whose merged kernel is slower."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

_BARRIER = "PlaceholderWithDefault"


def apart(x: Any) -> Any:
    """Return ``x`` so that what is computed from it does not become one kernel with a convolution that gives it.

    oneDNN's convolution by variable filters is up to eight times as slow with a sum, a clip, an exponential
    or a gate merged into it, and nothing is lost without (``doc/layout.md``). A Relu costs nothing there: it
    stays merged.
    """
    if not tf.is_symbolic_tensor(x):
        return x
    operation = x.op.inputs[0].op if x.op.type == "BiasAdd" else x.op
    return tf.compat.v1.placeholder_with_default(x, x.shape) if operation.type == "Conv2D" else x


def merge_again(node: tf.compat.v1.NodeDef) -> bool:
    """Undo :func:`apart` in a graph whose filters are constants; return whether this node was one of its."""
    if node.op != _BARRIER:
        return False
    node.op = "Identity"
    node.attr["T"].CopyFrom(node.attr.pop("dtype"))
    del node.attr["shape"]
    return True
