"""Reductions over axes."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import tensorflow as tf

from onnx_tf.handlers._ranks import MAX_BROADCAST, arg_along, reverse
from onnx_tf.handlers._tensors import (
    computed_in,
    dims_of,
    normalize_axis,
    product,
    rank_of,
    reshaped,
    scalar,
    static_ints,
    vector,
    widened,
)
from onnx_tf.registry import onnx_op, registry

Reduction = Callable[..., Any]
"""A function of the data, the axes (``None``: all of them) and whether to keep them."""


Axes: TypeAlias = "Sequence[int] | tf.Tensor | None"


def _max(x: tf.Tensor, axes: Axes, keepdims: bool) -> tf.Tensor:
    return (tf.reduce_any if x.dtype == tf.bool else tf.reduce_max)(x, axes, keepdims)


def _min(x: tf.Tensor, axes: Axes, keepdims: bool) -> tf.Tensor:
    return (tf.reduce_all if x.dtype == tf.bool else tf.reduce_min)(x, axes, keepdims)


def _accumulated(reduce: Reduction, integers_in: tf.DType | None = None) -> Reduction:
    """Return the reduction with half-precision floats, and integers if asked, in a wider dtype."""

    def wide(x: tf.Tensor, axes: Axes, keepdims: bool) -> tf.Tensor:
        def along_axes(data: tf.Tensor) -> tf.Tensor:
            return reduce(data, axes, keepdims)

        if x.dtype.is_integer and integers_in is not None:
            return computed_in(integers_in, along_axes, x)
        return widened(along_axes, x)

    return wide


def _mean(x: tf.Tensor, axes: Axes, keepdims: bool) -> tf.Tensor:
    if x.dtype.is_floating:
        return tf.reduce_mean(x, axes, keepdims)
    wide = x if x.dtype == tf.uint64 else tf.cast(x, tf.int64)
    count = tf.maximum(tf.reduce_sum(tf.ones_like(wide), axes, keepdims), 1)
    return tf.cast(tf.truncatediv(tf.reduce_sum(wide, axes, keepdims), count), x.dtype)


def _l1(x: tf.Tensor, axes: Axes, keepdims: bool) -> tf.Tensor:
    return tf.reduce_sum(x if x.dtype.is_unsigned else tf.abs(x), axes, keepdims)


def _l2(x: tf.Tensor, axes: Axes, keepdims: bool) -> tf.Tensor:
    return tf.sqrt(tf.reduce_sum(x * x, axes, keepdims))


def _log_sum(x: tf.Tensor, axes: Axes, keepdims: bool) -> tf.Tensor:
    return tf.math.log(tf.reduce_sum(x, axes, keepdims))


def _log_sum_exp(x: tf.Tensor, axes: Axes, keepdims: bool) -> tf.Tensor:
    rank = rank_of(x)
    if rank <= MAX_BROADCAST or not isinstance(axes, list):
        return tf.reduce_logsumexp(x, axes, keepdims)
    axes = [normalize_axis(axis, rank) for axis in axes]
    kept = [i for i in range(rank) if i not in axes]
    dims = dims_of(x)
    rows = reshaped(tf.transpose(x, [*kept, *axes]), [product([dims[i] for i in part]) for part in (kept, axes)])
    left = [1 if i in axes else dims[i] for i in range(rank) if keepdims or i in kept]
    return reshaped(tf.reduce_logsumexp(rows, -1), left)


def _sum_square(x: tf.Tensor, axes: Axes, keepdims: bool) -> tf.Tensor:
    return tf.reduce_sum(x * x, axes, keepdims)


MAX_REDUCED = 6
"""LiteRT's delegate computes no sums and means of more axes, and does not say so before it runs."""


def _of_few_axes(reduce: Reduction) -> Reduction:
    """Return the reduction of data of any rank: adjacent axes that all go or all stay are one to the kernel."""

    @functools.wraps(reduce)
    def of_any_rank(x: tf.Tensor, axes: Axes, keepdims: bool) -> tf.Tensor:
        if rank_of(x) <= MAX_REDUCED or not isinstance(axes, list):
            return reduce(x, axes, keepdims)
        dims, gone = dims_of(x), {normalize_axis(axis, rank_of(x)) for axis in axes}
        groups = [list(group) for _, group in itertools.groupby(range(len(dims)), gone.__contains__)]
        merged = reshaped(x, [product([dims[axis] for axis in group]) for group in groups])
        y = reduce(merged, [i for i, group in enumerate(groups) if group[0] in gone], False)
        left = [1 if axis in gone else dim for axis, dim in enumerate(dims) if keepdims or axis not in gone]
        return reshaped(y, left)

    return of_any_rank


