"""If, Loop, Scan: operators with graph attributes."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from onnx_tf.handlers._control import conditional, counted_loop, known_bool, known_int, while_loop
from onnx_tf.handlers._stores import TENSOR_LISTS, Store
from onnx_tf.handlers._tensors import Dim, dims_of, inverse_permutation, normalize_axis, rank_of, scalar
from onnx_tf.registry import NodeContext, onnx_op
from onnx_tf.values import Body


@onnx_op("If")
def if_(cond: tf.Tensor, *, then_branch: Body, else_branch: Body) -> tuple[Any, ...]:
    cond = scalar(cond)
    known = known_bool(cond)
    if known is not None:
        return tuple(then_branch() if known else else_branch())
    return tuple(conditional(cond, (then_branch, else_branch)))


def _loop(
    store: Store,
    trip_count: tf.Tensor | None,
    condition: tf.Tensor | None,
    *state: Any,
    body: Body,
    context: NodeContext,
) -> tuple[Any, ...]:
    limit = None if trip_count is None else scalar(trip_count)
    # Without a condition, the one that the body computes is ignored.
    conditional = condition is not None
    go_on = scalar(condition) if conditional else tf.constant(True)
    count = None if limit is None else known_int(limit)
    unrolled = None
    if count is not None and count > 0:
        with context.budget.unrolling(count, body.size) as allowed:
            unrolled = _unrolled_loop(count, go_on, state, body, conditional) if allowed else None
    if unrolled is not None:
        return unrolled

    try:
        return _counted_loop(store, limit, go_on, state, body, conditional)
    except _NotCountedError:
        pass

    def proceed(iteration: tf.Tensor, go_on: tf.Tensor, *_: Any) -> tf.Tensor:
        return go_on if limit is None else tf.logical_and(go_on, iteration < limit)

    def step(iteration: tf.Tensor, go_on: tf.Tensor, *values: Any) -> list[Any]:
        following, *results = body(iteration, go_on, *values)
        return [iteration + 1, scalar(following) if conditional else go_on, *results]

    start = [tf.constant(0, tf.int64), go_on, *state]
    final, stacks = while_loop(proceed, step, start, body.output_specs[1 + len(state) :], store=store)
    return (*final[2:], *stacks)


class _NotCountedError(Exception):
    """Only the run tells how many iterations a loop has."""


def _counted_loop(
    store: Store, limit: tf.Tensor | None, go_on: tf.Tensor, state: Sequence[Any], body: Body, conditional: bool
) -> tuple[Any, ...]:
    """Return the results of a loop whose condition stays true, as that of a ``for`` does.

    Raises:
        _NotCountedError: it is not such a loop.
    """
    if limit is None or not known_bool(go_on):
        raise _NotCountedError

    def step(index: tf.Tensor, *values: Any) -> list[Any]:
        following, *results = body(tf.cast(index, tf.int64), tf.constant(True), *values)
        if conditional and not known_bool(scalar(following)):
            raise _NotCountedError
        return results

    final, stacks = counted_loop(
        tf.maximum(limit, 0), step, list(state), body.output_specs[1 + len(state) :], store=store
    )
    return (*final, *stacks)


def _unrolled_loop(
    count: int, go_on: tf.Tensor, state: Sequence[Any], body: Body, conditional: bool
) -> tuple[Any, ...] | None:
    """Return the results of a loop of a known number of iterations, ``None`` if only the run tells when it ends."""
    values, rows = list(state), []
    for iteration in range(count):
        known = known_bool(go_on)
        if known is None:
            return None
        if not known:
            break
        following, *results = body(tf.constant(iteration, tf.int64), tf.constant(True), *values)
        go_on = scalar(following) if conditional else go_on
        values = results[: len(state)]
        rows.append(results[len(state) :])
    if not rows:
        return None
    return (*values, *[tf.stack(column) for column in zip(*rows, strict=True)])


def _scan_9(
    store: Store,
    *inputs: tf.Tensor,
    num_scan_inputs: int,
    scan_input_axes: Sequence[int] | None,
    scan_input_directions: Sequence[int] | None,
    scan_output_axes: Sequence[int] | None,
    scan_output_directions: Sequence[int] | None,
    body: Body,
    context: NodeContext,
) -> tuple[tf.Tensor, ...]:
    count = len(inputs) - num_scan_inputs
    axes = scan_input_axes or [0] * num_scan_inputs
    slices = [_first(x, axis) for x, axis in zip(inputs[count:], axes, strict=True)]
    state, stacks = _scan(inputs[:count], slices, dims_of(slices[0])[0], scan_input_directions, body, store, context)
    reverse = scan_output_directions or [0] * len(stacks)
    outputs = [tf.reverse(y, [0]) if r else y for y, r in zip(stacks, reverse, strict=True)]
    return (*state, *[_moved(y, axis) for y, axis in zip(outputs, scan_output_axes or [0] * len(stacks), strict=True)])


def _scan_8(
    store: Store,
    sequence_lens: tf.Tensor | None,
    *inputs: tf.Tensor,
    num_scan_inputs: int,
    directions: Sequence[int] | None,
    body: Body,
    context: NodeContext,
) -> tuple[tf.Tensor, ...]:
    count = len(inputs) - num_scan_inputs
    batch, length = dims_of(inputs[count])[:2]

    def sample(index: tf.Tensor) -> list[tf.Tensor]:
        steps = length if sequence_lens is None else tf.cast(sequence_lens[index], tf.int32)
        rows = [x[index] for x in inputs]
        state, stacks = _scan(rows[:count], rows[count:], steps, directions, body, store, context)
        rest = tf.cast(length, tf.int32) - tf.cast(steps, tf.int32)
        return [*state, *[tf.pad(y, [[0, rest]] + [[0, 0]] * (rank_of(y) - 1)) for y in stacks]]

    _, results = counted_loop(batch, sample, [], body.output_specs, store=store)
    return tuple(results)


def _scan(
    state: Sequence[tf.Tensor],
    slices: Sequence[tf.Tensor],
    length: Dim,
    directions: Sequence[int] | None,
    body: Body,
    store: Store,
    context: NodeContext,
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Scan tensors along their first axis."""
    readers = [store.rows(x) for x in slices]
    directions = directions or [0] * len(slices)

    def step(index: tf.Tensor, *values: Any) -> list[Any]:
        elements = []
        for read, reverse in zip(readers, directions, strict=True):
            position = tf.cast(length, tf.int32) - 1 - index if reverse else index
            elements.append(read(position))
        return body(*values, *elements)

    specs = body.output_specs[len(state) :]
    with context.budget.unrolling(length if isinstance(length, int) else 0, body.size) as unroll:
        return counted_loop(length, step, list(state), specs, unroll=unroll, store=store)


def _first(x: tf.Tensor, axis: int) -> tf.Tensor:
    """Return a tensor with an axis moved to the front."""
    axis = normalize_axis(axis, rank_of(x))
    return tf.transpose(x, [axis, *range(axis), *range(axis + 1, rank_of(x))]) if axis else x


def _moved(y: tf.Tensor, axis: int) -> tf.Tensor:
    """Return a tensor with its first axis moved to another place."""
    axis = normalize_axis(axis, rank_of(y))
    permutation = [axis, *range(axis), *range(axis + 1, rank_of(y))]
    return tf.transpose(y, inverse_permutation(permutation)) if axis else y


def register_loops(store: Store, target: str = "") -> None:
    """Register Loop and Scan; ``store`` holds what their iterations give."""
    for op_type, since, handler in (("Loop", 1, _loop), ("Scan", 8, _scan_8), ("Scan", 9, _scan_9)):
        onnx_op(op_type, since=since, target=target)(functools.partial(handler, store))


register_loops(TENSOR_LISTS)
