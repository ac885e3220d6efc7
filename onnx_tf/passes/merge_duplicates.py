"""Merge nodes that compute the same from the same inputs, and initializers that hold the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import onnx_ir as ir
from onnx_ir.passes.common import CommonSubexpressionEliminationPass, DeduplicateInitializersPass

from onnx_tf.origins import through_merging


def merge_initializers(model: ir.Model) -> bool:
    """Merge equal initializers; return whether there were any."""
    with through_merging(model):
        return bool(DeduplicateInitializersPass()(model).modified)


def merge_tied_initializers(model: ir.Model) -> bool:
    """Merge equal initializers that stay equal in training; return whether there were any.

    Those are numbers, integers and matrices: exporters write one copy of a matrix for each of its uses. Scales and
    shifts begin alike without being one, and so may what holds one number all over.
    """
    first: dict[tuple[object, ...], ir.Value] = {}
    merged = False
    with through_merging(model):
        for name, value in list(model.graph.initializers.items()):
            tensor = value.const_value
            if tensor is None or value.is_graph_input() or value.is_graph_output() or not _stays_equal(tensor):
                continue
            content = hashlib.sha256(tensor.numpy().tobytes()).digest()
            kept = first.setdefault((tensor.dtype, tuple(tensor.shape), content), value)
            if kept is not value:
                value.replace_all_uses_with(kept)
                del model.graph.initializers[name]
                merged = True
    return merged


def _stays_equal(tensor: ir.TensorProtocol) -> bool:
    if tensor.dtype is ir.DataType.STRING:
        return False
    if not tensor.dtype.is_floating_point() or tensor.size <= 1:
        return True
    array = tensor.numpy()
    return array.ndim > 1 and bool((array != array.flat[0]).any())


def merge_duplicates(model: ir.Model, has_handler: Callable[[str, str, int], bool]) -> bool:
    """Merge equal nodes of the same opset version; return whether there were any.

    A model with operators that have no handler stays as it is: the refusal that follows is to
    name every one of their nodes.
    """
    nodes = list(model.graph.all_nodes())
    if not all(has_handler(node.domain, node.op_type, node.version or 1) for node in nodes):
        return False
    overloads = {node: node.overload for node in nodes}
    for node in nodes:
        # The pass of onnx_ir takes Softmax of opset 11 and of opset 13 for the same.
        node.overload = f"{node.overload}@{node.version}"
    with through_merging(model):
        modified = bool(CommonSubexpressionEliminationPass()(model).modified)
    for node in model.graph.all_nodes():
        node.overload = overloads.get(node, "")
        if node.version is None:
            node.version = model.opset_imports.get(node.domain)
    return modified
