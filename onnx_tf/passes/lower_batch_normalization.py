"""Write what a BatchNormalization computes for inference as one product and one sum."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
from onnx_ir.convenience import replace_all_uses_with

from onnx_tf.origins import hand_on, stand_for
from onnx_tf.passes._constants import add_constant
from onnx_tf.schema import float_attribute, optional_int_attribute

_FLOATS = (ir.DataType.FLOAT, ir.DataType.DOUBLE)


def lower_batch_normalization(model: ir.Model) -> bool:
    """Replace BatchNormalizations with constant statistics by Mul and Add; return whether there were any.

    For inference, and for those that :func:`fold_batch_normalization` leaves: TensorFlow takes three
    passes over the data of each, and Mul and Add lie in any memory order.
    """
    lowered = [_lower(node) for graph in model.graphs() for node in list(graph)]
    return any(lowered)


def _lower(node: ir.Node) -> bool:
    if node.domain != "" or node.op_type != "BatchNormalization" or len(node.outputs) != 1 or len(node.inputs) != 5:
        return False
    # Until opset 6 a node trains unless it says that it tests, and Mul and Add broadcast otherwise.
    if optional_int_attribute(node, "training_mode") or (node.version or 1) < 7:
        return False
    source, *rest = node.inputs
    parameters = [value.const_value for value in rest if value is not None]
    tensors = [tensor for tensor in parameters if tensor is not None and tensor.dtype in _FLOATS]
    if source is None or source.shape is None or source.shape.rank() < 2 or len(tensors) != 4:
        return False
    if len({tensor.dtype for tensor in tensors} | {source.dtype}) != 1 or optional_int_attribute(node, "spatial") == 0:
        return False
    epsilon = float_attribute(node, "epsilon")

    def factor() -> np.ndarray:
        return _wide(tensors[0]) / np.sqrt(_wide(tensors[3]) + epsilon)

    def offset() -> np.ndarray:
        return _wide(tensors[1]) - _wide(tensors[2]) * factor()

    _replace(node, source, {"Mul": ("factor", factor), "Add": ("offset", offset)}, tensors[0])
    return True


def _wide(tensor: ir.TensorProtocol) -> np.ndarray:
    return tensor.numpy().astype(np.float64)


def _replace(
    node: ir.Node,
    value: ir.Value,
    steps: dict[str, tuple[str, Callable[[], np.ndarray]]],
    like: ir.TensorProtocol,
) -> None:
    graph, result = node.graph, node.outputs[0]
    assert graph is not None
    assert value.shape is not None
    shape = ir.Shape([*like.shape, *[1] * (value.shape.rank() - 2)])
    name = result.name
    for op_type, (hint, compute) in steps.items():
        constant = add_constant(graph, f"{name}_{hint}", like.dtype, shape.numpy(), compute)
        made = ir.node(op_type, [value, constant], name=f"{node.name}_{op_type}", version=node.version)
        value = made.outputs[0]
        value.type, value.shape, value.name = result.type, result.shape, f"{name}_{op_type}"
        stand_for(node, made)
        node.prepend(made)
    hand_on(result, value)
    replace_all_uses_with(result, value, replace_graph_outputs=True)
    graph.remove(node, safe=True)
    value.name = name
