"""Replace operators that have no handler by the function body of their schema."""

from __future__ import annotations

from collections.abc import Callable

import onnx
import onnx_ir as ir

from onnx_tf.budget import Budget
from onnx_tf.passes.bodies import private_function, put_bodies
from onnx_tf.passes.experimental_bodies import experimental_body
from onnx_tf.passes.microsoft_bodies import microsoft_body
from onnx_tf.schema import schema_of


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

    def body_of(node: ir.Node, serial: int) -> ir.Function | None:
        if has_handler(node.domain, node.op_type, node.version or 1):
            return None
        function = _function_body(node, serial)
        return function if function is not None and _is_supported(function, has_handler) else None

    return put_bodies(model, body_of, budget)


def _function_body(node: ir.Node, serial: int) -> ir.Function | None:
    version = node.version or 1
    schema = schema_of(node)
    if schema is None:
        body = microsoft_body(node) or experimental_body(node)
        return None if body is None else private_function(body, {}, node, serial)
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
    return private_function(onnx.FunctionProto.FromString(data), schema.attributes, node, serial)


def _newest(opsets: list[int], at_most: int | None) -> int | None:
    return max((v for v in opsets if at_most is None or v <= at_most), default=None)


def _type(value: ir.Value | None) -> bytes:
    proto = onnx.TypeProto()
    if value is not None and value.type is not None:
        info = ir.to_proto(value)
        proto.CopyFrom(info.type)
    return proto.SerializeToString()


def _is_supported(function: ir.Function, has_handler: Callable[[str, str, int], bool]) -> bool:
    return all(
        node.op_type == "Constant" or has_handler(node.domain, node.op_type, node.version or 1) or _has_body(node)
        for node in function.all_nodes()
    )


def _has_body(node: ir.Node) -> bool:
    schema = schema_of(node)
    return schema is not None and (schema.has_function or schema.has_context_dependent_function)
