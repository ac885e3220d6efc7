"""Replace operators that have no handler by the function body of their schema."""

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
from onnx_tf.passes.experimental_bodies import experimental_body
from onnx_tf.passes.microsoft_bodies import microsoft_body
from onnx_tf.registry import normalize_domain
from onnx_tf.schema import schema_of
from onnx_tf.telling import place_of

_DOMAIN = "onnx_tf.function_body"


def expand_schema_functions(
    model: ir.Model, has_handler: Callable[[str, str, int], bool], budget: Budget | None = None
) -> bool:
    """Expand operators without a handler, also those that the bodies use; return whether any was.

    Context-dependent bodies are built for the node's attributes and input types. A node stays as it
    is if its body needs operators that have neither a handler nor a body: it is what is unsupported,
    not something that the user never wrote. New nodes and values are named after the expanded node.

    Raises:
        ModelError: the bodies have more nodes than are left of the budget.
    """
    budget = budget or Budget()
    expanded = False
    serial = itertools.count()
    while True:
        functions: dict[ir.OperatorIdentifier, ir.Function] = {}
        for node in list(model.graph.all_nodes()):
            if node.domain == _DOMAIN or has_handler(node.domain, node.op_type, node.version or 1):
                continue
            function = _function_body(node, next(serial))
            if function is not None and _is_supported(function, has_handler):
                _draw(node, function, budget)
                functions[function.identifier()] = function
                node.domain, node.op_type, node.overload = _DOMAIN, function.name, ""
                for output in node.outputs:  # the body gives those too that are left out
                    output.name = output.name or f"{node.name}_left_out"
        if not functions:
            return expanded
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
        infer(model)  # bodies of what the bodies use may depend on types
        expanded = True


def _draw(node: ir.Node, function: ir.Function, budget: Budget) -> None:
    size = sum(1 for _ in function.all_nodes())
    if not budget.takes_nodes(size):
        raise ModelError(
            f"node {node.name!r} ({node.op_type}) is computed by a body of {size} nodes: more than are left of "
            f"{budget.most_nodes()}; {budget.more_nodes()}",
            **place_of(node),
        )


def _function_body(node: ir.Node, serial: int) -> ir.Function | None:
    version = node.version or 1
    schema = schema_of(node)
    if schema is None:
        body = microsoft_body(node) or experimental_body(node)
        return None if body is None else _private_function(body, {}, node, serial)
    # A body is written against ai.onnx; for another domain the newest opset that it knows serves.
    if schema.has_context_dependent_function:
        opsets = schema.context_dependent_function_opset_versions
        opset = _newest(opsets, version if not node.domain else None)
        if opset is None:
            return None
        proto = ir.to_proto(node)
        data = schema.get_context_dependent_function_with_opset_version(
            opset, proto.SerializeToString(), [_type(value) for value in node.inputs]
        )
        if not data:  # where types are missing
            return None
    elif schema.has_function:
        opset = _newest(schema.function_opset_versions, version if not node.domain else None)
        if opset is None:
            return None
        data = schema.get_function_with_opset_version(opset)
    else:
        return None
    return _private_function(onnx.FunctionProto.FromString(data), schema.attributes, node, serial)


def _newest(opsets: list[int], at_most: int | None) -> int | None:
    return max((v for v in opsets if at_most is None or v <= at_most), default=None)


def _type(value: ir.Value | None) -> bytes:
    proto = onnx.TypeProto()
    if value is not None and value.type is not None:
        info = ir.to_proto(value)
        proto.CopyFrom(info.type)
    return proto.SerializeToString()


def _private_function(
    proto: onnx.FunctionProto, attributes: Mapping[str, Any], node: ir.Node, serial: int
) -> ir.Function:
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


def _is_supported(function: ir.Function, has_handler: Callable[[str, str, int], bool]) -> bool:
    return all(
        node.op_type == "Constant" or has_handler(node.domain, node.op_type, node.version or 1) or _has_body(node)
        for node in function.all_nodes()
    )


def _has_body(node: ir.Node) -> bool:
    schema = schema_of(node)
    return schema is not None and (schema.has_function or schema.has_context_dependent_function)
