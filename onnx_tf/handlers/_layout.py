"""One channels-last kernel serves an operator in ONNX order, channels-last, and with packed filters."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import tensorflow as tf

from onnx_tf.handlers._tensors import normalize_axis, rank_of
from onnx_tf.registry import CHANNELS_LAST_DOMAIN, PACKED_DOMAIN, registry

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def channels_last_op(
    op_type: str,
    *,
    since: int = 1,
    data: Collection[int] = (0,),
    results: Collection[int] = (0,),
    filters: Collection[int] = (),
    channels_first: Callable[..., Any] | None = None,
    target: str = "",
) -> Callable[[Kernel], Kernel]:
    """Register a channels-last kernel for ai.onnx and for the internal domains.

    Args:
        op_type: the operator's name in ONNX.
        since: the opset version from which it holds.
        data: positions of the inputs that the kernel takes as N, spatial..., C.
        results: positions of the outputs that it gives as N, spatial..., C.
        filters: positions of the inputs that it takes as spatial..., C/group, M.
        channels_first: a kernel that computes in ONNX order just as well; without one, the operator
            in ONNX order is the channels-last kernel between Transposes.
        target: the one target that the kernel is for, see :func:`onnx_tf.registry.onnx_op`.
    """

    def decorate(kernel: Kernel) -> Kernel:
        unpacked = _wrapped(kernel, filters, pack_filters, (), lambda t: t) if filters else kernel
        if filters:
            registry.register(op_type, kernel, since=since, domain=PACKED_DOMAIN, target=target)
        registry.register(op_type, unpacked, since=since, domain=CHANNELS_LAST_DOMAIN, target=target)
        onnx_order = channels_first or _wrapped(unpacked, data, to_channels_last, results, to_channels_first)
        registry.register(op_type, onnx_order, since=since, domain="", target=target)
        return kernel

    return decorate


def to_channels_last(tensor: tf.Tensor) -> tf.Tensor:
    """Return a tensor N, C, spatial... as N, spatial..., C."""
    rank = rank_of(tensor)
    return tensor if rank < 3 else tf.transpose(tensor, [0, *range(2, rank), 1])


def to_channels_first(tensor: tf.Tensor) -> tf.Tensor:
    """Return a tensor N, spatial..., C as N, C, spatial...."""
    rank = rank_of(tensor)
    return tensor if rank < 3 else tf.transpose(tensor, [0, rank - 1, *range(1, rank - 1)])


def channels_last_axis(axis: int, rank: int) -> int:
    """Return where an axis of N, C, spatial... is in N, spatial..., C."""
    axis = normalize_axis(axis, rank)
    return axis if axis == 0 else rank - 1 if axis == 1 else axis - 1


def pack_filters(filters: tf.Tensor) -> tf.Tensor:
    """Return filters M, C/group, spatial... as spatial..., C/group, M."""
    rank = rank_of(filters)
    return tf.transpose(filters, [*range(2, rank), 1, 0])


def _wrapped(
    kernel: Callable[..., Any],
    inputs: Collection[int],
    before: Callable[[tf.Tensor], tf.Tensor],
    outputs: Collection[int],
    after: Callable[[tf.Tensor], tf.Tensor],
) -> Callable[..., Any]:
    """Return the kernel with some inputs changed before, and some outputs after it."""

    @functools.wraps(kernel)
    def handler(*tensors: Any, **keywords: Any) -> Any:
        moved = [before(t) if i in inputs and t is not None else t for i, t in enumerate(tensors)]
        found = kernel(*moved, **keywords)
        if not isinstance(found, tuple):
            return after(found) if 0 in outputs else found
        return tuple(after(t) if i in outputs and t is not None else t for i, t in enumerate(found))

    handler.__signature__ = inspect.signature(kernel)  # type: ignore[attr-defined]
    return handler
