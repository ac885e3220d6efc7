"""Put an Identity between an initializer and the graph output that it is."""

from __future__ import annotations

import onnx_ir as ir

from onnx_tf.origins import hand_on
from onnx_tf.passes._constants import add_initializer


def detach_constant_outputs(model: ir.Model) -> bool:
    """Give graph outputs that are initializers a producer of their own; return whether any was."""
    return any([_detach(graph) for graph in model.graphs()])  # noqa: C419  (all graphs, not up to the first)


def _detach(graph: ir.Graph) -> bool:
    detached = False
    for output in dict.fromkeys(graph.outputs):
        if not output.is_initializer() or output.const_value is None:
            continue
        name = str(output.name)
        # A new value: renaming the old one would rename the tensor in the caller's ModelProto.
        tensor = ir.Tensor(output.const_value.numpy(), dtype=output.const_value.dtype)
        source = add_initializer(graph, f"{name}_value", tensor)
        identity = ir.node("Identity", [source], name=f"{name}_identity", version=graph.opset_imports.get("", 1))
        identity.outputs[0].type, identity.outputs[0].shape = output.type, output.shape
        graph.append(identity)
        for index, other in enumerate(graph.outputs):
            if other is output:
                graph.outputs[index] = identity.outputs[0]
        output.replace_all_uses_with(source)
        graph.initializers.pop(name)
        identity.outputs[0].name = name
        hand_on(output, identity.outputs[0])
        detached = True
    return detached
