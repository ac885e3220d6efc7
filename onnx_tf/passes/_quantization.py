"""Quantisations as nodes: what passes ask of them, and how they make them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from onnx_ir.convenience import replace_all_uses_with

from onnx_tf.origins import hand_on, stand_for
from onnx_tf.passes._constants import add_constant

__all__ = ["BYTES", "dequantize", "is_linear", "quantize", "replace_results", "scalar", "with_result"]

BYTES = (ir.DataType.INT8, ir.DataType.UINT8)
_VERSION = 13
"""The opset version from which QuantizeLinear and DequantizeLinear know axes; none later changes these for bytes."""


def is_linear(node: ir.Node | None, op_type: str) -> bool:
    """Return whether a node is QuantizeLinear or DequantizeLinear, of ai.onnx."""
    return node is not None and (node.domain, node.op_type) == ("", op_type)


def scalar(value: ir.Value | None) -> np.ndarray | None:
    """Return the one element of a constant, ``None`` if it is no constant of one element."""
    tensor = None if value is None else value.const_value
    return tensor.numpy().reshape(()) if tensor is not None and tensor.size == 1 else None


def dequantize(
    node: ir.Node, value: ir.Value, scale: ir.Value, zero_point: ir.Value | None, axis: int | None = None
) -> ir.Value:
    """Return a value dequantised before a node that is to read it."""
    attributes = {} if axis is None else {"axis": axis}
    made = ir.node("DequantizeLinear", [value, scale, zero_point], attributes, version=_VERSION)
    return _entered(node, made, value, ir.DataType.FLOAT, before=True)


def quantize(
    node: ir.Node, value: ir.Value, scale: ir.Value, zero_point: ir.Value | None, dtype: ir.DataType
) -> ir.Value:
    """Return a value quantised behind the node that computes it."""
    assert node.graph is not None
    if zero_point is None:
        zero_point = add_constant(
            node.graph, f"{value.name}_zero_point", dtype, (), lambda: np.zeros((), dtype.numpy())
        )
    made = ir.node("QuantizeLinear", [value, scale, zero_point], version=_VERSION)
    return _entered(node, made, value, dtype, before=False)


def _entered(node: ir.Node, made: ir.Node, like: ir.Value, dtype: ir.DataType, *, before: bool) -> ir.Value:
    made.name = f"{node.name}_{made.op_type}"
    result = made.outputs[0]
    result.name, result.type, result.shape = f"{like.name}_{made.op_type}", ir.TensorType(dtype), like.shape
    stand_for(node, made)
    if before:
        node.prepend(made)
    else:
        node.append(made)
    return result


def with_result(node: ir.Node, made: ir.Node, like: ir.Value) -> ir.Value:
    """Enter a node that computes with floats in the place of another, and return its result.

    Args:
        node: the node that it stands for.
        made: the new node.
        like: the result of the other, whose shape it has.
    """
    return _entered(node, made, like, ir.DataType.FLOAT, before=False)


def replace_results(node: ir.Node, results: Sequence[ir.Value]) -> None:
    """Let new values be all that the first outputs of a node were, and take the node away."""
    for old, new in zip(node.outputs, results, strict=False):
        name = old.name
        hand_on(old, new)
        replace_all_uses_with(old, new, replace_graph_outputs=True)
        new.name, new.shape = name, old.shape
    assert node.graph is not None
    node.graph.remove(node, safe=True)
