"""Keep TensorFlow from merging operations whose merged kernel is slower or wrong."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def apart(x: Any, *, is_sum: bool = False) -> Any:
    """Return ``x`` so that what is computed from it does not become one kernel with a convolution that gives it.

    With a sum merged into it oneDNN's convolution gave wrong numbers (a network of residual blocks differed by
    0.6 of its output's scale), and by variable filters it is up to ten times as slow with a sum, a clip, an
    exponential or a gate (``doc/layout.md``). A Relu is right and costs nothing: it stays merged, as does all but
    a sum where the filters are constants.
    """
    if not tf.is_symbolic_tensor(x):
        return x
    operation = x.op.inputs[0].op if x.op.type == "BiasAdd" else x.op
    merges = operation.type == "Conv2D" and (is_sum or operation.inputs[1].op.type != "Const")
    return tf.compat.v1.placeholder_with_default(x, x.shape) if merges else x
