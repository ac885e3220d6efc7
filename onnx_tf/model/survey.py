"""Whether all of a model can be seen at a glance: what a proto alone tells, long before anything is inferred."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx

from onnx_tf.model.schema_checks import node_problem, value_problem
from onnx_tf.model.validation import check_model, check_versions
from onnx_tf.operator_schema import attribute_problems, operator_schema
from onnx_tf.registry import Registry, normalize_domain

__all__ = ["all_nodes", "has_only_handled_nodes"]

_INT = onnx.AttributeProto.INT


def has_only_handled_nodes(model: onnx.ModelProto, handlers: Registry) -> bool:
    """Tell whether a valid model is seen to consist of operators with handlers alone, without inferring anything.

    Where it is false, the steps of the conversion have to tell: it may hold functions, need an older
    operator's body, or have weights in other files.

    Raises:
        ModelError: something does not hold of the model.
    """
    opsets = {normalize_domain(entry.domain): entry.version for entry in model.opset_import}
    if model.functions or not opsets:
        return False
    check_versions(model.ir_version, opsets)
    check_model(model)
    if any(dim.dim_value == 0 for value in model.graph.input for dim in _fixed(value)):
        return False
    return all(_is_handled(node, opsets, handlers) for node in all_nodes(model.graph.node)) and not _needs_more(
        model.graph, frozenset()
    )


def all_nodes(nodes: Sequence[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """Yield nodes and those of the graphs in their attributes."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in _graphs(attribute):
                yield from all_nodes(graph.node)


def _graphs(attribute: onnx.AttributeProto) -> Sequence[onnx.GraphProto]:
    if attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
        return [attribute.g] if attribute.HasField("g") else attribute.graphs
    return ()


def _is_handled(node: onnx.NodeProto, opsets: dict[str, int], handlers: Registry) -> bool:
    domain = normalize_domain(node.domain)
    version = opsets.get(domain)
    handler = None if version is None else handlers.find(domain, node.op_type, version)
    if version is None or handler is None:
        return False
    names = {attribute.name: attribute for attribute in node.attribute}
    types = {name: int(attribute.type) for name, attribute in names.items()}
    given = list(map(bool, node.input))
    if node_problem(domain, node.op_type, version, given, len(node.output), types) is not None:
        return False
    integers = {name: (a.i,) if a.type == _INT else tuple(a.ints) for name, a in names.items()}
    texts = {name: a.s.decode(errors="replace") for name, a in names.items() if a.type == onnx.AttributeProto.STRING}
    if value_problem(domain, node.op_type, integers, texts, len(node.output)) is not None:
        return False
    return not any(attribute_problems(handler, operator_schema(domain, node.op_type, version), names))


def _needs_more(graph: onnx.GraphProto, outer: frozenset[str]) -> bool:
    """Tell whether a graph is not sorted, or has tensors that are sparse or lie elsewhere."""
    if graph.sparse_initializer or any(_is_external(tensor) for tensor in graph.initializer):
        return True
    known = {*outer, *(value.name for value in graph.input), *(tensor.name for tensor in graph.initializer), ""}
    for node in graph.node:
        if not known.issuperset(node.input):
            return True
        for attribute in node.attribute:
            if attribute.HasField("sparse_tensor") or (attribute.HasField("t") and _is_external(attribute.t)):
                return True
            if any(_needs_more(body, frozenset(known)) for body in _graphs(attribute)):
                return True
        known.update(node.output)
    return False


def _is_external(tensor: onnx.TensorProto) -> bool:
    return tensor.data_location == onnx.TensorProto.EXTERNAL


def _fixed(value: onnx.ValueInfoProto) -> list[onnx.TensorShapeProto.Dimension]:
    return [dim for dim in value.type.tensor_type.shape.dim if dim.HasField("dim_value")]
