"""What TensorFlow's graph optimiser may not merge."""

from __future__ import annotations

import tensorflow as tf
from tensorflow.core.framework.attr_value_pb2 import AttrValue


def kept(x: tf.Tensor) -> tf.Tensor:
    """Return a tensor of any dtype and shape as a node of its own in the optimised graph.

    It is an Identity that grappler is told to preserve, through which its ``remapper.cc`` does not look. To
    whatever else reads the graph it is an Identity like any other.
    """
    if not tf.is_symbolic_tensor(x):
        return x
    y = tf.identity(x)
    y.op._set_attr("_grappler_do_not_remove", AttrValue(b=True))
    return y
