"""``tf.cond`` and ``tf.while_loop`` over any ONNX values, whose shapes may differ from path to path.

TensorFlow asks for the structure of what control flow carries before it sees the branches or the
body. Here each is traced with the structure of what comes first; where another path gives back
something more general, all is traced again with the structure that holds both.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.smart_cond import smart_constant_value

from onnx_tf.handlers._stores import TENSOR_LISTS, Store
from onnx_tf.handlers._tensors import Dim
from onnx_tf.values import Kind, build, flatten, kind_of, merged, possible_shapes, specs, with_possible_shapes

__all__ = ["conditional", "counted_loop", "known_bool", "known_int", "while_loop"]

Values = list[Any]


class _WiderError(Exception):
    """Tracing met values that need more general kinds."""

    def __init__(self, kinds: list[Kind], rows: Sequence[tf.TensorSpec] = ()) -> None:
        super().__init__()
        self.kinds = kinds
        self.rows = list(rows)


def known_bool(condition: tf.Tensor) -> bool | None:
    """Return a scalar condition as far as shapes and constants tell, else ``None``."""
    value = smart_constant_value(condition)
    return None if value is None else bool(value)


def known_int(number: tf.Tensor) -> int | None:
    """Return a scalar integer as far as shapes and constants tell, else ``None``."""
    value = smart_constant_value(number)
    return None if value is None else int(value)


def conditional(condition: tf.Tensor, branches: Sequence[Callable[[], Values]]) -> Values:
    """Return the values of the first branch where the condition holds, else of the second.

    Raises:
        ValueError: the branches give values of types that nothing unites.
    """
    kinds: list[Kind] | None = None
    while True:
        try:
            return _conditional(condition, branches, kinds)
        except _WiderError as wider:
            kinds = wider.kinds


def _conditional(condition: tf.Tensor, branches: Sequence[Callable[[], Values]], kinds: list[Kind] | None) -> Values:
    agreed = kinds
    shapes: list[list[list[tf.TensorShape] | None]] = []

    def trace(branch: Callable[[], Values]) -> list[tf.Tensor]:
        nonlocal agreed
        values = branch()
        found = [kind_of(value) for value in values]
        if agreed is None:
            agreed = found
        wider = _merged(agreed, found)
        if _structures(wider) != _structures(agreed):
            raise _WiderError(wider)
        agreed = wider
        shapes.append([possible_shapes(value) if isinstance(value, tf.Tensor) else None for value in values])
        return [tf.identity(t) for k, v in zip(wider, values, strict=True) for t in flatten(k, v)]

    tensors = tf.cond(condition, lambda: trace(branches[0]), lambda: trace(branches[1]))
    assert agreed is not None
    results = _build(agreed, tensors)
    for result, one, other in zip(results, *shapes, strict=True):
        if one is not None and other is not None:
            with_possible_shapes(result, [*one, *other])
    return results


def while_loop(
    condition: Callable[..., tf.Tensor],
    body: Callable[..., Values],
    state: Values,
    collected: Sequence[tf.TensorSpec] = (),
    *,
    count: Dim | None = None,
    store: Store = TENSOR_LISTS,
) -> tuple[Values, list[tf.Tensor]]:
    """Return the final state of a loop, and what its iterations gave besides, stacked.

    Args:
        condition: takes the state, tells whether to go on.
        body: takes the state, returns the next one and a tensor for each of ``collected``.
        state: the initial values; with ``collected`` the first is the number of the iteration, from 0 on.
        collected: what those tensors are likely to be; the body is traced again where they are not.
        count: the number of iterations, where it is known before the first one.
        store: what holds ``collected``.
    """
    kinds, rows = [kind_of(value) for value in state], list(collected)
    while True:
        try:
            return _while_loop(condition, body, state, kinds, rows, count, store)
        except _WiderError as wider:
            kinds, rows = wider.kinds, wider.rows


def _while_loop(
    condition: Callable[..., tf.Tensor],
    body: Callable[..., Values],
    state: Values,
    kinds: list[Kind],
    rows: list[tf.TensorSpec],
    count: Dim | None,
    store: Store,
) -> tuple[Values, list[tf.Tensor]]:
    opened = [store.opened(row, count) for row in rows]
    carried = sum(map(len, opened))

    def split(tensors: Sequence[Any]) -> tuple[Sequence[Any], list[list[Any]]]:
        following = iter(tensors[len(tensors) - carried :])
        return tensors[: len(tensors) - carried], [[next(following) for _ in held] for held in opened]

    def traced_condition(*tensors: tf.Tensor) -> tf.Tensor:
        return condition(*_build(kinds, split(tensors)[0]))

    def traced_body(*tensors: tf.Tensor) -> list[tf.Tensor]:
        state, lists = split(tensors)
        found = body(*_build(kinds, state))
        values, results = found[: len(found) - len(rows)], found[len(found) - len(rows) :]
        wider = _merged(kinds, [kind_of(value) for value in values])
        found = [tf.TensorSpec(result.shape, result.dtype) for result in results]
        if wider != kinds or found != rows:
            raise _WiderError(wider, found)
        filled = [store.put(held, state[0], result, count) for held, result in zip(lists, results, strict=True)]
        return [*_flatten(kinds, values), *itertools.chain(*filled)]

    invariants = [spec.shape for kind in kinds for spec in specs(kind)]
    tensors = tf.while_loop(
        traced_condition,
        traced_body,
        [*_flatten(kinds, state), *itertools.chain(*opened)],
        shape_invariants=[*invariants, *itertools.chain(*[store.shapes(row, count) for row in rows])],
    )
    final, filled = split(tensors)
    stacks = [store.stacked(held, final[0], row, count) for held, row in zip(filled, rows, strict=True)]
    return _build(kinds, final), stacks


def counted_loop(
    count: Dim,
    body: Callable[..., Values],
    state: Values,
    collected: Sequence[tf.TensorSpec] = (),
    *,
    unroll: bool = False,
    store: Store = TENSOR_LISTS,
) -> tuple[Values, list[tf.Tensor]]:
    """Return the final state of a loop of a number of iterations, and what they gave, stacked.

    Args:
        count: the number of iterations.
        body: takes the iteration's number (int32) and the state, returns as for :func:`while_loop`.
        state: the initial values.
        collected: see :func:`while_loop`.
        unroll: repeat the body in the graph where the count is static.
        store: what holds ``collected``.
    """
    if unroll and isinstance(count, int) and count > 0:
        rows = []
        for index in range(count):
            values = body(tf.constant(index), *state)
            state, results = values[: len(state)], values[len(state) :]
            rows.append(results)
        return state, [tf.stack(column) for column in zip(*rows, strict=True)]

    def step(index: tf.Tensor, *values: Any) -> Values:
        return [index + 1, *body(index, *values)]

    limit = tf.cast(count, tf.int32)
    start = [tf.constant(0), *state]
    final, stacks = while_loop(lambda index, *_: index < limit, step, start, collected, count=count, store=store)
    return final[1:], stacks


def _merged(kinds: list[Kind], others: list[Kind]) -> list[Kind]:
    return [merged(a, b) for a, b in zip(kinds, others, strict=True)]


def _structures(kinds: list[Kind]) -> list[Any]:
    return [[spec.dtype for spec in specs(kind)] for kind in kinds]


def _flatten(kinds: list[Kind], values: Sequence[Any]) -> list[tf.Tensor]:
    return [tensor for kind, value in zip(kinds, values, strict=True) for tensor in flatten(kind, value)]


def _build(kinds: list[Kind], tensors: Sequence[tf.Tensor]) -> Values:
    following = iter(tensors)
    return [build(kind, following) for kind in kinds]
