"""The order of axes in a graph whose values of three axes or more lie as N, spatial..., C."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["channels_last", "in_onnx_order"]


def channels_last(rank: int) -> tuple[int, ...]:
    """Return the ONNX axes in the order in which a channels-last value has them."""
    return (0, *range(2, rank), 1) if rank > 2 else tuple(range(rank))


def in_onnx_order(values: Sequence[Any]) -> list[Any]:
    """Return numbers, one for each axis of a channels-last value, in the order of the ONNX axes."""
    found = list(values)
    for axis, value in zip(channels_last(len(found)), values, strict=True):
        found[axis] = value
    return found
