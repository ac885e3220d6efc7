"""From an error that TensorFlow raises while it runs to the ONNX node that it came to."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable

import tensorflow as tf

from onnx_tf.errors import RunError
from onnx_tf.plan import BoundGraph, BoundNode, scope_name

__all__ = ["run_error"]

_OPERATION = re.compile(r"\{\{node ([^}]+)\}\}")
_NOISE = re.compile(r"\{\{\w*node [^}]*\}\}|\[Op:[^\]]*\]|^\s*\(\d+\) [A-Z_]+:")
_TRACE = re.compile(r"Graph execution error:|Detected at node |\d+ root error|\s+File |\s{4}")


def run_error(error: tf.errors.OpError, graph: BoundGraph) -> RunError:
    """Return what to raise instead of an error of TensorFlow.

    Args:
        error: the error.
        graph: the graph that was computed.
    """
    cause = _cause(error.message) or type(error).__name__
    operations = list(dict.fromkeys(_OPERATION.findall(error.message)))
    for path in operations:
        node = _find(graph.nodes, path) or _find(graph.all_nodes(), path)
        if node is not None:
            context = node.context
            return RunError(
                cause, node=context.name, op=context.op_type, domain=context.domain, version=context.version
            )
    return RunError(f"TensorFlow's operation {operations[0]!r}: {cause}" if operations else cause)


def _cause(message: str) -> str:
    """Return what TensorFlow says of the cause, without the Python calls that made the operation."""
    lines = message.split("[[{{", 1)[0].splitlines()
    return " ".join(filter(None, (_NOISE.sub("", line).strip() for line in lines if not _TRACE.match(line))))


def _find(nodes: Iterable[BoundNode], path: str) -> BoundNode | None:
    """Return the innermost node in whose name scope an operation lies."""
    by_scope: dict[str, BoundNode] = {}
    counts: collections.Counter[str] = collections.Counter()
    for node in nodes:
        scope = scope_name(node.context.name)
        # TensorFlow appends a number to a scope that it has already, in either case of the letters.
        count = counts[scope.lower()]
        by_scope[f"{scope}_{count}" if count else scope] = node
        counts[scope.lower()] += 1
    parts = path.split("/")
    for start in range(len(parts)):
        for end in range(len(parts) - 1, start, -1):  # the last part is the operation itself
            scope = "/".join(parts[start:end])
            found = by_scope.get(scope) or by_scope.get(re.sub(r"_\d+$", "", scope))
            if found is not None:
                inner = (node for graph in found.subgraphs.values() for node in graph.nodes)
                return _find(inner, "/".join(parts[end:])) or found
    return None
