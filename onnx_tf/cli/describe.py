"""What ``onnx-tf info`` says of a model."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx_ir as ir

from onnx_tf import handlers  # noqa: F401  (fills the registry)
from onnx_tf.errors import UnsupportedError, UnsupportedNode
from onnx_tf.loading import load_model
from onnx_tf.pipeline import lower


def describe_model(path: str) -> dict[str, Any]:
    """Return inputs, outputs, opsets, operators, functions, sizes and unsupported nodes of a model.

    Raises:
        ModelError: the model is not valid.
    """
    model = load_model(path)
    graph = model.graph
    weights = [v.const_value for g in model.graphs() for v in g.initializers.values() if v.const_value is not None]
    counts = collections.Counter(_operator(node.domain, node.op_type) for node in graph.all_nodes())
    description = {
        "path": path,
        "ir_version": model.ir_version,
        "producer": f"{model.producer_name or 'unknown'} {model.producer_version or ''}".strip(),
        "opsets": {domain or "ai.onnx": version for domain, version in model.opset_imports.items()},
        "file": Path(path).stat().st_size,
        "weights": sum(tensor.nbytes for tensor in weights),
        "parameters": sum(tensor.size for tensor in weights),
        "nodes": counts.total(),
        "inputs": [_signature(value) for value in graph.inputs if not value.is_initializer()],
        "overridable": [_signature(value) for value in graph.inputs if value.is_initializer()],
        "outputs": [_signature(value) for value in graph.outputs],
        "functions": [
            f"{_operator(f.domain, f.name)}{':' * bool(f.overload)}{f.overload}" for f in model.functions.values()
        ],
        "operators": dict(counts.most_common()),
    }
    description["unsupported"] = [vars(node) | {"text": str(node)} for node in _unsupported_nodes(path)]
    return description


def _unsupported_nodes(path: str) -> Sequence[UnsupportedNode]:
    try:
        lower(path, until="refuse unsupported")
    except UnsupportedError as error:
        return error.nodes
    return ()


def _operator(domain: str, op_type: str) -> str:
    return f"{domain}.{op_type}" if domain else op_type


def _signature(value: ir.Value) -> str:
    return f"{value.name}: {_type(value.type, value.shape)}"


def _type(kind: Any, shape: ir.Shape | None) -> str:
    if isinstance(kind, ir.SequenceType):
        return f"sequence of {_type(kind.elem_type, shape)}"
    if isinstance(kind, ir.OptionalType):
        return f"optional {_type(kind.elem_type, shape)}"
    dtype = "any" if kind is None else kind.dtype.name.lower()
    if shape is None:
        return f"{dtype}[...]"
    return f"{dtype}[{', '.join(str(d if isinstance(d, int) else d.value or '?') for d in shape)}]"
