"""Put an Identity between an initializer and the graph output that it is."""

from __future__ import annotations

import onnx_ir as ir


def detach_constant_outputs(model: ir.Model) -> bool:
    """Give graph outputs that are initializers a producer of their own; return whether any was."""
    return any([_detach(graph) for graph in model.graphs()])  # noqa: C419  (all graphs, not up to the first)


def _detach(graph: ir.Graph) -> bool:
    detached = False
    for index, output in enumerate(graph.outputs):
        if not output.is_initializer():
            continue
        name = str(output.name)
        tensor = graph.initializers.pop(name)
        output.name = f"{name}_value"
        graph.register_initializer(tensor)
        identity = ir.node("Identity", [output], name=f"{name}_identity", version=graph.opset_imports.get("", 1))
        identity.outputs[0].name = name
        identity.outputs[0].type, identity.outputs[0].shape = output.type, output.shape
        graph.append(identity)
        graph.outputs[index] = identity.outputs[0]
        detached = True
    return detached
