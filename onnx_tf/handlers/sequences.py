"""Sequences and optionals.

A sequence is a Python list of tensors as long as tracing knows its length and the positions that
are asked for, and a ``TensorSequence`` from there on; an optional is its element or ``None`` as long
as tracing knows which, and an ``OptionalValue`` from there on (see ``onnx_tf.values``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx_ir as ir
import tensorflow as tf

from onnx_tf import tensor_list
from onnx_tf.budget import Budget
from onnx_tf.handlers._control import counted_loop, known_int
from onnx_tf.handlers._tensors import Dim, dims_of, inverse_permutation, normalize_axis, rank_of, static_ints
from onnx_tf.registry import NodeContext, onnx_op
from onnx_tf.values import Body, OptionalValue, Tensors, TensorSequence, as_sequence, has_element


@onnx_op("SequenceEmpty", since=11)
def sequence_empty(*, dtype: int | None) -> list[tf.Tensor]:
    del dtype  # the first element brings its own
    return []


@onnx_op("SequenceConstruct", since=11)
def sequence_construct(*inputs: tf.Tensor) -> list[tf.Tensor]:
    return list(inputs)


@onnx_op("SequenceLength", since=11)
def sequence_length(sequence: Tensors) -> tf.Tensor:
    return tf.constant(len(sequence), tf.int64) if isinstance(sequence, list) else sequence.length()


@onnx_op("SequenceAt", since=11)
def sequence_at(sequence: Tensors, position: tf.Tensor) -> tf.Tensor:
    known = known_int(tf.reshape(position, []))
    if isinstance(sequence, list) and known is not None:
        return sequence[_checked(known, len(sequence), len(sequence) - 1)]
    sequence = as_sequence(sequence)
    return sequence.at(_from_front(position, sequence))


@onnx_op("SequenceInsert", since=11)
def sequence_insert(sequence: Tensors, tensor: tf.Tensor, position: tf.Tensor | None = None) -> Tensors:
    known = None if position is None else known_int(tf.reshape(position, []))
    if isinstance(sequence, list) and (position is None or known is not None):
        index = len(sequence) if known is None else _checked(known, len(sequence), len(sequence))
        return [*sequence[:index], tensor, *sequence[index:]]
    sequence = TensorSequence.of([], tensor.dtype, tensor.shape) if sequence == [] else as_sequence(sequence)
    return sequence.inserted(tensor, None if position is None else _from_front(position, sequence))


@onnx_op("SequenceErase", since=11)
def sequence_erase(sequence: Tensors, position: tf.Tensor | None = None) -> Tensors:
    known = -1 if position is None else known_int(tf.reshape(position, []))
    if isinstance(sequence, list) and known is not None:
        index = _checked(known, len(sequence), len(sequence) - 1)
        return [*sequence[:index], *sequence[index + 1 :]]
    sequence = as_sequence(sequence)
    return sequence.erased(_from_front(tf.constant(-1) if position is None else position, sequence))


def _checked(position: int, length: int, last: int) -> int:
    """Return a position from 0 on."""
    if not -length <= position <= last:
        raise ValueError(f"position {position} is out of range for a sequence of {length} tensors")
    return position + length if position < 0 else position


def _from_front(position: tf.Tensor, sequence: TensorSequence) -> tf.Tensor:
    """Return a position that may count from the end as one from 0 on, an int32 scalar."""
    position = tf.cast(tf.reshape(position, []), tf.int32)
    return tf.where(position < 0, position + tf.size(sequence.order), position)


@onnx_op("SplitToSequence", since=11)
def split_to_sequence(
    data: tf.Tensor, split: tf.Tensor | None = None, *, axis: int, keepdims: int, context: NodeContext
) -> Tensors:
    axis = normalize_axis(axis, rank_of(data))
    size = dims_of(data)[axis]
    lengths = _lengths(split, size, context.budget)
    squeezed = split is None and not keepdims
    if isinstance(lengths, list):
        parts = tf.split(data, lengths, axis=axis) if lengths else []
        return [tf.squeeze(part, axis) for part in parts] if squeezed else list(parts)
    starts = tf.cumsum(lengths, exclusive=True)
    rank = rank_of(data)

    def part(index: tf.Tensor) -> tf.Tensor:
        along = tf.range(rank) == axis
        return tf.slice(data, tf.where(along, starts[index], 0), tf.where(along, lengths[index], -1))

    def step(index: tf.Tensor, items: tf.Tensor) -> list[Any]:
        return [tensor_list.push(items, tf.squeeze(part(index), axis) if squeezed else part(index))]

    (items,), _ = counted_loop(tf.size(lengths), step, [tensor_list.empty(data.dtype)])
    dims = [None if split is not None and i == axis else d for i, d in enumerate(data.shape)]
    dims = [1 if split is None and i == axis else d for i, d in enumerate(dims) if not (squeezed and i == axis)]
    return TensorSequence.of_list(items, data.dtype, tf.TensorShape(dims))


def _lengths(split: tf.Tensor | None, size: Dim, budget: Budget) -> list[int] | tf.Tensor:
    """Return the lengths of the parts: a list where they are known and may be written out, else an int32 tensor."""
    given = [1] if split is None else static_ints(split)
    if split is not None and split.shape.rank == 1:
        return tf.cast(split, tf.int32) if given is None else given
    if given is not None and (len(given) != 1 or given[0] < 1):
        raise ValueError(f"input 'split' must hold positive lengths, or one for all parts, got {given}")
    if given is not None and isinstance(size, int) and budget.writes_out(-(-size // given[0])):
        (chunk,) = given
        return [min(chunk, size - start) for start in range(0, size, chunk)]
    size, chunk = tf.cast(size, tf.int32), tf.constant(1) if split is None else tf.cast(tf.reshape(split, []), tf.int32)
    starts = tf.range(0, size, chunk)
    return tf.minimum(chunk, size - starts)


@onnx_op("ConcatFromSequence", since=11)
def concat_from_sequence(sequence: Tensors, *, axis: int, new_axis: int) -> tf.Tensor:
    if isinstance(sequence, list):
        return tf.stack(sequence, axis) if new_axis else tf.concat(sequence, axis)
    rank = sequence.shape.rank
    if rank is None:
        raise ValueError("the rank of the sequence's tensors is unknown")
    if new_axis:
        stacked = sequence.stacked()
        axis = normalize_axis(axis, rank + 1)
        return tf.transpose(stacked, [*range(1, axis + 1), 0, *range(axis + 1, rank + 1)])
    axis = normalize_axis(axis, rank)
    to_front = [axis, *range(axis), *range(axis + 1, rank)]
    joined = _concatenated(sequence, to_front)
    return tf.transpose(joined, inverse_permutation(to_front))


def _concatenated(sequence: TensorSequence, permutation: Sequence[int]) -> tf.Tensor:
    """Join a sequence's tensors, transposed, along their first axis."""

    def step(index: tf.Tensor, items: tf.Tensor) -> list[Any]:
        return [tensor_list.push(items, tf.transpose(sequence.at(index), permutation))]

    empty = tensor_list.empty(sequence.dtype)
    (items,), _ = counted_loop(tf.size(sequence.order), step, [empty])
    return tensor_list.concat(items, sequence.dtype, tf.TensorShape([sequence.shape[i] for i in permutation[1:]]))


