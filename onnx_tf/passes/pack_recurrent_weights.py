"""Store the constant weights of RNN, GRU and LSTM in the order in which TensorFlow's kernels read them."""

from __future__ import annotations

from collections.abc import Collection

import onnx_ir as ir

from onnx_tf.origins import Transposed, change
from onnx_tf.passes.pack_weights import permuted
from onnx_tf.registry import PACKED_DOMAIN

_OPERATORS = ("RNN", "GRU", "LSTM")
_INPUTS = (1, 2)
"""The positions of W and R."""
_PERM = (0, 2, 1)


def pack_recurrent_weights(model: ir.Model) -> bool:
    """Move recurrent nodes to PACKED_DOMAIN, with constant weights [directions, input, gates]; return whether any did.

    A product of some rows and a transposed matrix takes Eigen up to five times as long as one that is not, and a walk
    over time consists of them. TensorFlow cannot fold the transposition of a variable. A node moves with both of its
    weights, and weights with all nodes that use them.
    """
    packed = {value: None for graph in model.graphs() for value in graph.initializers.values() if _is_weight(value)}
    while others := [value for value in packed if not all(_is_among(node, packed) for node, _ in value.uses())]:
        for value in others:
            del packed[value]
    nodes = {id(node): node for value in packed for node, _ in value.uses()}
    for value in packed:
        assert value.const_value is not None
        value.const_value = permuted(value.const_value, _PERM)
        value.shape = ir.Shape(value.const_value.shape.numpy())
        change(value, Transposed(_PERM))
    for node in nodes.values():
        node.domain = PACKED_DOMAIN
    return bool(packed)


def _is_weight(value: ir.Value) -> bool:
    tensor, uses = value.const_value, tuple(value.uses())
    if tensor is None or len(tensor.shape) != len(_PERM) or not uses:
        return False
    is_seen = value.is_graph_input() or value.is_graph_output()
    return not is_seen and all(n.domain == "" and n.op_type in _OPERATORS and i in _INPUTS for n, i in uses)


def _is_among(node: ir.Node, values: Collection[ir.Value]) -> bool:
    return all(node.inputs[index] in values for index in _INPUTS)
