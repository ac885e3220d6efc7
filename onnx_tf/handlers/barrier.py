"""What TensorFlow's graph optimiser may not merge."""

from __future__ import annotations

import tensorflow as tf
from tensorflow.core.framework.attr_value_pb2 import AttrValue

from onnx_tf.registry import BARRIER_DOMAIN, onnx_op


@onnx_op("Barrier", domain=BARRIER_DOMAIN)
def barrier(x, *, variables_only, context):
    """Return ``x``, of any shape and dtype, as a node of its own in the optimised graph.

    An Identity that grappler is told to keep, which is how ``remapper.cc`` sees that it may not look through it.
    Whatever else reads the graph takes it for the Identity that it is.
    """
    if not tf.is_symbolic_tensor(x) or (variables_only and context.frozen):
        return x
    kept = tf.identity(x)
    kept.op._set_attr("_grappler_do_not_remove", AttrValue(b=True))
    return kept
