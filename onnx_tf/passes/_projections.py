"""Products by constant matrices, and what attention has around them."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from onnx_tf.passes._sizes import Size
from onnx_tf.passes._views import Part, View, dims_of, view_of
from onnx_tf.schema import float_attribute, int_attribute

__all__ = [
    "FEATURES",
    "Product",
    "is_vector",
    "length_of",
    "number_of",
    "only_reader",
    "operands_of",
    "producer_of",
    "product_of",
    "scaled",
]

FEATURES = 2
"""The last axis of what is projected, behind two others: batch and time in either order."""


@dataclass(frozen=True)
class Product:
    """A product by a constant matrix, with a constant vector added or not.

    Attributes:
        source: what is multiplied, of three axes.
        kernel: the matrix.
        transposed: whether it is outputs, inputs.
        bias: the vector.
        view: the result, as the first two axes of ``source`` and the outputs.
        nodes: what computes it.
    """

    source: ir.Value
    kernel: ir.Value
    transposed: bool
    bias: ir.Value | None
    view: View
    nodes: tuple[ir.Node, ...]


def producer_of(value: ir.Value | None, *kinds: str) -> ir.Node | None:
    """Return the node that gives a value, if it is one of these standard operators."""
    node = None if value is None else value.producer()
    return node if node is not None and node.domain == "" and node.op_type in kinds else None


def number_of(value: ir.Value | None) -> float | None:
    """Return a constant of one element."""
    tensor = None if value is None else value.const_value
    return None if tensor is None or tensor.size != 1 else float(tensor.numpy().reshape(-1)[0])


def only_reader(value: ir.Value) -> ir.Node | None:
    """Return the one node that reads a value, besides those that read its shape."""
    uses = [use for use in value.uses() if use.node.op_type != "Shape"]
    return uses[0].node if len(uses) == 1 and not value.is_graph_output() else None


def scaled(node: ir.Node | None) -> tuple[ir.Value, float] | None:
    """Return what a node multiplies or divides by a number, and by how much it gets larger."""
    if node is None or node.domain != "" or node.op_type not in ("Mul", "Div"):
        return None
    left, right = node.inputs
    number = number_of(right)
    if number and left is not None and left.const_value is None:
        return left, number if node.op_type == "Mul" else 1 / number
    number = number_of(left)
    return (right, number) if number and node.op_type == "Mul" and right is not None else None


def product_of(value: ir.Value) -> Product | None:
    """Return the product that a value is; one of rows that were two axes before is one of these."""
    adding, bias = producer_of(value, "Add"), None
    product: ir.Value | None = value
    if adding is not None:
        product, bias = adding.inputs
        if bias is None or bias.const_value is None:
            product, bias = bias, product
    node = producer_of(product, "MatMul", "Gemm")
    parts = None if node is None else operands_of(node)
    if node is None or parts is None:
        return None
    source, kernel, transposed, own_bias = parts
    outputs = length_of(kernel, 0 if transposed else 1)
    whole = _of_three_axes(source)
    biases = [each for each in (own_bias, bias) if each is not None]
    if whole is None or len(biases) > 1 or not all(is_vector(each, outputs) for each in biases):
        return None
    three, view = whole
    view = View((*view.axes, (Part(FEATURES, Size(outputs)),)))
    return Product(three, kernel, transposed, own_bias or bias, view, (node, *([adding] if adding else [])))


def operands_of(node: ir.Node) -> tuple[ir.Value, ir.Value, bool, ir.Value | None] | None:
    """Return what a MatMul or Gemm multiplies by which matrix, whether that is transposed, and what is added."""
    source, kernel = node.inputs[:2]
    if source is None or kernel is None or kernel.const_value is None or len(kernel.const_value.shape) != 2:
        return None
    if not kernel.const_value.dtype.is_floating_point():
        return None
    if node.op_type == "MatMul":
        return source, kernel, False, None
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    is_plain = float_attribute(node, "alpha") == float_attribute(node, "beta") == 1
    if not is_plain or int_attribute(node, "transA") or (bias is not None and bias.const_value is None):
        return None
    return source, kernel, bool(int_attribute(node, "transB")), bias


def length_of(kernel: ir.Value, axis: int) -> int:
    """Return a dimension of a constant."""
    assert kernel.const_value is not None
    return int(kernel.const_value.shape[axis])  # type: ignore[arg-type]


def _of_three_axes(source: ir.Value) -> tuple[ir.Value, View] | None:
    """Return a tensor of three axes of which a source has the first two, and what its own first ones are of these."""
    dims = dims_of(source)
    if dims is None or len(dims) not in (2, 3):
        return None
    if len(dims) == 3:
        return source, view_of(dims[:2])
    reshaping = producer_of(source, "Reshape")
    before = None if reshaping is None else dims_of(reshaping.inputs[0])
    if reshaping is None or before is None or len(before) != 3 or before[2] != dims[1]:
        return None
    parts = [part for axis in view_of(before[:2]).axes for part in axis]
    assert reshaping.inputs[0] is not None
    return reshaping.inputs[0], View((tuple(parts),))


def is_vector(value: ir.Value, length: int) -> bool:
    """Tell whether a value is a constant vector of a length."""
    tensor = value.const_value
    return tensor is not None and list(tensor.shape) == [length]
