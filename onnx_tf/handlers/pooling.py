"""Pools over windows, and over all of an image."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from onnx_tf.handlers._layout import channels_last_op
from onnx_tf.handlers._pooled_indices import lowest, max_pool_with_indices
from onnx_tf.handlers._pools import (
    TENSORFLOW,
    Choice,
    average_pool,
    is_nothing,
    lp_pool,
    max_pool,
    of_nothing,
    power,
    root,
)
from onnx_tf.handlers._tensors import rank_of, widened
from onnx_tf.handlers._windows import Windows, windows
from onnx_tf.registry import NodeContext


def register_max_pool(choice: Choice, *, target: str = "") -> None:
    """Register MaxPool by which pools have no kernel, see :func:`onnx_tf.registry.onnx_op`."""

    @channels_last_op("MaxPool", target=target)
    def max_pool_1(
        x: tf.Tensor,
        *,
        auto_pad: str,
        kernel_shape: Sequence[int],
        pads: Sequence[int] | None,
        strides: Sequence[int] | None,
        context: NodeContext,
    ) -> tf.Tensor:
        return max_pool(x, _windows(x, kernel_shape, strides, None, auto_pad, pads), context, choice)

    @channels_last_op("MaxPool", since=8, results=(0, 1), target=target)
    def max_pool_8(
        x: tf.Tensor,
        *,
        auto_pad: str,
        kernel_shape: Sequence[int],
        pads: Sequence[int] | None,
        storage_order: int,
        strides: Sequence[int] | None,
        context: NodeContext,
    ) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
        w = _windows(x, kernel_shape, strides, None, auto_pad, pads)
        return maxima(x, w, storage_order, context, choice)

    @channels_last_op("MaxPool", since=10, results=(0, 1), target=target)
    def max_pool_10(
        x: tf.Tensor,
        *,
        auto_pad: str,
        ceil_mode: int,
        dilations: Sequence[int] | None,
        kernel_shape: Sequence[int],
        pads: Sequence[int] | None,
        storage_order: int,
        strides: Sequence[int] | None,
        context: NodeContext,
    ) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
        w = _windows(x, kernel_shape, strides, dilations, auto_pad, pads, ceil_mode)
        return maxima(x, w, storage_order, context, choice)


def maxima(
    x: tf.Tensor, w: Windows, storage_order: int, context: NodeContext, choice: Choice
) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
    """Return the maximum of each window, and where it is if that is asked for."""
    if not any(context.outputs[1:]):
        return max_pool(x, w, context, choice)
    if is_nothing(x, w):
        return of_nothing(x, w, lowest(x.dtype)), of_nothing(x, w, tf.zeros([], tf.int64))
    return max_pool_with_indices(x, w, storage_order)


def register_average_pool(choice: Choice, *, target: str = "") -> None:
    """Register AveragePool by which pools have no kernel, see :func:`onnx_tf.registry.onnx_op`."""

    @channels_last_op("AveragePool", target=target)
    def average_pool_1(
        x: tf.Tensor,
        *,
        auto_pad: str,
        kernel_shape: Sequence[int],
        pads: Sequence[int] | None,
        strides: Sequence[int] | None,
    ) -> tf.Tensor:
        w = _windows(x, kernel_shape, strides, None, auto_pad, pads)
        return average_pool(x, w, 0, choice)

    @channels_last_op("AveragePool", since=7, target=target)
    def average_pool_7(
        x: tf.Tensor,
        *,
        auto_pad: str,
        count_include_pad: int,
        kernel_shape: Sequence[int],
        pads: Sequence[int] | None,
        strides: Sequence[int] | None,
    ) -> tf.Tensor:
        w = _windows(x, kernel_shape, strides, None, auto_pad, pads)
        return average_pool(x, w, count_include_pad, choice)

    @channels_last_op("AveragePool", since=10, target=target)
    def average_pool_10(
        x: tf.Tensor,
        *,
        auto_pad: str,
        ceil_mode: int,
        count_include_pad: int,
        kernel_shape: Sequence[int],
        pads: Sequence[int] | None,
        strides: Sequence[int] | None,
    ) -> tf.Tensor:
        w = _windows(x, kernel_shape, strides, None, auto_pad, pads, ceil_mode)
        return average_pool(x, w, count_include_pad, choice)

    @channels_last_op("AveragePool", since=19, target=target)
    def average_pool_19(
        x: tf.Tensor,
        *,
        auto_pad: str,
        ceil_mode: int,
        count_include_pad: int,
        dilations: Sequence[int] | None,
        kernel_shape: Sequence[int],
        pads: Sequence[int] | None,
        strides: Sequence[int] | None,
    ) -> tf.Tensor:
        w = _windows(x, kernel_shape, strides, dilations, auto_pad, pads, ceil_mode)
        return average_pool(x, w, count_include_pad, choice)


def register_lp_pool(choice: Choice, *, target: str = "") -> None:
    """Register LpPool by which pools have no kernel, see :func:`onnx_tf.registry.onnx_op`."""

    @channels_last_op("LpPool", target=target)
    def lp_pool_1(
        x: tf.Tensor,
        *,
        auto_pad: str,
        kernel_shape: Sequence[int] | None,
        p: float | int,
        pads: Sequence[int] | None,
        strides: Sequence[int] | None,
    ) -> tf.Tensor:
        # Opset 1 lets kernel_shape be absent: one window over everything.
        kernel_shape = x.shape[1:-1] if kernel_shape is None else kernel_shape
        return lp_pool(x, _windows(x, kernel_shape, strides, None, auto_pad, pads), p, choice)

    @channels_last_op("LpPool", since=18, target=target)
    def lp_pool_18(
        x: tf.Tensor,
        *,
        auto_pad: str,
        ceil_mode: int,
        dilations: Sequence[int] | None,
        kernel_shape: Sequence[int],
        p: int,
        pads: Sequence[int] | None,
        strides: Sequence[int] | None,
    ) -> tf.Tensor:
        w = _windows(x, kernel_shape, strides, dilations, auto_pad, pads, ceil_mode)
        return lp_pool(x, w, p, choice)


def _windows(
    x: tf.Tensor,
    kernel: Sequence[int],
    strides: Sequence[int] | None,
    dilations: Sequence[int] | None,
    auto_pad: str,
    pads: Sequence[int] | None,
    ceil_mode: int = 0,
) -> Windows:
    return windows(
        x,
        kernel,
        strides=strides,
        dilations=dilations,
        auto_pad=auto_pad,
        pads=pads,
        ceil_mode=ceil_mode,
        of_less=True,
    )


def _global_average_pool(x: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    return widened(lambda x: tf.reduce_mean(x, axes, keepdims=True), x)


def _global_lp_pool(x: tf.Tensor, axes: Sequence[int], p: float) -> tf.Tensor:
    return widened(lambda x: root(tf.reduce_sum(power(x, p), axes, keepdims=True), p), x)


@channels_last_op("GlobalAveragePool", channels_first=lambda x: _global_average_pool(x, _spatial(x, 2)))
def global_average_pool(x: tf.Tensor) -> tf.Tensor:
    return _global_average_pool(x, _spatial(x, 1))


@channels_last_op("GlobalMaxPool", channels_first=lambda x: tf.reduce_max(x, _spatial(x, 2), keepdims=True))
def global_max_pool(x: tf.Tensor) -> tf.Tensor:
    return tf.reduce_max(x, _spatial(x, 1), keepdims=True)


@channels_last_op("GlobalLpPool", channels_first=lambda x, *, p: _global_lp_pool(x, _spatial(x, 2), p))
def global_lp_pool(x: tf.Tensor, *, p: float | int) -> tf.Tensor:
    return _global_lp_pool(x, _spatial(x, 1), p)


def _spatial(x: tf.Tensor, first: int) -> list[int]:
    """Return the spatial axes, from ``first`` on."""
    return list(range(first, first + rank_of(x) - 2))


register_max_pool(TENSORFLOW)
register_average_pool(TENSORFLOW)
register_lp_pool(TENSORFLOW)
