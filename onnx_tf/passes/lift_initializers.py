"""Move the initializers of subgraphs to the main graph, where they become variables."""

from __future__ import annotations

import onnx_ir as ir

from onnx_tf.origins import rename

__all__ = ["lift_initializers"]


def lift_initializers(model: ir.Model) -> bool:
    """Move the initializers of all subgraphs to the main graph; return whether there was any.

    Their names become unique in the whole model.
    """
    used = {value.name for graph in model.graphs() for value in _values(graph)}
    lifted = set(model.graph.initializers)
    changed = False
    for graph in model.graphs():
        if graph is model.graph:
            continue
        for name, value in list(graph.initializers.items()):
            if value.is_graph_input() or value.is_graph_output():
                continue
            del graph.initializers[name]
            index = 1
            unique = name
            while unique in lifted or (index > 1 and unique in used):
                index += 1
                unique = f"{name}_{index}"
            rename(value, unique)
            lifted.add(unique)
            model.graph.register_initializer(value)
            changed = True
    return changed


def _values(graph: ir.Graph) -> list[ir.Value]:
    return [*graph.inputs, *graph.initializers.values(), *(output for node in graph for output in node.outputs)]
