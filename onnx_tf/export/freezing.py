"""Functions whose variables are constants."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from onnx_tf.handlers._fusion import merge_again


def frozen_function(function: Any) -> Any:
    """Return a concrete function with the variables of another as constants.

    Args:
        function: a concrete function.

    Returns:
        a function of the flat inputs that returns the flat outputs.
    """
    frozen = convert_variables_to_constants_v2(function)
    definition = frozen.graph.as_graph_def()
    bodies = [definition.node, *(body.node_def for body in definition.library.function)]
    if not sum(merge_again(node) for nodes in bodies for node in nodes):
        return frozen
    merged = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(definition, name=""), [])
    inputs, outputs = (
        [merged.graph.get_tensor_by_name(tensor.name) for tensor in tensors]
        for tensors in (frozen.inputs, frozen.outputs)
    )
    return merged.prune(inputs, outputs)
