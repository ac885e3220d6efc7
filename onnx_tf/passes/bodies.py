"""Put function bodies in the places of nodes, under the names of these."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import onnx
import onnx_ir as ir
from onnx_ir.passes.common import InlinePass

from onnx_tf.budget import Budget
from onnx_tf.errors import ModelError
from onnx_tf.origins import through_inlining, unique_names
from onnx_tf.passes._inference import infer
from onnx_tf.registry import normalize_domain
from onnx_tf.telling import place_of

__all__ = ["private_function", "put_bodies"]

_DOMAIN = "onnx_tf.function_body"


def put_bodies(
    model: ir.Model, body_of: Callable[[ir.Node, int], ir.Function | None], budget: Budget | None = None
) -> bool:
    """Replace nodes by bodies, also those that bodies use; return whether any was.

    Args:
        model: the model.
        body_of: what returns the body of a node as :func:`private_function` makes it, ``None`` where the node stays.
        budget: what the bodies draw their nodes from.

    Raises:
        ModelError: the bodies have more nodes than are left of the budget.
    """
    budget = budget or Budget()
    changed = False
    serial = itertools.count()
    while True:
        functions: dict[ir.OperatorIdentifier, ir.Function] = {}
        for node in list(model.graph.all_nodes()):
            function = None if node.domain == _DOMAIN else body_of(node, next(serial))
            if function is not None:
                _draw(node, function, budget)
                functions[function.identifier()] = function
                node.domain, node.op_type, node.overload = _DOMAIN, function.name, ""
                for output in node.outputs:  # the body gives those too that are left out
                    output.name = output.name or f"{node.name}_left_out"
        if not functions:
            return changed
        _inline(model, functions)
        infer(model)  # bodies of what the bodies use may depend on types
        changed = True


def _inline(model: ir.Model, functions: Mapping[ir.OperatorIdentifier, ir.Function]) -> None:
    model.functions.update(functions)
    model.opset_imports[_DOMAIN] = 1
    for function in functions.values():
        function.opset_imports.update(
            {d: model.opset_imports.setdefault(d, v) for d, v in function.opset_imports.items()}
        )
    unique_names(model)
    with through_inlining(model):
        InlinePass(criteria=lambda function: function.domain == _DOMAIN)(model)
    del model.opset_imports[_DOMAIN]


def _draw(node: ir.Node, function: ir.Function, budget: Budget) -> None:
    size = sum(1 for _ in function.all_nodes())
    if not budget.takes_nodes(size):
        raise ModelError(
            f"node {node.name!r} ({node.op_type}) is computed by a body of {size} nodes: more than are left of "
            f"{budget.most_nodes()}; {budget.more_nodes()}",
            **place_of(node),
        )


def private_function(
    proto: onnx.FunctionProto, attributes: Mapping[str, Any], node: ir.Node, serial: int
) -> ir.Function:
    """Return the body of a node as a function that is this node's own.

    Nodes and values that it makes are named after the node.

    Args:
        proto: the body.
        attributes: the attributes of the operator's schema, whose defaults the body may refer to.
        node: the node.
        serial: what tells it from all others.
    """
    proto.domain, proto.name, proto.overload = _DOMAIN, f"{node.op_type}_{serial}", ""
    defaults = {attribute.name for attribute in proto.attribute_proto}
    for name in list(proto.attribute):
        default = attributes[name].default_value if name in attributes else None
        if default is not None and default.name and name not in defaults:
            proto.attribute.remove(name)
            proto.attribute_proto.append(default)
    # A context-dependent body states all outputs, and computes those that its node has.
    del proto.output[len(node.outputs) :]
    produced = {name for n in proto.node for name in n.output} | set(proto.input)
    for name in proto.output:
        if name not in produced:
            proto.node.append(onnx.helper.make_node("Constant", [], [name], value_float=0.0))
    function = ir.serde.deserialize_function(proto)
    versions = {normalize_domain(o.domain): o.version for o in proto.opset_import}
    for index, inner in enumerate(function.all_nodes()):
        inner.domain = normalize_domain(inner.domain)
        inner.version = versions.get(inner.domain)
        inner.name = f"{node.name}/{inner.op_type}_{index}"
        for output in inner.outputs:
            output.name = f"{node.name}/{output.name}" if output.name else output.name
    for graph in function.subgraphs():
        for value in graph.inputs:
            value.name = f"{node.name}/{value.name}"
    return function
