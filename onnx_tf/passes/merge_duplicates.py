"""Merge nodes that compute the same from the same inputs, and initializers that hold the same."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir
from onnx_ir.passes.common import CommonSubexpressionEliminationPass, DeduplicateInitializersPass

from onnx_tf.origins import through_merging


def merge_initializers(model: ir.Model) -> bool:
    """Merge equal initializers; return whether there were any."""
    with through_merging(model):
        return bool(DeduplicateInitializersPass()(model).modified)


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
