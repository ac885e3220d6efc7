"""Put Barriers where TensorFlow would merge operations into a kernel that is slow."""

from __future__ import annotations

import onnx_ir as ir

from onnx_tf.passes.keep_apart import convolutions, insert_barrier, is_read_by
from onnx_tf.registry import BARRIER_DOMAIN

__all__ = ["keep_unfused"]

_SLOW = frozenset({"Add", "Clip", "Elu", "Mish", "Sigmoid", "Softplus", "Sum", "Swish"})
"""What makes oneDNN's two-dimensional convolutions several times as slow where filters are variables."""


def keep_unfused(model: ir.Model) -> bool:
    """Insert Barriers behind convolutions; return whether there were any.

    They say ``variables_only`` where the filters are an initializer: a frozen export makes it a constant.
    """
    found = [conv for conv in convolutions(model) if _has_planes(conv) and is_read_by(conv.outputs[0], _SLOW)]
    for conv in found:
        filters = conv.inputs[1]
        assert filters is not None
        are_weights = filters.is_initializer() and not filters.is_graph_input()
        insert_barrier(conv.outputs[0], variables_only=are_weights)
    if found:
        model.opset_imports[BARRIER_DOMAIN] = 1
    return bool(found)


def _has_planes(conv: ir.Node) -> bool:
    filters = conv.inputs[1]
    return filters is not None and (filters.shape is None or filters.shape.rank() == 4)
