"""Which open dimensions are one and the same, as the operations of a trace tell.

TensorFlow reads the shape of each tensor anew. Here an open dimension is followed to the first tensor that is sure to
have it, and those of which that is the same are read once: shapes made of the same dimensions become one operation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

__all__ = ["is_dim", "is_in_trace", "open_dim"]

Place: TypeAlias = "tuple[tf.Tensor, int]"
"""A tensor and one of its axes."""

Source: TypeAlias = "tuple[tf.Tensor, int, Fraction]"
"""A tensor, one of its axes, and what that dimension is to be multiplied by."""

_KNOWN = "_onnx_tf_open_dims"
"""The attribute of a graph that holds what is known of it."""

MAX_DISTANCE = 100
"""How many operations back a dimension is followed between two tensors of which it was asked for."""

_KEPT = frozenset(
    """Abs BiasAdd Cast Ceil Cos Elu EnsureShape Erf Erfc Exp Expm1 Floor Identity LeakyRelu Log Log1p LogSoftmax
    LogicalNot Neg OnesLike Reciprocal Relu Relu6 Rint Round Rsqrt Selu Sigmoid Sign Sin Softmax Softplus Softsign Sqrt
    Square StopGradient Tanh ZerosLike""".split()  # noqa: SIM905
)
_BROADCAST = frozenset(
    """Add AddV2 Atan2 DivNoNan Equal FloorDiv FloorMod Greater GreaterEqual Less LessEqual LogicalAnd LogicalOr Maximum
    Minimum Mul NotEqual Pow RealDiv SelectV2 SquaredDifference Sub""".split()  # noqa: SIM905
)
_REDUCED = frozenset({"All", "Any", "Max", "Mean", "Min", "Prod", "Sum"})
_BATCHED = frozenset({"AvgPool", "Conv2D", "Conv3D", "DepthwiseConv2dNative", "MaxPool"})


class _Known:
    """What a graph's open dimensions were found to be."""

    def __init__(self) -> None:
        self.sources: dict[tuple[Any, int], Source] = {}
        self.scalars: dict[tuple[Any, int], tf.Tensor] = {}
        self.dims: dict[Any, Source] = {}

    @staticmethod
    def of(graph: tf.Graph) -> _Known:
        if not hasattr(graph, _KNOWN):
            setattr(graph, _KNOWN, _Known())
        return getattr(graph, _KNOWN)


def is_in_trace(tensor: tf.Tensor) -> bool:
    """Return whether a tensor is one of the graph that is traced now, whose operations can be followed."""
    return tf.is_symbolic_tensor(tensor) and tensor.graph is tf.compat.v1.get_default_graph()


def open_dim(tensor: tf.Tensor, axis: int) -> tf.Tensor:
    """Return an open dimension of a tensor of known rank as an int64 scalar, the same for equal ones."""
    if not is_in_trace(tensor):
        return tf.shape(tensor, tf.int64)[axis]
    known = _Known.of(tensor.graph)
    source, at, factor = _followed(tensor, axis, known, MAX_DISTANCE)
    if factor != 1:
        source, at = tensor, axis
    key = (source.ref(), at)
    if key not in known.scalars:
        # Of the tensor that was asked for: grappler's remapper fails where something reads a sum that it merges.
        known.scalars[key] = tf.shape(tensor, tf.int64)[axis]
        known.dims[known.scalars[key].ref()] = source, at, Fraction(1)
    return known.scalars[key]


def is_dim(scalar: tf.Tensor) -> bool:
    """Return whether a scalar is the dimension of a tensor, as :func:`open_dim` gave it."""
    return is_in_trace(scalar) and scalar.ref() in _Known.of(scalar.graph).dims


def _followed(tensor: tf.Tensor, axis: int, known: _Known, distance: int) -> Source:
    """Return the first tensor that has the dimension."""
    key = (tensor.ref(), axis)
    if key not in known.sources:
        found = _before(tensor, axis, known, distance) if distance else None
        known.sources[key] = found or (tensor, axis, Fraction(1))
    return known.sources[key]


def _before(tensor: tf.Tensor, axis: int, known: _Known, distance: int) -> Source | None:
    op, factor = tensor.op, Fraction(1)
    if op.type == "Reshape":
        shape = op.inputs[1].op
        if shape.type == "Pack" and shape.inputs[axis].ref() in known.dims:
            return known.dims[shape.inputs[axis].ref()]
        factor = _regrouped(op)
    rule = _RULES.get(op.type)
    places = rule(op, axis, len(tensor.shape)) if rule is not None else ()
    # What is of unknown rank ends the way, as what has another dimension there does.
    ways = [(value, at) for value, at in places if value.shape.rank is not None and value.shape[at] is None]
    found = [_followed(value, at, known, distance - 1) for value, at in ways]
    if not found or len(found) < len(places) or any(not _is_same(found[0], other) for other in found[1:]):
        return None
    source, at, inner = found[0]
    return source, at, inner * factor


def _is_same(a: Source, b: Source) -> bool:
    return a[0] is b[0] and a[1:] == b[1:]


