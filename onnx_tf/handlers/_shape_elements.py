"""What the elements of computed shapes are, as the operations of a trace tell: numbers and dimensions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from onnx_tf.handlers._open_dims import is_dim, is_in_trace, open_dim

__all__ = ["elements"]

_KINDS = (tf.int32, tf.int64, tf.bool)

MAX_ELEMENTS = 16
"""A longer vector of integers is data, not a shape."""


def elements(vector: tf.Tensor) -> list[int | tf.Tensor] | None:
    """Return the elements of an integer scalar or vector, ints and int64 scalars, if operations tell what they are."""
    if not tf.is_tensor(vector) or vector.shape.rank not in (0, 1) or vector.dtype not in _KINDS:
        return None
    value = tf.get_static_value(vector) if not tf.is_symbolic_tensor(vector) or vector.op.type == "Const" else None
    if value is not None:
        return [int(each) for each in np.reshape(value, -1)] if np.size(value) <= MAX_ELEMENTS else None
    rule = _ELEMENTS.get(vector.op.type) if is_in_trace(vector) else None
    return None if rule is None else rule(vector.op)


def _of_first(op: tf.Operation) -> list[int | tf.Tensor] | None:
    return elements(op.inputs[0])


def _of_equal(op: tf.Operation) -> list[int | tf.Tensor] | None:
    a, b = (elements(operand) for operand in op.inputs)
    if not a or not b or op.inputs[0].dtype == tf.bool:
        return None
    count = max(len(a), len(b))
    found = [_is_equal(x, y) for x, y in zip(a * (count // len(a)), b * (count // len(b)), strict=True)]
    return None if None in found else [int(bool(each)) for each in found]


def _is_equal(a: int | tf.Tensor, b: int | tf.Tensor) -> bool | None:
    if a is b or (isinstance(a, int) and isinstance(b, int)):
        return a is b or a == b
    numbers = [each for each in (a, b) if isinstance(each, int)]
    dims = [each for each in (a, b) if not isinstance(each, int) and is_dim(each)]
    return False if numbers and dims and numbers[0] < 0 else None


def _of_choice(op: tf.Operation) -> list[int | tf.Tensor] | None:
    operands = [elements(operand) for operand in op.inputs]
    count = max(len(each or ()) for each in operands)
    rows = [each * (count // len(each)) for each in operands if each]
    if len(rows) < 3 or any(len(row) != count or not all(isinstance(c, int) for c in rows[0]) for row in rows):
        return None
    return [a if chosen else b for chosen, a, b in zip(*rows, strict=True)]


def _of_pack(op: tf.Operation) -> list[int | tf.Tensor] | None:
    if len(op.outputs[0].shape) != 1:
        return None
    found = [(element, elements(element)) for element in op.inputs]
    return [own[0] if own else tf.cast(element, tf.int64) for element, own in found]


def _of_parts(op: tf.Operation) -> list[int | tf.Tensor] | None:
    parts = [elements(part) for part in op.inputs[:-1]]
    return None if any(part is None for part in parts) else [each for part in parts for each in part or ()]


def _of_gather(op: tf.Operation) -> list[int | tf.Tensor] | None:
    source, indices = op.inputs[:2]
    chosen, found = tf.get_static_value(indices), elements(source) if source.shape.rank == 1 else None
    if found is None or chosen is None or not all(-len(found) <= each < len(found) for each in np.reshape(chosen, -1)):
        return None
    return [found[int(each)] for each in np.reshape(chosen, -1)]


def _of_slice(op: tf.Operation) -> list[int | tf.Tensor] | None:
    bounds = [tf.get_static_value(bound) for bound in op.inputs[1:]]
    masks = [op.get_attr(f"{name}_mask") for name in ("begin", "end", "shrink_axis", "new_axis", "ellipsis")]
    found = elements(op.inputs[0]) if op.inputs[0].shape.rank == 1 else None
    if found is None or any(bound is None or len(bound) != 1 for bound in bounds) or masks[3] or masks[4]:
        return None
    begin, end, step = (int(bound[0]) for bound in bounds)
    if masks[2]:
        return [found[begin]] if -len(found) <= begin < len(found) else None
    return found[None if masks[0] else begin : None if masks[1] else end : step]


def _of_shape(op: tf.Operation) -> list[int | tf.Tensor] | None:
    source = op.inputs[0]
    if source.shape.rank is None:
        return None
    return [open_dim(source, axis) if dim is None else int(dim) for axis, dim in enumerate(source.shape)]


_ELEMENTS: dict[str, Callable[[tf.Operation], list[int | tf.Tensor] | None]] = {
    "Cast": _of_first,
    "ConcatV2": _of_parts,
    "Equal": _of_equal,
    "ExpandDims": _of_first,
    "GatherV2": _of_gather,
    "Identity": _of_first,
    "Pack": _of_pack,
    "Reshape": _of_first,
    "SelectV2": _of_choice,
    "Shape": _of_shape,
    "Squeeze": _of_first,
    "StridedSlice": _of_slice,
}
