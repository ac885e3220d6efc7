"""What ``onnx-tf info`` says of a model."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onnx_tf import handlers  # noqa: F401  (fills the registry)
from onnx_tf.errors import UnsupportedError, UnsupportedNode
from onnx_tf.options import Options
from onnx_tf.pipeline import lower
from onnx_tf.telling import described


def describe_model(path: str, options: Options) -> dict[str, Any]:
    """Return inputs, outputs, opsets, operators, functions, sizes and unsupported nodes of an edited model.

    Raises:
        ModelError: the model is not valid.
        EditError: an edit among the options does not fit it.
    """
    model = lower(path, options, until="edit").model
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
        "inputs": [described(value) for value in graph.inputs if not value.is_initializer()],
        "overridable": [described(value) for value in graph.inputs if value.is_initializer()],
        "outputs": [described(value) for value in graph.outputs],
        "functions": [
            f"{_operator(f.domain, f.name)}{':' * bool(f.overload)}{f.overload}" for f in model.functions.values()
        ],
        "operators": dict(counts.most_common()),
    }
    description["unsupported"] = [vars(node) | {"text": str(node)} for node in _unsupported_nodes(path, options)]
    return description


def _unsupported_nodes(path: str, options: Options) -> Sequence[UnsupportedNode]:
    try:
        lower(path, options, until="refuse unsupported")
    except UnsupportedError as error:
        return error.nodes
    return ()


def _operator(domain: str, op_type: str) -> str:
    return f"{domain}.{op_type}" if domain else op_type
