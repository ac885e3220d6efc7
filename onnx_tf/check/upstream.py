"""The nodes that an output is computed from, and whether random numbers are among them."""

from __future__ import annotations

import onnx_ir as ir

from onnx_tf.model.loading import bodies

__all__ = ["random_outputs", "random_values", "selecting_outputs", "upstream"]

_RANDOM = {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}


def upstream(graph: ir.Graph, output: str) -> list[ir.Node]:
    """Return the nodes of a graph, with those in their bodies, that an output of it depends on, in graph order."""
    wanted: set[ir.Node | None] = {value.producer() for value in graph.outputs if value.name == output}
    found = []
    for node in reversed(list(graph)):
        if node in wanted:
            inside = [inner for body in bodies(node) for inner in body.all_nodes()]
            for user in (node, *inside):
                wanted |= {value.producer() for value in user.inputs if value is not None}
            found.append([node, *inside])
    return [node for group in reversed(found) for node in group]


def random_outputs(model: ir.Model) -> set[str]:
    """Return the outputs of a model that depend on random numbers: two runs of it differ."""
    if not any(_is_random(node, model) for node in model.graph.all_nodes()):
        return set()
    names = [str(value.name) for value in model.graph.outputs]
    return {name for name in names if any(_is_random(node, model) for node in upstream(model.graph, name))}


_SELECTING = {"ArgMax", "ArgMin", "Hardmax", "NonMaxSuppression", "NonZero", "TopK", "Unique"}


def selecting_outputs(model: ir.Model) -> set[str]:
    """Return the outputs of a model that depend on a choice among values: nearly equal ones may change it."""
    names = [str(value.name) for value in model.graph.outputs]
    return {name for name in names if any(node.op_type in _SELECTING for node in upstream(model.graph, name))}


def random_values(model: ir.Model) -> set[str]:
    """Return the values of the main graph that depend on random numbers."""
    found: set[ir.Value] = set()
    for node in model.graph:
        inside = [inner for body in bodies(node) for inner in body.all_nodes()]
        read = {value for user in (node, *inside) for value in user.inputs if value is not None}
        if not found.isdisjoint(read) or any(_is_random(each, model) for each in (node, *inside)):
            found |= set(node.outputs)
    return {str(value.name) for value in found}


def _is_random(node: ir.Node, model: ir.Model) -> bool:
    if node.domain == "" and node.op_type == "Dropout":
        return _trains(node)
    if node.domain == "" and node.op_type in _RANDOM:
        return True
    function = model.functions.get(node.op_identifier())
    return function is not None and any(_is_random(inner, model) for inner in function.all_nodes())


def _trains(node: ir.Node) -> bool:
    mode = node.inputs[2] if len(node.inputs) > 2 else None
    if mode is None:
        return False
    return mode.const_value is None or bool(mode.const_value.numpy())
