"""Operator handlers by family; importing this package registers them all.

A handler sees tensors and attributes, never the graph (see ``onnx_tf.registry``).
"""

from onnx_tf.handlers import (
    elementwise,
    shaping,
)

__all__ = [
    "elementwise",
    "shaping",
]
