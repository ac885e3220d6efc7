"""Join products by a constant matrix with the constant vector that is added: what Keras calls Dense."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.convenience import replace_all_uses_with

from onnx_tf.origins import hand_on, stand_for
from onnx_tf.registry import DENSE_DOMAIN

__all__ = ["join_biases"]


def join_biases(model: ir.Model) -> bool:
    """Make one Dense node of a MatMul by a constant matrix and an Add of a constant vector; return whether any was.

    Nothing else reads the product.
    """
    joined = [_join(node) for graph in model.graphs() for node in list(graph)]
    return any(joined)


def _join(node: ir.Node) -> bool:
    if (node.domain, node.op_type) != ("", "MatMul"):
        return False
    left, right = node.inputs
    product = node.outputs[0]
    uses = list(product.uses())
    if left is None or right is None or left.const_value is not None or right.const_value is None:
        return False
    if len(right.const_value.shape) != 2 or len(uses) != 1 or product.is_graph_output():
        return False
    adding = uses[0].node
    if (adding.domain, adding.op_type, adding.graph) != ("", "Add", node.graph) or left.shape is None:
        return False
    bias = adding.inputs[1] if adding.inputs[0] is product else adding.inputs[0]
    tensor = None if bias is None else bias.const_value
    if tensor is None or list(tensor.shape) != [right.const_value.shape[1]] or left.shape.rank() < 2:
        return False
    made = ir.Node(DENSE_DOMAIN, "Dense", [left, right, bias], version=1, name=node.name)
    old, result, name = adding.outputs[0], made.outputs[0], adding.outputs[0].name
    result.type, result.shape = old.type, old.shape
    stand_for(node, made)
    hand_on(old, result)
    adding.append(made)
    replace_all_uses_with(old, result, replace_graph_outputs=True)
    assert node.graph is not None
    node.graph.remove([adding, node], safe=True)
    result.name = name
    return True
