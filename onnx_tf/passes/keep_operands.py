"""Keep the converter of .tflite files from exchanging the operands of differences and quotients."""

from __future__ import annotations

import onnx_ir as ir

from onnx_tf.origins import stand_for

__all__ = ["keep_operands"]


def keep_operands(model: ir.Model) -> bool:
    """Put a Max of a value with itself between Transposes and what subtracts from or divides a number.

    The converter moves a Transpose behind such a node, and makes ``x - 1`` of ``1 - x`` on the way. Runs last:
    the layout adds Transposes.
    """
    nodes = [node for graph in model.graphs() for node in list(graph) if _is_exchanged(node)]
    for node in nodes:
        _insert(node, len(node.inputs) - 1)
    return bool(nodes)


def _is_exchanged(node: ir.Node) -> bool:
    if node.domain != "" or node.op_type not in ("Div", "Reciprocal", "Sub"):
        return False
    *numbers, last = node.inputs
    producer = None if last is None else last.producer()
    is_moved = producer is not None and (producer.domain, producer.op_type) == ("", "Transpose")
    tensors = [None if value is None else value.const_value for value in numbers]
    return is_moved and all(tensor is not None and tensor.size == 1 for tensor in tensors)


def _insert(node: ir.Node, index: int) -> None:
    value = node.inputs[index]
    assert value is not None
    same = ir.node("Max", [value, value], version=max(node.version or 1, 13), name=f"{node.name}_operand")
    result = same.outputs[0]
    result.name, result.type, result.shape = f"{value.name}_kept", value.type, value.shape
    stand_for(node, same)
    node.prepend(same)
    node.replace_input_with(index, result)
