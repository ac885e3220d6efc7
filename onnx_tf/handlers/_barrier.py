"""What TensorFlow's graph optimiser may not merge."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
from tensorflow.core.framework.attr_value_pb2 import AttrValue

from onnx_tf.handlers._tensors import Dim, reshaped


def kept(x: tf.Tensor) -> tf.Tensor:
    """Return a tensor of any dtype and shape as a node of its own in the optimised graph.

    It is an Identity that grappler is told to preserve, through which its ``remapper.cc`` does not look. To
    whatever else reads the graph it is an Identity like any other.
    """
    if not tf.is_symbolic_tensor(x):
        return x
    return _as_it_is(tf.identity(x))


def of_shape(x: tf.Tensor, dims: Sequence[Dim]) -> tf.Tensor:
    """Return a tensor reshaped, also where its shape is the same as far as TensorFlow knows."""
    y = reshaped(x, dims)
    return _as_it_is(y) if tf.is_symbolic_tensor(y) else y


def _as_it_is(y: tf.Tensor) -> tf.Tensor:
    y.op._set_attr("_grappler_do_not_remove", AttrValue(b=True))
    return y
