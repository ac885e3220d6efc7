"""Store the filters of convolutions in TensorFlow's order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from onnx_ir.convenience import replace_all_uses_with

from onnx_tf.registry import CHANNELS_LAST_DOMAIN, PACKED_DOMAIN

_FILTERS = {"Conv": 1, "ConvInteger": 1, "ConvTranspose": 1, "DeformConv": 1, "QLinearConv": 3}
"""Operators whose handlers in PACKED_DOMAIN take this input as spatial..., C/group, M."""


def pack_weights(model: ir.Model) -> bool:
    """Move convolutions with constant filters to PACKED_DOMAIN; return whether any was moved.

    TensorFlow cannot fold the transposition of a variable, so the initializer itself is permuted:
    one that convolutions share stays one, one that something else uses stays as it is. Runs after
    the layout is chosen; what is still channels-first becomes channels-last between Transposes.
    """
    packed = [_pack(value) for graph in model.graphs() for value in graph.initializers.values()]
    return any(packed)


def _pack(value: ir.Value) -> bool:
    tensor, uses = value.const_value, tuple(value.uses())
    if tensor is None or value.is_graph_input() or value.is_graph_output() or not uses:
        return False
    if len(tensor.shape) < 3 or not all(_is_filter(node, index) for node, index in uses):
        return False
    perm = [*range(2, len(tensor.shape)), 1, 0]
    value.const_value = _permuted(tensor, perm)
    value.shape = ir.Shape(value.const_value.shape.numpy())
    for node, _ in uses:
        if node.domain == "":
            _surround(node, len(perm))
        node.domain = PACKED_DOMAIN
    return True


def _is_filter(node: ir.Node, index: int) -> bool:
    return node.domain in ("", CHANNELS_LAST_DOMAIN) and _FILTERS.get(node.op_type) == index


def _permuted(tensor: ir.TensorProtocol, perm: Sequence[int]) -> ir.TensorProtocol:
    def permute() -> ir.TensorProtocol:
        array = np.ascontiguousarray(tensor.numpy().transpose(perm))
        if isinstance(tensor, ir.ExternalTensor):
            tensor.release()
        return ir.Tensor(array, dtype=tensor.dtype)

    # Lazy: a file's weights stay on disk until the variable is made.
    return ir.LazyTensor(
        permute, dtype=tensor.dtype, shape=ir.Shape([tensor.shape.numpy()[axis] for axis in perm]), name=tensor.name
    )


def _surround(node: ir.Node, rank: int) -> None:
    """Transpose the node's data to channels-last and its result back."""
    to_last, to_first = [0, *range(2, rank), 1], [0, rank - 1, *range(1, rank - 1)]
    data, result = node.inputs[0], node.outputs[0]
    assert data is not None
    before = _transpose(node, data, to_last, f"{node.name}_to_channels_last")
    before.outputs[0].name = f"{data.name}_to_{node.name}_channels_last"
    after = _transpose(node, result, to_first, f"{node.name}_to_channels_first")
    replace_all_uses_with(result, after.outputs[0], replace_graph_outputs=True)
    after.replace_input_with(0, result)
    after.outputs[0].name, result.name = result.name, f"{result.name}_channels_last"
    after.outputs[0].shape, result.shape = result.shape, _order(result.shape, to_last)
    node.replace_input_with(0, before.outputs[0])
    graph = node.graph
    assert graph is not None
    graph.insert_before(node, before)
    graph.insert_after(node, after)


def _transpose(conv: ir.Node, value: ir.Value, perm: Sequence[int], name: str) -> ir.Node:
    node = ir.node("Transpose", [value], {"perm": perm}, name=name, version=conv.version)
    node.outputs[0].type = value.type
    node.outputs[0].shape = _order(value.shape, perm)
    return node


def _order(shape: ir.Shape | None, perm: Sequence[int]) -> ir.Shape | None:
    # Shape inference gets the rank of a ConvTranspose with output_shape wrong.
    return None if shape is None or len(shape) != len(perm) else ir.Shape([shape[i] for i in perm])
