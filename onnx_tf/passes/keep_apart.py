"""Put Barriers where TensorFlow would merge operations into a kernel that is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx_ir as ir

from onnx_tf.origins import stand_for
from onnx_tf.registry import BARRIER_DOMAIN, INTERNAL_DOMAINS
from onnx_tf.schema import int_attribute

__all__ = ["convolutions", "insert_barrier", "is_read_by", "keep_apart"]

_SUMS = frozenset({"Add", "Sub", "Sum"})
"""What TensorFlow computes as a sum: x - (-y) is one to it."""

_WRONG = frozenset({"LeakyRelu", "Max", "Mish", "Mul", "Softplus"})
"""What oneDNN's convolutions lose behind a sum: the slope of a LeakyRelu, also of one that is written
as Max(x, slope * x), and Mish, also where it is written out."""


def keep_apart(model: ir.Model) -> bool:
    """Insert Barriers behind sums over convolutions; return whether there were any.

    Runs behind what knows no Barriers. Takes the convolutions of INTERNAL_DOMAINS, which TensorFlow computes without
    Transposes between them and what follows.
    """
    sums = dict.fromkeys(total for conv in convolutions(model) for total in _lossy_sums(conv.outputs[0]))
    for total in sums:
        insert_barrier(total)
    if sums:
        model.opset_imports[BARRIER_DOMAIN] = 1
    return bool(sums)


def _lossy_sums(result: ir.Value) -> Iterable[ir.Value]:
    sums = [node.outputs[0] for node in _readers(result) if node.op_type in _SUMS]
    return [total for total in sums if is_read_by(total, _WRONG)]


def convolutions(model: ir.Model) -> list[ir.Node]:
    """Return those that TensorFlow computes as one operation, with data and filters in its own order."""
    return [node for graph in model.graphs() for node in list(graph) if _is_convolution(node)]


def _is_convolution(node: ir.Node) -> bool:
    # Groups become other operations, or several.
    return node.op_type == "Conv" and node.domain in INTERNAL_DOMAINS and int_attribute(node, "group") == 1


def _readers(value: ir.Value) -> Iterator[ir.Node]:
    """Yield the nodes that read a value, through Dropouts, which do nothing in a graph that serves."""
    for node, _ in value.uses():
        if node.op_type == "Dropout":
            yield from _readers(node.outputs[0])
        elif node.domain == "":
            yield node


def is_read_by(value: ir.Value, op_types: frozenset[str]) -> bool:
    """Tell whether a node of one of these types reads a value, perhaps through Dropouts."""
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
