"""Put Barriers where TensorFlow would merge operations into a kernel that is wrong or slow."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from onnx_tf.origins import stand_for
from onnx_tf.registry import BARRIER_DOMAIN, INTERNAL_DOMAINS
from onnx_tf.schema import int_attribute

__all__ = ["insert_barrier", "keep_apart"]

_SUMS = frozenset({"Add", "Sub", "Sum"})
"""What TensorFlow computes as a sum: x - (-y) is one to it."""

_SLOW = frozenset({"Add", "Clip", "Elu", "Mish", "Sigmoid", "Softplus", "Sum", "Swish"})
"""What makes oneDNN's two-dimensional convolutions several times as slow where filters are variables."""

_WRONG = frozenset({"LeakyRelu", "Max", "Mish", "Mul", "Softplus"})
"""What oneDNN's convolutions lose behind a sum: the slope of a LeakyRelu, also of one that is written
as Max(x, slope * x), and Mish, also where it is written out."""


def keep_apart(model: ir.Model) -> bool:
    """Insert Barriers behind convolutions; return whether there were any.

    Runs last: no other pass knows Barriers, and it takes the convolutions of INTERNAL_DOMAINS, which
    TensorFlow computes without Transposes between them and what follows. Those for speed alone say
    ``variables_only`` where the filters are an initializer: a frozen export makes it a constant.
    """
    separated = [_keep_apart(node) for graph in model.graphs() for node in list(graph) if _is_convolution(node)]
    if any(separated):
        model.opset_imports[BARRIER_DOMAIN] = 1
    return any(separated)


def _is_convolution(node: ir.Node) -> bool:
    # Groups become other operations, or several.
    return node.op_type == "Conv" and node.domain in INTERNAL_DOMAINS and int_attribute(node, "group") == 1


def _keep_apart(conv: ir.Node) -> bool:
    filters, result = conv.inputs[1], conv.outputs[0]
    assert filters is not None
    sums = [node.outputs[0] for node in _readers(result) if node.op_type in _SUMS]
    lossy = [total for total in dict.fromkeys(sums) if _is_read_by(total, _WRONG)]
    for total in lossy:
        insert_barrier(total)
    is_slow = (filters.shape is None or filters.shape.rank() == 4) and _is_read_by(result, _SLOW)
    if is_slow:
        insert_barrier(result, variables_only=filters.is_initializer() and not filters.is_graph_input())
    return bool(lossy) or is_slow


def _readers(value: ir.Value) -> Iterator[ir.Node]:
    """Yield the nodes that read a value, through Dropouts, which do nothing in a graph that serves."""
    for node, _ in value.uses():
        if node.op_type == "Dropout":
            yield from _readers(node.outputs[0])
        elif node.domain == "":
            yield node


def _is_read_by(value: ir.Value, op_types: frozenset[str]) -> bool:
    return any(node.op_type in op_types for node in _readers(value))


def insert_barrier(value: ir.Value, *, variables_only: bool = False) -> None:
    """Let all that read a value read it through a Barrier.

    Args:
        value: what a node computes.
        variables_only: whether a frozen export leaves it out.
    """
    producer, uses = value.producer(), tuple(value.uses())
    assert producer is not None
    node = ir.node("Barrier", [value], {"variables_only": int(variables_only)}, domain=BARRIER_DOMAIN, version=1)
    node.name = f"{producer.name}_barrier"
    apart = node.outputs[0]
    apart.name, apart.type, apart.shape = f"{value.name}_barrier", value.type, value.shape
    stand_for(producer, node)
    producer.append(node)
    for user, index in uses:
        user.replace_input_with(index, apart)
