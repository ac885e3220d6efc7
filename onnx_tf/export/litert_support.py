"""What TensorFlow's converter has no LiteRT operator for: the operations of TensorFlow, by type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import tensorflow as tf

from onnx_tf.errors import UnsupportedNode
from onnx_tf.runtime.graph import BoundGraph, BoundNode

__all__ = ["unsupported_nodes"]

_NO_KERNEL = frozenset(
    """
    Acos Acosh Asin Asinh Atan Atanh AvgPool3D BesselI0e Betainc Bincount BitwiseAnd BitwiseOr BitwiseXor Cholesky
    Cosh CropAndResize Cumprod Digamma Erf Erfc Erfinv FFT FFT2D
    FFT3D IFFT IFFT2D IFFT3D Igamma Igammac Invert IRFFT IRFFT2D LeftShift Lgamma Lu MatrixDeterminant MatrixInverse
    MatrixSolve MaxPool3D Multinomial Ndtri Qr Zeta RandomPoisson RegexReplace ResizeArea ResizeBicubic
    RightShift Rint ScaleAndTranslate Sinh StatelessRandomUniformFullIntV2 StringJoin StringLength StringLower
    StringSplitV2 StringToNumber StringUpper Svd Tan TruncateMod UniqueV2 XlaDynamicSlice
    """.split()  # noqa: SIM905
)
"""Operations of any dtype."""

_NO_INTEGERS = {
    tf.int64: frozenset({"Abs", "Div", "FloorDiv", "MatMul", "BatchMatMulV2", "Pow", "RealDiv", "Sign", "TruncateDiv"})
}
"""Operations that have kernels, of other dtypes than these."""

_ADVICE = "allow it with --allow-flex (the runtime then needs TensorFlow's Flex delegate), or write a SavedModel"


def unsupported_nodes(
    graph: BoundGraph, traced: tf.Graph, also: Mapping[str, str] | None = None
) -> list[UnsupportedNode]:
    """Return the ONNX nodes for which LiteRT has no operator, each once.

    Args:
        graph: the bound graph.
        traced: what TensorFlow traced of it.
        also: further operations that are refused, by type, with the reason.
    """
    found: dict[str, UnsupportedNode] = {}
    for operation in _operations(traced):
        reason = _reason(operation) or (also or {}).get(operation.type)
        node = graph.node_of(operation.name) if reason else None
        if node is not None:
            found.setdefault(node.onnx_node, _refusal(node, operation, str(reason)))
    return list(found.values())


def _operations(graph: tf.Graph) -> Iterator[tf.Operation]:
    """Yield the operations of a graph and of the bodies that it calls, which the converter prunes as well."""
    yield from _computed(graph)
    for function in getattr(graph, "_functions", {}).values():
        body = getattr(function, "graph", None)
        if isinstance(body, tf.Graph):
            yield from _computed(body)


def _computed(graph: tf.Graph) -> list[tf.Operation]:
    """Return the operations that the outputs of a function's graph come from, in order."""
    pending = [tensor.op for tensor in graph.outputs]
    found: set[tf.Operation] = set()
    while pending:
        operation = pending.pop()
        if operation not in found:
            found.add(operation)
            pending += [tensor.op for tensor in operation.inputs]
    return [operation for operation in graph.get_operations() if operation in found]


def _reason(operation: tf.Operation) -> str:
    if operation.type in _NO_KERNEL:
        return "has no kernel in LiteRT"
    dtypes = {tensor.dtype for tensor in operation.inputs}
    for dtype in dtypes & _NO_INTEGERS.keys():
        if operation.type in _NO_INTEGERS[dtype]:
            return f"has no kernel of {dtype.name} in LiteRT"
    return ""


def _refusal(node: BoundNode, operation: tf.Operation, reason: str) -> UnsupportedNode:
    context = node.context
    return UnsupportedNode(
        node.onnx_node, context.op_type, context.domain, context.version, f"tf.{operation.type} {reason}; {_ADVICE}"
    )
