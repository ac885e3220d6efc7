"""The two ways in which binary operators broadcast: by attributes up to opset 6, as numpy since."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from onnx_tf.handlers._ranks import broadcasting
from onnx_tf.handlers._tensors import normalize_axis, rank_of
from onnx_tf.registry import registry


def register_binary(table: Mapping[str, Callable[..., Any]]) -> None:
    """Register functions of two tensors as operators that exist since opset 1."""
    for op_type, function in table.items():
        of_any_rank = broadcasting(function)
        registry.register(op_type, _with_attributes(of_any_rank), since=1, domain="")
        registry.register(op_type, of_any_rank, since=7, domain="")


def _with_attributes(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the handler of opset 1: ``broadcast`` aligns the second operand at an axis of the first."""

    def handler(a: Any, b: Any, *, axis: int | None, broadcast: int) -> Any:
        return function(a, aligned_at(a, b, axis) if broadcast else b)

    return handler


def aligned_at(a: tf.Tensor, b: tf.Tensor, axis: int | None) -> tf.Tensor:
    """Return ``b`` with size-1 dimensions added so that its first meets dimension ``axis`` of ``a``.

    Without an axis the last dimensions meet, as in numpy.
    """
    if axis is None:
        return b
    missing = rank_of(a) - normalize_axis(axis, rank_of(a)) - rank_of(b)
    return b[(..., *[tf.newaxis] * missing)] if missing > 0 else b
