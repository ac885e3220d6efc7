"""Reductions along axes that are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from onnx_tf.export.keras._place import BUILDERS, Place, constant, keras_op


def _sum_of_squares(x: Any, **how: Any) -> Any:
    return ops.sum(ops.square(x), **how)


REDUCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "ReduceL1": (18, lambda x, **how: ops.sum(ops.abs(x), **how)),
    "ReduceL2": (18, lambda x, **how: ops.sqrt(_sum_of_squares(x, **how))),
    "ReduceLogSum": (18, lambda x, **how: ops.log(ops.sum(x, **how))),
    "ReduceLogSumExp": (18, ops.logsumexp),
    "ReduceMax": (18, ops.max),
    "ReduceMean": (18, ops.mean),
    "ReduceMin": (18, ops.min),
    "ReduceProd": (18, ops.prod),
    "ReduceSum": (13, ops.sum),
    "ReduceSumSquare": (18, _sum_of_squares),
}
"""By operator: the opset version from which the axes are an input, and the function."""


def _reduced(place: Place, x: Any, axes: Any, keepdims: int, noop: int, function: Callable[..., Any]) -> Any:
    if axes is None and noop:
        return x
    chosen = None if axes is None or not len(axes) else tuple(int(axis) for axis in axes)
    if chosen is None and noop:
        return x
    x = place.tensor(x)
    axis = chosen[0] if chosen is not None and len(chosen) == 1 else chosen
    y = function(x, axis=axis, keepdims=bool(keepdims))
    return y if y.dtype == x.dtype else ops.cast(y, x.dtype)  # sums of narrow integers are wider


def _builders(function: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def by_attribute(place: Place, x: Any, *, axes: Any, keepdims: int) -> Any:
        return _reduced(place, x, axes, keepdims, 0, function)

    def by_input(place: Place, x: Any, axes: Any = None, *, keepdims: int, noop_with_empty_axes: int) -> Any:
        known = None if axes is None else constant(place, axes, "axes")
        return _reduced(place, x, known, keepdims, noop_with_empty_axes, function)

    return by_attribute, by_input


for _op_type, (_since, _function) in REDUCTIONS.items():
    _old, _new = _builders(_function)
    BUILDERS.register(_op_type, _old, since=1, domain="")
    BUILDERS.register(_op_type, _new, since=_since, domain="")


def _position(function: Callable[..., Any]) -> Callable[..., Any]:
    def build(place: Place, x: Any, *, axis: int, keepdims: int, select_last_index: int | None) -> Any:
        if select_last_index:
            place.refuse("Keras selects the first index")
        return ops.cast(function(x, axis=axis, keepdims=bool(keepdims)), "int64")

    return build


for _op_type, _function in (("ArgMax", ops.argmax), ("ArgMin", ops.argmin)):
    keras_op(_op_type)(_position(_function))


@keras_op("CumSum")
def cumsum(place: Place, x: Any, axis: Any, *, exclusive: int, reverse: int) -> Any:
    along = int(constant(place, axis, "axis").reshape(-1)[0])
    x = ops.flip(x, axis=along) if reverse else x
    y = ops.cumsum(x, axis=along)
    y = ops.subtract(y, x) if exclusive else y
    return ops.flip(y, axis=along) if reverse else y


@keras_op("TopK", since=10)
def top_k(place: Place, x: Any, k: Any, *, axis: int, largest: int | None, sorted: int | None) -> Any:  # noqa: A002
    count = int(constant(place, k, "k").reshape(-1)[0])
    rank = len(x.shape)
    if largest == 0:
        place.refuse("Keras selects the largest")
    moved = axis % rank != rank - 1
    values, indices = ops.top_k(ops.moveaxis(x, axis, -1) if moved else x, count, sorted=sorted != 0)
    if moved:
        values, indices = (ops.moveaxis(y, -1, axis) for y in (values, indices))
    return values, ops.cast(indices, "int64")
