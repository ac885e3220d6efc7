"""Where the windows of convolutions and pools lie, for static and dynamic dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import tensorflow as tf

from onnx_tf.handlers._ranks import pad
from onnx_tf.handlers._tensors import Dim, dims_of, quotient

Padding = tuple[Dim, Dim]


@dataclass(frozen=True)
class Windows:
    """The windows of an operator over the spatial axes of channels-last data.

    Attributes:
        dims: the spatial dimensions of the data.
        kernel: the elements of a window; open ones only of convolutions whose filters are computed.
        strides: the steps between windows.
        dilations: the steps between the elements of a window.
        pads: the elements added before and after the data that the operator states.
        reach: ``pads``, and more after the data where the last window reaches beyond them.
        outs: the number of windows.
    """

    dims: tuple[Dim, ...]
    kernel: tuple[Dim, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[Padding, ...]
    reach: tuple[Padding, ...]
    outs: tuple[Dim, ...]

    @property
    def extents(self) -> tuple[Dim, ...]:
        """The elements that a window spans, gaps included."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    def of_planes(self) -> Windows:
        """Return the windows over all spatial axes but the first."""
        return Windows(**{field.name: getattr(self, field.name)[1:] for field in fields(self)})


def windows(
    x: tf.Tensor,
    kernel: Sequence[Dim],
    *,
    strides: Sequence[int] | None,
    dilations: Sequence[int] | None,
    auto_pad: str,
    pads: Sequence[int] | None,
    ceil_mode: int = 0,
    of_less: bool = False,
) -> Windows:
    """Return the windows over channels-last data from the attributes of the operator.

    Args:
        x: the data.
        kernel: the elements of a window.
        strides: the steps between windows, ``None`` for 1.
        dilations: the steps between the elements of a window, ``None`` for 1.
        auto_pad: how padding is found, as in the schema.
        pads: the padding, all begins, then all ends; ``None`` for none.
        ceil_mode: whether the last window may reach beyond the padding.
        of_less: whether a known dimension that lacks less than a stride has one window, as in ONNX Runtime's pools.

    Raises:
        ValueError: the attributes do not fit the data.
    """
    rank = len(kernel)
    dims = tuple(dims_of(x)[1:-1])
    strides = tuple(strides or [1] * rank)
    dilations = tuple(dilations or [1] * rank)
    if not len(dims) == len(strides) == len(dilations) == rank:
        raise ValueError(
            f"data of rank {len(dims) + 2} needs {len(dims)} entries in kernel_shape, strides and dilations, "
            f"got {rank}, {len(strides)} and {len(dilations)}"
        )
    pads = tuple(pads or [0] * 2 * rank)
    padding, reach, outs = [], [], []
    for i, (n, s) in enumerate(zip(dims, strides, strict=True)):
        extent = (kernel[i] - 1) * dilations[i] + 1
        if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
            out = quotient(n + s - 1, s)
            # Of stride 1 the padding does not depend on the dimension.
            total = extent - 1 if s == 1 else maximum((out - 1) * s + extent - n, 0)
            less = quotient(total, 2)
            more = total - less
            before, after = (less, more) if auto_pad == "SAME_UPPER" else (more, less)
        elif auto_pad in ("NOTSET", "VALID", ""):
            before, after = (0, 0) if auto_pad == "VALID" else (pads[i], pads[i + rank])
            out = quotient(n + before + after - extent, s) + 1
            if of_less and isinstance(n, int) and n:
                out = _rounded_to_zero(n + before + after, extent, s)
        else:
            raise ValueError(f"auto_pad {auto_pad!r} is not known: use NOTSET, SAME_UPPER, SAME_LOWER or VALID")
        padding.append((before, after))
        if ceil_mode and auto_pad in ("NOTSET", ""):
            # A window may not begin in the padding after the data.
            out = minimum(quotient(n + before + after - extent + s - 1, s) + 1, quotient(n + before + s - 1, s))
            after = maximum(after, (out - 1) * s + extent - n - before)
        elif of_less and isinstance(n, int) and isinstance(out, int) and out == 1:
            after = maximum(after, extent - n - before)
        reach.append((before, after))
        outs.append(out)
    return Windows(dims, tuple(kernel), strides, dilations, tuple(padding), tuple(reach), tuple(outs))


def within_data(w: Windows) -> Windows:
    """Return the windows without what a single one along an axis has of padding, if that has all the data.

    Only the elements that it takes stay the same: what counts as its size is that of the windows given.
    """
    kernel, strides = list(w.kernel), list(w.strides)
    pads, reach = list(w.pads), list(w.reach)
    for i, (n, k, out, (before, _)) in enumerate(zip(w.dims, w.kernel, w.outs, w.reach, strict=True)):
        known = isinstance(n, int) and isinstance(k, int) and isinstance(before, int) and isinstance(out, int)
        if known and out == 1 and w.dilations[i] == 1 and before >= 0 and k > n > 0 and k - before >= n:
            kernel[i], strides[i], pads[i], reach[i] = n, 1, (0, 0), (0, 0)
    return replace(w, kernel=tuple(kernel), strides=tuple(strides), pads=tuple(pads), reach=tuple(reach))


def _rounded_to_zero(size: int, extent: int, stride: int) -> int:
    out = math.trunc((size - extent) / stride) + 1
    if out < 0:
        raise ValueError(f"a window that spans {extent} elements does not fit data of {size}, padding included")
    return out


def pad_spatial(x: tf.Tensor, padding: Sequence[Padding], value: Any = 0) -> tf.Tensor:
    """Pad the spatial axes of channels-last data."""
    if is_static(padding) and not any(n for pair in padding for n in pair):
        return x
    return pad(x, [(0, 0), *padding, (0, 0)], value=value)


def is_static(padding: Sequence[Padding]) -> bool:
    """Return whether all paddings are known."""
    return all(isinstance(n, int) for pair in padding for n in pair)


def is_same_padding(w: Windows) -> bool:
    """Return whether TensorFlow's SAME gives exactly these windows of dilation 1."""
    for n, e, s, (before, after) in zip(w.dims, w.extents, w.strides, w.reach, strict=True):
        if s == 1:
            total: Dim = e - 1
        elif isinstance(n, int):
            total = max((-(-n // s) - 1) * s + e - n, 0)
        else:
            return False
        if not (isinstance(before, int) and isinstance(after, int) and isinstance(total, int)):
            return False
        if (before, after) != (total // 2, total - total // 2):
            return False
    return True


def maximum(a: Dim, b: Dim) -> Dim:
    """Return the larger of two dimensions."""
    if isinstance(a, int) and isinstance(b, int):
        return max(a, b)
    return tf.maximum(tf.cast(a, tf.int64), tf.cast(b, tf.int64))


def minimum(a: Dim, b: Dim) -> Dim:
    """Return the smaller of two dimensions."""
    if isinstance(a, int) and isinstance(b, int):
        return min(a, b)
    return tf.minimum(tf.cast(a, tf.int64), tf.cast(b, tf.int64))
