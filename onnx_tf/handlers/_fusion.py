"""Keep TensorFlow from merging operations whose merged kernel is slower."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def apart(x: Any) -> Any:
    """Return ``x`` so that what is computed from it does not become one kernel with a convolution that gives it.

    oneDNN's convolution by variable filters is up to ten times as slow with a sum, a clip, an exponential
    or a gate merged into it (``doc/layout.md``). A Relu costs nothing there, and no filters that are constants
    cost anything: these stay merged.
    """
    if not tf.is_symbolic_tensor(x):
        return x
    operation = x.op.inputs[0].op if x.op.type == "BiasAdd" else x.op
    is_slow = operation.type == "Conv2D" and operation.inputs[1].op.type != "Const"
    return tf.compat.v1.placeholder_with_default(x, x.shape) if is_slow else x