def _regrouped(op: tf.Operation) -> Fraction:
    """Return what the one open dimension of a Reshape is of that of its data."""
    before, after = (
        math.prod(dim for dim in tensor.shape if dim is not None) if tensor.shape.rank is not None else 0
        for tensor in (op.inputs[0], op.outputs[0])
    )
    return Fraction(before, after) if before and after else Fraction(1)


def _kept(op: tf.Operation, axis: int, _rank: int) -> Sequence[Place]:
    return [(op.inputs[0], axis)]


def _broadcast(op: tf.Operation, axis: int, rank: int) -> Sequence[Place]:
    return _aligned(list(op.inputs), axis, rank)


def _aligned(operands: Sequence[tf.Tensor], axis: int, rank: int) -> Sequence[Place]:
    """Return the places of operands that may decide the dimension: those of 1 never do."""
    if any(operand.shape.rank is None for operand in operands):
        return ()
    places = [(operand, axis - rank + len(operand.shape)) for operand in operands]
    return [(operand, at) for operand, at in places if at >= 0 and operand.shape[at] != 1]


def _batch(op: tf.Operation, axis: int, _rank: int) -> Sequence[Place]:
    return [(op.inputs[0], 0)] if axis == 0 else ()


def _transposed(op: tf.Operation, axis: int, _rank: int) -> Sequence[Place]:
    perm = tf.get_static_value(op.inputs[1])
    return () if perm is None else [(op.inputs[0], int(perm[axis]))]


def _reduced(op: tf.Operation, axis: int, rank: int) -> Sequence[Place]:
    axes = tf.get_static_value(op.inputs[1])
    before = op.inputs[0].shape.rank
    if axes is None or before is None:
        return ()
    gone = {int(each) % before for each in np.reshape(axes, -1)}
    left = list(range(before)) if before == rank else [each for each in range(before) if each not in gone]
    return [(op.inputs[0], left[axis])] if left[axis] not in gone else ()


def _expanded(op: tf.Operation, axis: int, rank: int) -> Sequence[Place]:
    added = tf.get_static_value(op.inputs[1])
    if added is None:
        return ()
    return [(op.inputs[0], axis - (axis > int(np.reshape(added, ())) % rank))]


def _squeezed(op: tf.Operation, axis: int, _rank: int) -> Sequence[Place]:
    dropped, before = op.get_attr("squeeze_dims"), op.inputs[0].shape.rank
    if not dropped or before is None:
        return ()
    gone = {each % before for each in dropped}
    return [(op.inputs[0], [each for each in range(before) if each not in gone][axis])]


def _product(op: tf.Operation, axis: int, _rank: int) -> Sequence[Place]:
    a, b = op.inputs[:2]
    return [(a, 1 if op.get_attr("transpose_a") else 0) if axis == 0 else (b, 0 if op.get_attr("transpose_b") else 1)]


def _products(op: tf.Operation, axis: int, rank: int) -> Sequence[Place]:
    a, b = op.inputs[:2]
    if a.shape.rank is None or b.shape.rank is None:
        return ()
    if axis == rank - 2:
        return [(a, len(a.shape) - 1 - (not op.get_attr("adj_x")))]
    if axis == rank - 1:
        return [(b, len(b.shape) - 2 + (not op.get_attr("adj_y")))]
    return _aligned([a, b], axis, rank)


def _joined(op: tf.Operation, axis: int, rank: int) -> Sequence[Place]:
    *parts, along = op.inputs
    along = tf.get_static_value(along)
    return () if along is None or int(along) % rank == axis else [(part, axis) for part in parts]


def _gathered(op: tf.Operation, axis: int, _rank: int) -> Sequence[Place]:
    """Return the places of indices into the first axis of a table."""
    indices = op.inputs[1]
    along = tf.get_static_value(op.inputs[2]) if op.type == "GatherV2" else 0
    if along is None or int(along) or op.get_attr("batch_dims") or indices.shape.rank is None:
        return ()
    return [(indices, axis)] if axis < len(indices.shape) else ()


def _reshaped(op: tf.Operation, _axis: int, _rank: int) -> Sequence[Place]:
    """Return the place of the one open dimension of what is reshaped, if there is one, and no dimension of 0."""
    before, after = op.inputs[0].shape, op.outputs[0].shape
    shapes = [list(shape) for shape in (before, after) if shape.rank is not None and 0 not in shape]
    if [shape.count(None) for shape in shapes] != [1, 1]:
        return ()
    return [(op.inputs[0], shapes[0].index(None))]


_RULES: dict[str, Callable[[tf.Operation, int, int], Sequence[Place]]] = {
    **dict.fromkeys(_KEPT, _kept),
    **dict.fromkeys(_BROADCAST, _broadcast),
    **dict.fromkeys(_REDUCED, _reduced),
    **dict.fromkeys(_BATCHED, _batch),
    "BatchMatMulV2": _products,
    "ConcatV2": _joined,
    "ExpandDims": _expanded,
    "GatherV2": _gathered,
    "MatMul": _product,
    "Reshape": _reshaped,
    "ResourceGather": _gathered,
    "Squeeze": _squeezed,
    "Transpose": _transposed,
}
"""For an operation, an axis of its result and the rank of that: all that have this dimension, none where it is new."""