@onnx_op("SequenceMap", since=17)
def sequence_map(sequence: Tensors, *others: Any, body: Body) -> tuple[Tensors, ...]:
    inputs = (sequence, *others)
    if isinstance(sequence, list) and not any(isinstance(v, TensorSequence) for v in inputs):
        rows = [body(*[v[i] if isinstance(v, list) else v for v in inputs]) for i in range(len(sequence))]
        return tuple([row[i] for row in rows] for i in range(len(body.outputs)))
    values = [as_sequence(v) if isinstance(v, list) else v for v in inputs]

    def step(index: tf.Tensor, *lists: Tensors) -> list[Any]:
        results = body(*[v.at(index) if isinstance(v, TensorSequence) else v for v in values])
        return [sequence_insert(items, result) for items, result in zip(lists, results, strict=True)]

    outputs, _ = counted_loop(tf.size(values[0].order), step, [[] for _ in body.outputs])
    return tuple(outputs)


@onnx_op("Optional", since=15)
def optional(value: Any = None, *, type: ir.TypeAndShape | None) -> Any:  # noqa: A002
    del type  # an element brings its own, and no operator asks for the type of none
    return value


@onnx_op("OptionalHasElement", since=15)
def optional_has_element(value: Any = None) -> tf.Tensor:
    return tf.convert_to_tensor(has_element(value))


@onnx_op("OptionalGetElement", since=15)
def optional_get_element(value: Any) -> Any:
    if value is None:
        raise ValueError("the optional has no element")
    return value.element if isinstance(value, OptionalValue) else value
