"""Write products of two computed matrices as a batch of one.

TensorFlow's converter takes a product of matrices for a dense layer, gives that the ReLU or the clip that
follows, and then makes a plain product of it again where both matrices are computed: the ReLU is lost
without a word (TensorFlow 2.21). Products of batches never were dense layers.
"""

from __future__ import annotations

import functools

import numpy as np
import onnx_ir as ir
from onnx_ir.convenience import replace_all_uses_with

from onnx_tf.origins import hand_on, stand_for
from onnx_tf.passes._constants import add_constant
from onnx_tf.schema import string_attribute

__all__ = ["batch_products"]

_VERSION = 13
"""The opset version from which Unsqueeze and Squeeze take the axes as an input."""


def batch_products(model: ir.Model) -> bool:
    """Add an axis to the operands of MatMul and Einsum where it is needed; return whether it was anywhere."""
    constants = _constants(model)
    changed = [_batch(node, constants) for graph in model.graphs() for node in list(graph)]
    return any(changed)


def _batch(node: ir.Node, constants: set[ir.Value]) -> bool:
    if node.domain != "" or len(node.inputs) != 2:
        return False
    if any(i is None or i.const_value is not None or i in constants for i in node.inputs):
        return False
    ranks = [i.shape.rank() if i is not None and i.shape is not None else None for i in node.inputs]
    if node.op_type == "MatMul" and ranks[0] is not None and ranks[1] in (1, 2):
        _batch_product(node, ranks[0], ranks[1])
        return True
    if node.op_type == "Einsum" and _is_product_of_matrices(string_attribute(node, "equation")):
        _batch_einsum(node)
        return True
    return False


def _constants(model: ir.Model) -> set[ir.Value]:
    """Return the values that are computed from constants alone."""
    found: set[ir.Value] = set()
    for node in model.graph.all_nodes():
        if node.inputs and all(i is None or i.const_value is not None or i in found for i in node.inputs):
            found.update(node.outputs)
    return found


def _batch_product(node: ir.Node, rank: int, other: int) -> None:
    """Make the operands batches; where one is a vector or both are matrices the new axes are taken away again."""
    added = [axis for axis, is_new in ((0, rank < 3), (1, rank == 1)) if is_new]
    if added:
        _unsqueeze(node, 0, [0, 1] if rank == 1 else [0])
    _unsqueeze(node, 1, [0, 2] if other == 1 else [0])
    lost = [*added, *([-1] if other == 1 else [])]
    if lost:
        _squeeze(node, lost)


def _is_product_of_matrices(equation: str) -> bool:
    """Return whether no letter runs through both operands and the result, as an axis of a batch does."""
    given, arrow, result = equation.replace(" ", "").partition("->")
    terms = given.split(",")
    return bool(arrow) and len(terms) == 2 and "." not in equation and not set(terms[0]) & set(terms[1]) & set(result)


def _batch_einsum(node: ir.Node) -> None:
    equation = string_attribute(node, "equation").replace(" ", "")
    letter = next(chr(code) for code in range(ord("a"), ord("z") + 1) if chr(code) not in equation)
    left, right, result = equation.replace("->", ",").split(",")
    batched = f"{letter}{left},{letter}{right}->{letter}{result}"
    node.attributes["equation"] = ir.AttrString("equation", batched)
    _unsqueeze(node, 0, [0])
    _unsqueeze(node, 1, [0])
    _squeeze(node, [0])


def _unsqueeze(node: ir.Node, index: int, axes: list[int]) -> None:
    value = node.inputs[index]
    assert value is not None
    new = _reshaping("Unsqueeze", node, value, axes)
    if value.shape is not None:
        dims = list(value.shape)
        for axis in axes:
            dims.insert(axis, 1)
        new.outputs[0].shape = ir.Shape(dims)
    node.prepend(new)
    node.replace_input_with(index, new.outputs[0])


def _squeeze(node: ir.Node, axes: list[int]) -> None:
    old = node.outputs[0]
    inner = ir.Value(name=f"{old.name}_batch", type=old.type)
    product = ir.Node(
        node.domain, node.op_type, list(node.inputs), list(node.attributes.values()), outputs=[inner],
        version=node.version, name=node.name,
    )  # fmt: skip
    stand_for(node, product)
    node.append(product)
    squeeze = _reshaping("Squeeze", node, inner, axes)
    product.append(squeeze)
    result, name = squeeze.outputs[0], old.name
    result.shape = old.shape
    hand_on(old, result)
    replace_all_uses_with(old, result, replace_graph_outputs=True)
    assert node.graph is not None
    node.graph.remove(node, safe=True)
    result.name = name


def _reshaping(op_type: str, node: ir.Node, value: ir.Value, axes: list[int]) -> ir.Node:
    assert node.graph is not None
    compute = functools.partial(np.array, axes, np.int64)
    constant = add_constant(node.graph, f"{node.name}_axes", ir.DataType.INT64, (len(axes),), compute)
    new = ir.Node("", op_type, [value, constant], version=_VERSION, name=f"{node.name}_{op_type}")
    new.outputs[0].type = value.type
    stand_for(node, new)
    return new
