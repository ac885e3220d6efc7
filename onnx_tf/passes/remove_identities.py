"""Remove Identity nodes, keeping every graph output's name."""

from __future__ import annotations

import onnx_ir as ir

from onnx_tf.origins import hand_on


def remove_identities(model: ir.Model) -> bool:
    """Remove every Identity that nothing needs; return whether any was.

    One stays where a graph output is a graph input, an initializer, a value of an outer scope or
    another output as well: an output has one name and one producer.
    """
    removed = False
    for node in list(model.graph.all_nodes()):
        if node.op_type == "Identity" and node.domain == "":
            removed |= _remove(node)
    return removed


def _remove(node: ir.Node) -> bool:
    source, output = node.inputs[0], node.outputs[0]
    if source is None or node.graph is None:
        return False
    if output.is_graph_output():
        producer = source.producer()
        if producer is None or producer.graph is not node.graph or source.is_graph_output():
            return False
        name = output.name
        output.name = f"{name}_identity"
        source.name = name
        source.type, source.shape = source.type or output.type, source.shape or output.shape
        node.graph.outputs[:] = [source if value is output else value for value in node.graph.outputs]
    hand_on(output, source)
    output.replace_all_uses_with(source)
    node.graph.remove(node, safe=True)
    return True
