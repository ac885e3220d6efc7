"""Give Gradient nodes the function that they differentiate."""

from __future__ import annotations

import onnx_ir as ir

from onnx_tf.registry import DIFFERENTIATED_DOMAIN
from onnx_tf.schema import string_attribute, strings_attribute

__all__ = ["extract_gradients"]


def extract_gradients(model: ir.Model) -> bool:
    """Rewrite the Gradient nodes of ai.onnx.preview.training; return whether there was any."""
    changed = False
    scopes: list[ir.Model | ir.Function] = [model, *model.functions.values()]
    for scope in scopes:
        for node in list(scope.graph.all_nodes()):
            if node.op_type == "Gradient" and node.domain == "ai.onnx.preview.training" and _extract(node):
                scope.opset_imports[DIFFERENTIATED_DOMAIN] = 1
                changed = True
    return changed


def _extract(node: ir.Node) -> bool:
    graph = node.graph
    assert isinstance(graph, ir.Graph)
    values = ir.convenience.create_value_mapping(graph, include_subgraphs=False)
    xs = strings_attribute(node, "xs") or ()
    names = [*xs, *(strings_attribute(node, "zs") or ())]
    y = string_attribute(node, "y")
    if y not in values or any(name not in values for name in names):
        return False
    inputs = [values[name] for name in names]
    nodes = _nodes_between(graph, inputs, values[y])
    produced = {output for n in nodes for output in n.outputs}
    constant = dict.fromkeys(v for n in nodes for v in _used_values(n) if v not in produced and v not in inputs)
    node.resize_inputs(len(inputs) + len(constant))
    for index, value in enumerate(constant, len(inputs)):
        node.replace_input_with(index, value)
    body = ir.GraphView([*inputs, *constant], [values[y]], nodes=nodes, name=f"{node.name}_body").clone()
    for inner in [*body.inputs, *(output for n in body for output in n.outputs)]:
        inner.name = f"{node.name}/{inner.name}"
    node.domain, node.version = DIFFERENTIATED_DOMAIN, 1
    node.attributes.clear()
    node.attributes.add(ir.AttrGraph("body", body))
    node.attributes.add(ir.AttrInt64("count", len(xs)))
    return True


def _nodes_between(graph: ir.Graph, inputs: list[ir.Value], output: ir.Value) -> list[ir.Node]:
    """Return the graph's nodes that compute a value from others, in their order."""
    needed: set[ir.Node] = set()
    reached = set(inputs)
    pending = [output]
    while pending:
        value = pending.pop()
        if value in reached:
            continue
        reached.add(value)
        node = value.producer()
        if node is not None and node.graph is graph and node not in needed:
            needed.add(node)
            pending.extend(_used_values(node))
    return [node for node in graph if node in needed]


def _used_values(node: ir.Node) -> list[ir.Value]:
    """Return the values that a node and its subgraphs take from outside."""
    used = [value for value in node.inputs if value is not None]
    subgraphs: set[ir.Graph] = set()
    for attribute in node.attributes.values():
        if attribute.type is ir.AttributeType.GRAPH:
            subgraphs |= {attribute.as_graph(), *attribute.as_graph().subgraphs()}
    for subgraph in subgraphs:
        inner = [value for n in subgraph for value in n.inputs] + list(subgraph.outputs)
        used += [value for value in inner if value is not None and value.graph not in subgraphs]
    return used
