"""Store constant weights in the order in which TensorFlow's kernels read them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from onnx_ir.convenience import replace_all_uses_with

from onnx_tf.origins import Transposed, change, hand_on, stand_for
from onnx_tf.registry import CHANNELS_LAST_DOMAIN, PACKED_DOMAIN
from onnx_tf.schema import int_attribute, optional_int_attribute

_FILTERS = {"Conv": 1, "ConvInteger": 1, "ConvTranspose": 1, "DeformConv": 1, "QLinearConv": 3}
"""Operators whose handlers in PACKED_DOMAIN take this input as spatial..., C/group, M."""


def pack_weights(model: ir.Model) -> bool:
    """Permute the constant weights of convolutions and of Gemms; return whether there were any.

    TensorFlow cannot fold the transposition of a variable, so the initializer itself is permuted:
    one that several nodes use alike stays one, one that something else uses stays as it is. A
    DequantizeLinear between the initializer and its users is permuted with it.

    - Convolutions move to PACKED_DOMAIN. Runs after the layout is chosen; what is still
      channels-first becomes channels-last between Transposes.
    - A Gemm with transB multiplies by the matrix as it is stored: a single row by a transposed
      matrix takes TensorFlow several times as long.
    """
    packed = [_pack(value) for graph in model.graphs() for value in list(graph.initializers.values())]
    return any(packed)


def _pack(value: ir.Value) -> bool:
    tensor, uses = value.const_value, tuple(value.uses())
    if tensor is None or value.is_graph_input() or value.is_graph_output() or not uses:
        return False
    rank = len(tensor.shape)
    dequantized = _dequantized(value) if rank > 1 else None
    if dequantized is not None:
        uses = tuple(dequantized.uses())
    if rank > 2 and all(_is_filter(node, index) for node, index in uses):
        perm = [*range(2, rank), 1, 0]
    elif rank == 2 and all(_is_transposed_matrix(node, index) for node, index in uses):
        perm = [1, 0]
    else:
        return False
    value.const_value = permuted(tensor, perm)
    value.shape = ir.Shape(value.const_value.shape.numpy())
    change(value, Transposed(tuple(perm)))
    if dequantized is not None:
        _permute_dequantized(dequantized, perm)
    for node, _ in uses:
        if rank == 2:
            node.attributes["transB"] = ir.AttrInt64("transB", 0)
            continue
        if node.domain == "":
            _surround(node, rank)
        node.domain = PACKED_DOMAIN
    return True


def _is_filter(node: ir.Node, index: int) -> bool:
    return node.domain in ("", CHANNELS_LAST_DOMAIN) and _FILTERS.get(node.op_type) == index


def _is_transposed_matrix(node: ir.Node, index: int) -> bool:
    return (node.domain, node.op_type, index) == ("", "Gemm", 1) and bool(int_attribute(node, "transB"))


def _dequantized(value: ir.Value) -> ir.Value | None:
    """Return what weights are once dequantised, if that is all that they are used for."""
    uses = tuple(value.uses())
    node, index = uses[0]
    if len(uses) != 1 or index != 0 or (node.domain, node.op_type) != ("", "DequantizeLinear"):
        return None
    result = node.outputs[0]
    # Blocks of elements along an axis have scales of the same rank.
    has_blocks = bool(optional_int_attribute(node, "block_size"))
    in_scope = all(user.graph is node.graph for user, _ in result.uses())
    return result if result.uses() and not result.is_graph_output() and in_scope and not has_blocks else None


def _permute_dequantized(result: ir.Value, perm: Sequence[int]) -> None:
    node = result.producer()
    assert node is not None
    if (node.version or 1) >= 13:
        axis = int_attribute(node, "axis") % len(perm)
        node.attributes["axis"] = ir.AttrInt64("axis", perm.index(axis))
    result.shape = _order(result.shape, perm)
    change(result, Transposed(tuple(perm)))


def permuted(tensor: ir.TensorProtocol, perm: Sequence[int]) -> ir.TensorProtocol:
    """Return a tensor with its axes in another order, which is made when it is read."""

    def permute() -> ir.TensorProtocol:
        array = tensor.numpy().transpose(perm)  # a view: who takes it copies it
        if isinstance(tensor, ir.ExternalTensor):
            array = np.ascontiguousarray(array)
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
    stand_for(node, before, after)
    hand_on(result, after.outputs[0])
    change(result, Transposed(tuple(to_last)))
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
