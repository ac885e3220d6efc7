"""What TensorFlow's converter has no LiteRT operator for: the operations of TensorFlow, by type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from onnx_tf.errors import UnsupportedNode
from onnx_tf.readers import LITERT
from onnx_tf.runtime.graph import BoundGraph, BoundNode

__all__ = ["ADVICE", "refused_nodes", "unsupported_nodes"]

_NO_KERNEL = frozenset(
    """
    Acos Acosh Asin Asinh Atan Atanh AvgPool3D BesselI0e Betainc Bincount BitwiseAnd BitwiseOr Cholesky
    Cosh CropAndResize Cumprod Digamma Erf Erfinv FFT FFT2D
    FFT3D IFFT IFFT2D IFFT3D Igamma Igammac Invert IRFFT IRFFT2D LeftShift Lgamma Lu MatrixDeterminant MatrixInverse
    MatrixSolve MaxPool3D Ndtri Qr Zeta RandomPoisson RegexReplace ResizeArea ResizeBicubic
    Rint ScaleAndTranslate Sinh StatelessRandomGetKeyCounter StatelessRandomNormalV2 StatelessRandomUniformFullIntV2
    StringJoin StringLength StringLower StringSplitV2 StringToNumber StringUpper Svd Tan TruncateMod UniqueV2
    XlaDynamicSlice
    """.split()  # noqa: SIM905
)
"""Operations of any dtype."""

_OF_WIDE_NUMBERS = frozenset(
    """
    Abs AddV2 ArgMax BatchMatMulV2 BroadcastTo Ceil ConcatV2 Cos Cumsum Equal Exp Floor FloorDiv FloorMod GatherNd
    GatherV2 Greater Less LessEqual Log LogSoftmax MatMul Max Maximum Mean Min Minimum MirrorPad Mul Neg NotEqual Pack
    Pad Pow Prod RealDiv Relu ReverseSequence ReverseV2 Round Rsqrt ScatterNd Sigmoid Sin Softmax Split Sqrt Square
    SquaredDifference StridedSlice Sub Sum Tanh Tile TopKV2 Transpose TruncateDiv TruncateMod Unique Unpack
    """.split()  # noqa: SIM905
)

_NO_DTYPE = {
    **dict.fromkeys((tf.float16, tf.bfloat16, tf.uint16), frozenset({"ConcatV2"})),
    **dict.fromkeys((tf.float64, tf.uint64), _OF_WIDE_NUMBERS),
    tf.string: frozenset(
        """
        Add AddV2 BroadcastTo Cast ConcatV2 GatherV2 MirrorPad Pack Pad ReverseSequence ReverseV2 ScatterNd Split
        StaticRegexFullMatch Transpose Unique Unpack
        """.split()  # noqa: SIM905
    ),
    tf.int32: frozenset({"MatMul", "BatchMatMulV2"}),
    tf.int64: frozenset(
        """
        Abs ArgMax ArgMin BatchMatMulV2 BitwiseXor Div FloorDiv MatMul Pow RealDiv RightShift Sign TruncateDiv
        UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum
        """.split()  # noqa: SIM905
    ),
}
"""Operations that have kernels, of other dtypes than these; of constants the converter computes them itself."""

_LISTS = frozenset({"EmptyTensorList", "TensorListReserve"})
"""Lists of tensors, which become one tensor where all of their elements have one known shape: their first input."""

ADVICE = LITERT.advice


def unsupported_nodes(graph: BoundGraph, traced: tf.Graph, advice: str = ADVICE) -> list[UnsupportedNode]:
    """Return the ONNX nodes for which LiteRT is known to have no operator, each once.

    Args:
        graph: the bound graph.
        traced: what TensorFlow traced of it.
        advice: what to do, which goes into the reasons.
    """
    reasons = ((operation, _reason(operation)) for operation in _operations(traced))
    return _nodes(graph, ((op.name, op.type, reason) for op, reason in reasons if reason), advice)


def refused_nodes(
    graph: BoundGraph, traced: tf.Graph, operations: Iterable[tuple[str, str]], advice: str = ADVICE
) -> list[UnsupportedNode]:
    """Return the ONNX nodes of operations that the converter refuses, each once.

    Args:
        graph: the bound graph.
        traced: what TensorFlow traced of it.
        operations: name and type of each operation.
        advice: what to do, which goes into the reasons.
    """
    known = {operation.name: operation for operation in _operations(traced)}
    named = ((name, op_type, _no_kernel(known.get(name))) for name, op_type in operations)
    return _nodes(graph, named, advice)


def _no_kernel(operation: tf.Operation | None) -> str:
    dtypes = dict.fromkeys(tensor.dtype.name for tensor in (operation.inputs if operation is not None else ()))
    return f"has no kernel for {', '.join(dtypes)} in LiteRT" if dtypes else "has no kernel in LiteRT"


def _nodes(
    graph: BoundGraph, operations: Iterable[tuple[str, str, str]], advice: str = ADVICE
) -> list[UnsupportedNode]:
    """Return the ONNX nodes that operations are parts of, each once, by name, type and reason."""
    found: dict[str, UnsupportedNode] = {}
    for name, op_type, reason in operations:
        node = graph.node_of(name)
        if node is not None:
            found.setdefault(node.onnx_node, _refusal(node, op_type, reason, advice))
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
    for dtype in dtypes & _NO_DTYPE.keys():
        if operation.type in _NO_DTYPE[dtype] and not _is_constant(operation):
            return f"has no kernel of {dtype.name} in LiteRT"
    if operation.type in _LISTS and not _is_shape(tf.get_static_value(operation.inputs[0])):
        return "holds tensors of shapes that only the run tells, of which LiteRT has no lists"
    return ""


def _is_constant(operation: tf.Operation) -> bool:
    """Return whether no input of the graph is behind an operation: variables count as constants."""
    pending, seen = [operation], {operation}
    while pending:
        current = pending.pop()
        if current.type == "Placeholder" and current.outputs[0].dtype != tf.resource:
            return False
        if current.type in ("Shape", "Size") and current.inputs[0].shape.is_fully_defined():
            continue
        above = {tensor.op for tensor in current.inputs} - seen
        seen |= above
        pending += above
    return True


def _is_shape(dims: np.ndarray | None) -> bool:
    return dims is not None and dims.ndim == 1 and bool((dims >= 0).all())


def _refusal(node: BoundNode, op_type: str, reason: str, advice: str) -> UnsupportedNode:
    context, told = node.context, f"tf.{op_type} {reason}" + (f"; {advice}" if advice else "")
    return UnsupportedNode(node.onnx_node, context.op_type, context.onnx_domain, context.version, told)
