"""Undo the channels-last domain: each of its nodes becomes Transpose, the ai.onnx operator, Transpose.

What is left is plain ONNX, so that ONNX Runtime can say whether a rewritten model is right.
"""

from __future__ import annotations

import onnx
import onnx_ir as ir

from onnx_tf.layout.rules import RULES
from onnx_tf.registry import CHANNELS_LAST_DOMAIN

DATA = {"Conv": ((0,), (0,))}


def in_channels_first_operators(model: ir.Model) -> onnx.ModelProto:
    """Return a copy of a model without channels-last operators."""
    model = model.clone()
    for graph in model.graphs():
        for node in list(graph):
            if node.domain == CHANNELS_LAST_DOMAIN:
                _move(node)
    del model.opset_imports[CHANNELS_LAST_DOMAIN]
    for graph in model.graphs():
        for value in (*graph.inputs, *graph.outputs, *(o for n in graph for o in n.outputs)):
            if value.const_value is None and not value.is_graph_input() and not value.is_graph_output():
                value.shape = None
    return ir.to_proto(model)


def _move(node: ir.Node) -> None:
    assert ("", node.op_type) in RULES
    node.domain = ""
    source, result = node.inputs[0], node.outputs[0]
    rank = len(source.shape)
    first = _transpose(source, [0, rank - 1, *range(1, rank - 1)], node)
    node.prepend(first)
    node.replace_input_with(0, first.outputs[0])
    inner = ir.Value(name=f"{result.name}__first", type=result.type)
    last = _transpose(inner, [0, *range(2, rank), 1], node)
    result.replace_all_uses_with(last.outputs[0], replace_graph_outputs=True)
    last.outputs[0].name, result.name = result.name, inner.name
    last.outputs[0].shape = result.shape
    last.replace_input_with(0, result)
    node.append(last)


def _transpose(source: ir.Value, perm: list[int], node: ir.Node) -> ir.Node:
    found = ir.Node("", "Transpose", [source], [ir.AttrInt64s("perm", perm)], version=node.version)
    found.outputs[0].name = f"{node.name}__{source.name}__transposed"
    found.outputs[0].type = source.type
    return found
