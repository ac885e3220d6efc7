"""What ``onnx-tf info`` says of a model."""

from __future__ import annotations

import collections
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from onnx_tf.errors import UnsupportedError, UnsupportedNode
from onnx_tf.handler_table import known_handlers
from onnx_tf.model.reading import read_proto
from onnx_tf.model.survey import all_nodes, has_only_handled_nodes
from onnx_tf.model.validation import tensor_bytes
from onnx_tf.value_types import ValueType


def describe_model(path: str, edits: Mapping[str, Any]) -> dict[str, Any]:
    """Return inputs, outputs, opsets, operators, functions, sizes and unsupported nodes of an edited model.

    Raises:
        ModelError: the model is not valid.
        EditError: an edit does not fit it.
    """
    model, unsupported = _read(path, edits)
    graph = model.graph
    initializers = {tensor.name for tensor in graph.initializer}
    weights = [tensor for each in _all_graphs(model) for tensor in each.initializer]
    counts = collections.Counter(_operator(node.domain, node.op_type) for node in all_nodes(graph.node))
    return {
        "path": path,
        "ir_version": model.ir_version,
        "producer": f"{model.producer_name or 'unknown'} {model.producer_version or ''}".strip(),
        "opsets": {entry.domain or "ai.onnx": entry.version for entry in model.opset_import},
        "file": Path(path).stat().st_size,
        "weights": sum(map(tensor_bytes, weights)),
        "parameters": sum(math.prod(tensor.dims) for tensor in weights),
        "nodes": counts.total(),
        "inputs": [_described(value) for value in graph.input if value.name not in initializers],
        "overridable": [_described(value) for value in graph.input if value.name in initializers],
        "outputs": [_described(value) for value in graph.output],
        "functions": [f"{_operator(f.domain, f.name)}{':' * bool(f.overload)}{f.overload}" for f in model.functions],
        "operators": dict(counts.most_common()),
        "unsupported": [vars(node) | {"text": str(node)} for node in unsupported],
    }


def _read(path: str, edits: Mapping[str, Any]) -> tuple[onnx.ModelProto, Sequence[UnsupportedNode]]:
    """Return the edited model, and its nodes that cannot be converted."""
    proto = read_proto(path).proto
    if not any(edits.values()) and has_only_handled_nodes(proto, known_handlers()):
        return proto, ()
    import onnx_ir as ir

    from onnx_tf.edits import with_map_types
    from onnx_tf.options import Options
    from onnx_tf.pipeline import lower

    options = Options.of(**edits)
    edited = lower(path, options, until="edit", handlers=known_handlers()).model
    proto = with_map_types(ir.to_proto(edited), edited)
    try:
        lower(path, options, until="refuse unsupported", handlers=known_handlers())
    except UnsupportedError as error:
        return proto, error.nodes
    return proto, ()


def _described(value: onnx.ValueInfoProto) -> dict[str, Any]:
    return {"name": value.name, **ValueType.of_proto(value.type).as_json()}


def _all_graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    yield model.graph
    for node in all_nodes(model.graph.node):
        yield from (attribute.g for attribute in node.attribute if attribute.HasField("g"))


def _operator(domain: str, op_type: str) -> str:
    return f"{domain}.{op_type}" if domain not in ("", "ai.onnx") else op_type