_REDUCTIONS: dict[str, Reduction] = {
    "ReduceL1": _accumulated(_l1),
    "ReduceL2": _accumulated(_l2, integers_in=tf.float64),
    "ReduceLogSum": _accumulated(_log_sum, integers_in=tf.float64),
    "ReduceLogSumExp": _accumulated(_log_sum_exp, integers_in=tf.float64),
    "ReduceMax": _max,
    "ReduceMean": _accumulated(_mean),
    "ReduceMin": _min,
    "ReduceProd": _accumulated(tf.reduce_prod),
    "ReduceSum": _accumulated(tf.reduce_sum),
    "ReduceSumSquare": _accumulated(_sum_square),
}
REDUCTIONS = {name: _of_few_axes(reduce) for name, reduce in _REDUCTIONS.items()}


def _with_axes_attribute(reduce: Reduction) -> Reduction:
    """Return the handler of the versions whose axes are an attribute."""

    def handler(data: tf.Tensor, *, axes: Sequence[int] | None, keepdims: int) -> tf.Tensor:
        return reduce(data, list(axes) if axes else None, bool(keepdims))

    return handler


def _with_axes_input(reduce: Reduction) -> Reduction:
    """Return the handler of the versions whose axes are an input."""

    def handler(
        data: tf.Tensor, axes: tf.Tensor | None = None, *, keepdims: int, noop_with_empty_axes: int
    ) -> tf.Tensor:
        axes = vector(axes, "axes")
        if axes is None or axes.shape[0] == 0:
            return reduce(data, [] if noop_with_empty_axes else None, bool(keepdims))
        known = static_ints(axes)
        if known is not None:
            return reduce(data, known, bool(keepdims))
        axes = tf.cast(axes, tf.int32)  # LiteRT's kernels take no others
        if axes.shape[0] is None and not noop_with_empty_axes:
            axes = tf.cond(tf.size(axes) > 0, lambda: axes, lambda: tf.range(rank_of(data), dtype=axes.dtype))
        return _with_known_rank(reduce(data, axes, bool(keepdims)), data, axes, keepdims)

    return handler


def _with_known_rank(result: tf.Tensor, data: tf.Tensor, axes: tf.Tensor, keepdims: int) -> tf.Tensor:
    """Return a result with its rank stated: axes of run time hide it."""
    count = 0 if keepdims else axes.shape[0]
    if count is not None:
        result.set_shape([None] * (rank_of(data) - count))
    return result


def register_reduction(op_type: str, reduce: Reduction, target: str = "") -> None:
    """Register a reduction for all versions of its operator, for one target or for all."""
    since = 13 if op_type == "ReduceSum" else 18
    registry.register(op_type, _with_axes_attribute(reduce), since=1, domain="", target=target)
    registry.register(op_type, _with_axes_input(reduce), since=since, domain="", target=target)


for _name, _reduce in REDUCTIONS.items():
    register_reduction(_name, _reduce)


def _register_arg(op_type: str, function: Callable[..., Any]) -> None:
    @onnx_op(op_type)
    def arg_1(data: tf.Tensor, *, axis: int, keepdims: int) -> tf.Tensor:
        return arg(function, data, axis, keepdims, select_last_index=0)

    @onnx_op(op_type, since=12)
    def arg_12(data: tf.Tensor, *, axis: int, keepdims: int, select_last_index: int) -> tf.Tensor:
        return arg(function, data, axis, keepdims, select_last_index)


def arg(
    function: Callable[..., tf.Tensor], data: tf.Tensor, axis: int, keepdims: int, select_last_index: int
) -> tf.Tensor:
    """Return the index of the first or last extreme element along an axis, int64."""
    if rank_of(data) == 0:
        return tf.zeros([], tf.int64)
    axis = normalize_axis(axis, rank_of(data))
    if select_last_index:
        last = dims_of(data)[axis] - 1
        index = tf.cast(last, tf.int64) - arg_along(function, reverse(data, axis), axis)
    else:
        index = arg_along(function, data, axis)
    return tf.expand_dims(index, axis) if keepdims else index


_register_arg("ArgMax", tf.argmax)
_register_arg("ArgMin", tf.argmin)


@onnx_op("CumSum", since=11)
def cum_sum(x: tf.Tensor, axis: tf.Tensor, *, exclusive: int, reverse: int) -> tf.Tensor:
    return _cumulative(tf.cumsum, x, axis, exclusive, reverse)


@onnx_op("CumProd", since=26)
def cum_prod(x: tf.Tensor, axis: tf.Tensor, *, exclusive: int, reverse: int) -> tf.Tensor:
    return _cumulative(tf.math.cumprod, x, axis, exclusive, reverse)


def _cumulative(
    function: Callable[..., tf.Tensor], x: tf.Tensor, axis: tf.Tensor, exclusive: int, reverse: int
) -> tf.Tensor:
    """Return running sums or products along an axis."""
    return widened(lambda wide: function(wide, scalar(axis), exclusive=bool(exclusive), reverse=bool(reverse)), x)
