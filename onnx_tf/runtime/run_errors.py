"""From an error that TensorFlow raises while it runs to the ONNX node that it came to."""

from __future__ import annotations

import re

import tensorflow as tf

from onnx_tf.errors import RunError
from onnx_tf.runtime.graph import BoundGraph, BoundNode

__all__ = ["failing_node", "run_error"]

_OPERATION = re.compile(r"\{\{node ([^}]+)\}\}")
_NOISE = re.compile(r"\{\{\w*node [^}]*\}\}|\[Op:[^\]]*\]|^\s*\(\d+\) [A-Z_]+:|<stack traces unavailable>")
_CALLS = re.compile(r"^(?:(?:Stateful)?PartitionedCall(?:_\d+)?/)+")
_TRACE = re.compile(r"Graph execution error:|Detected at node |\d+ root error|\s+File |\s{4}")


def run_error(error: tf.errors.OpError, graph: BoundGraph | None = None) -> RunError:
    """Return what to raise instead of an error of TensorFlow.

    Args:
        error: the error.
        graph: the graph that was computed; without it the message names TensorFlow's operation, whose
            scope is that of the ONNX node.
    """
    cause = _cause(error.message) or type(error).__name__
    node = None if graph is None else failing_node(error, graph)
    if node is not None:
        context = node.context
        return RunError(
            cause, node=node.onnx_node, op=context.op_type, domain=context.onnx_domain, version=context.version
        )
    operations = _OPERATION.findall(error.message)
    return RunError(f"TensorFlow's operation {_CALLS.sub('', operations[0])!r}: {cause}" if operations else cause)


def failing_node(error: tf.errors.OpError, graph: BoundGraph) -> BoundNode | None:
    """Return the innermost node that an error of TensorFlow names, ``None`` if it names none."""
    paths = dict.fromkeys(_OPERATION.findall(error.message))
    return next(filter(None, (_innermost(graph, path) for path in paths)), None)


def _cause(message: str) -> str:
    """Return what TensorFlow says of the cause, without the Python calls that made the operation."""
    lines = message.split("[[{{", 1)[0].splitlines()
    return " ".join(filter(None, (_NOISE.sub("", line).strip() for line in lines if not _TRACE.match(line))))


def _innermost(graph: BoundGraph, operation: str) -> BoundNode | None:
    """Return the innermost node that made an operation; TensorFlow puts the names of calls and bodies before it."""
    parts = operation.split("/")
    for start in range(len(parts)):
        node = graph.node_of("/".join(parts[start:]))
        if node is not None:
            rest = "/".join(parts[start + node.scope.count("/") + 1 :])
            inner = (_innermost(subgraph, rest) for subgraph in node.subgraphs.values())
            return next(filter(None, inner), node)
    return None
