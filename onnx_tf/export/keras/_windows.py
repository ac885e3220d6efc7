"""Where the windows of convolutions and pools lie, and what Keras's ``padding`` says of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import layers

from onnx_tf.export.keras._place import Place, static

__all__ = ["Padding", "every", "padded", "paddings"]

Padding = tuple[int, int]


def paddings(
    place: Place,
    x: Any,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    auto_pad: str,
    pads: Sequence[int] | None,
) -> list[Padding]:
    """Return the padding of each spatial axis of N, spatial..., C data.

    Raises:
        RefusedError: it depends on an open dimension.
    """
    rank = len(kernel)
    if not auto_pad.startswith("SAME"):
        given = list(pads or [0] * 2 * rank) if auto_pad == "NOTSET" else [0] * 2 * rank
        return list(zip(given[:rank], given[rank:], strict=True))
    if set(strides) == {1}:
        totals = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)]
    else:
        dims = static(place, x, range(1, rank + 1))
        rows = zip(dims, kernel, strides, dilations, strict=True)
        totals = [max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n) for n, k, s, d in rows]
    halves = [(total // 2, total - total // 2) for total in totals]
    return halves if auto_pad == "SAME_UPPER" else [(after, before) for before, after in halves]


def padded(
    place: Place,
    x: Any,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    around: Sequence[Padding],
) -> tuple[Any, str]:
    """Return the data and Keras's word for what is still to be padded: with zeros, before the layer if it must be."""
    if not any(map(any, around)):
        return x, "valid"
    if same(x, kernel, strides, dilations, around):
        return x, "same"
    if any(n < 0 for pair in around for n in pair):
        place.refuse("its pads are negative")
    layer = {1: layers.ZeroPadding1D, 2: layers.ZeroPadding2D, 3: layers.ZeroPadding3D}[len(around)]
    padding = around[0] if len(around) == 1 else tuple(around)
    return place.layer(layer, x, suffix="_pad", padding=padding), "valid"


def same(
    x: Any, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], around: Sequence[Padding]
) -> bool:
    """Tell whether the padding is what Keras calls ``same``, for every size of what is open."""
    for n, k, s, d, pair in zip(x.shape[1:-1], kernel, strides, dilations, around, strict=True):
        if s == 1:
            total = (k - 1) * d
        elif n is None:
            return False
        else:
            total = max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
        if pair != (total // 2, total - total // 2):
            return False
    return True


def every(y: Any, steps: Sequence[int]) -> Any:
    """Return every so many elements of the spatial axes, from the first on."""
    return y[(slice(None), *(slice(None, None, step) for step in steps), slice(None))]
