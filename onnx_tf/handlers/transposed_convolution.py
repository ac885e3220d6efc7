"""Transposed convolution: the gradient of a convolution by its data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tensorflow as tf

from onnx_tf.handlers._layout import channels_last_op
from onnx_tf.handlers._phases import of_phases
from onnx_tf.handlers._ranks import pad, sliced
from onnx_tf.handlers._tensors import Dim, as_shape, dims_of, product, quotient, reshaped, shaped, widened
from onnx_tf.handlers._windows import maximum, pad_spatial
from onnx_tf.handlers.convolution import kernel_of

Form = Callable[[tf.Tensor, tf.Tensor, Sequence[Dim], tuple[int, ...], int, str], "tf.Tensor | None"]
"""(images, filters, sizes, strides, groups, "SAME" or "VALID") -> result, ``None`` for TensorFlow's own kernel."""

MAX_PHASED_RESULTS = 4
"""Up to this many results are faster as a convolution of all phases with oneDNN (``python -m bench.forms``)."""

MAX_SPATIAL = 3
"""TensorFlow's kernels convolve over no more axes."""


def register_conv_transpose(form: Form, *, target: str = "") -> None:
    """Register ConvTranspose with a form for images, see :func:`onnx_tf.registry.onnx_op`."""

    @channels_last_op("ConvTranspose", filters=(1,), target=target)
    def conv_transpose(
        x: tf.Tensor,
        w: tf.Tensor,
        b: tf.Tensor | None = None,
        *,
        auto_pad: str,
        dilations: Sequence[int] | None,
        group: int,
        kernel_shape: Sequence[int] | None,
        output_padding: Sequence[int] | None,
        output_shape: Sequence[int] | None,
        pads: Sequence[int] | None,
        strides: Sequence[int] | None,
    ) -> tf.Tensor:
        return transposed_convolution(
            x, w, b, form, auto_pad, dilations, group, kernel_shape, output_padding, output_shape, pads, strides
        )


def transposed_convolution(
    x: tf.Tensor,
    w: tf.Tensor,
    b: tf.Tensor | None,
    form: Form,
    auto_pad: str,
    dilations: Sequence[int] | None,
    group: int,
    kernel_shape: Sequence[int] | None,
    output_padding: Sequence[int] | None,
    output_shape: Sequence[int] | None,
    pads: Sequence[int] | None,
    strides: Sequence[int] | None,
) -> tf.Tensor:
    """Return the transposed convolution of N, spatial..., C data, by ONNX's attributes and a form for images."""
    rank = len(w.shape) - 2
    strides = tuple(strides or [1] * rank)
    dilations = dilations or [1] * rank
    extents = [(k - 1) * d + 1 for k, d in zip(kernel_of(w, kernel_shape), dilations, strict=True)]
    dims = dims_of(x)[1:-1]
    places = [
        _place(
            n,
            e,
            s,
            extra,
            auto_pad,
            (pads[i], pads[i + rank]) if pads else None,
            output_shape[i - rank] if output_shape else None,
        )
        for i, (n, e, s, extra) in enumerate(zip(dims, extents, strides, output_padding or [0] * rank, strict=True))
    ]
    filters = _with_gaps(w, dilations)
    if rank <= MAX_SPATIAL and all(place.is_same for place in places):
        y = _transposed(x, filters, [place.size for place in places], strides, group, "SAME", form)
    else:
        fulls = [(n - 1) * s + e for n, e, s in zip(dims, extents, strides, strict=True)]
        y = _cut(_transposed(x, filters, fulls, strides, group, "VALID", form), places, fulls)
    return y if b is None else tf.nn.bias_add(y, b)


@dataclass(frozen=True)
class _Place:
    """Where the result starts in the unpadded one, its size, and whether TensorFlow's SAME gives it."""

    start: Dim
    size: Dim
    is_same: bool


def _place(
    n: Dim, extent: Dim, stride: int, extra: int, auto_pad: str, pads: tuple[int, int] | None, wanted: int | None
) -> _Place:
    """Return where the result of an axis of ``n`` elements lies in the unpadded one, by pads or by a wanted size."""
    if wanted is not None:
        surplus = maximum((n - 1) * stride + extent + extra - wanted, 0)
        size, multiple = wanted, isinstance(n, int) and wanted == n * stride
    elif auto_pad.startswith("SAME"):
        surplus = maximum(extent - stride + extra, 0)
        size, multiple = n * stride, True
    else:
        start, after = pads if pads and auto_pad != "VALID" else (0, 0)
        # The size is this much more than n strides, whether n is known or not.
        excess = extent - stride + extra - start - after
        return _Place(start, n * stride + excess, _is_same_start(start, extent, stride) and excess == 0)
    half = quotient(surplus, 2)
    start = half if auto_pad == "SAME_UPPER" else surplus - half
    return _Place(start, size, multiple and _is_same_start(start, extent, stride))


def _is_same_start(start: Dim, extent: Dim, stride: int) -> bool:
    """Return whether the result starts where that of TensorFlow's SAME does."""
    return isinstance(start, int) and isinstance(extent, int) and start == max(extent - stride, 0) // 2


def _with_gaps(filters: tf.Tensor, dilations: Sequence[int]) -> tf.Tensor:
    """Return filters with zeros between their elements: TensorFlow's CPU kernel knows no dilation."""
    for axis, dilation in enumerate(dilations):
        if dilation == 1:
            continue
        dims = dims_of(filters)
        spread = reshaped(filters, [*dims[: axis + 1], 1, *dims[axis + 1 :]])
        padding = [(0, 0)] * (len(dims) + 1)
        padding[axis + 1] = (0, dilation - 1)
        dims[axis] *= dilation
        spread = reshaped(pad(spread, padding), dims)
        filters = sliced(spread, [*[slice(None)] * axis, slice(None, 1 - dilation)])
    return filters


def _transposed(
    x: tf.Tensor,
    filters: tf.Tensor,
    sizes: Sequence[Dim],
    strides: tuple[int, ...],
    groups: int,
    padding: str,
    form: Form,
) -> tf.Tensor:
    """Return the unpadded result, of the given sizes, N, spatial..., M; filters are kernel..., M/group, C."""
    if len(sizes) == 1:
        y = _transposed(tf.expand_dims(x, 1), filters[tf.newaxis], [1, *sizes], strides * 2, groups, padding, form)
        return tf.squeeze(y, 1)
    if len(sizes) > MAX_SPATIAL:
        return _by_slices(x, filters, sizes, strides, groups, form)
    batch = dims_of(x)[0]
    y = form(x, filters, sizes, strides, groups, padding) if len(sizes) == 2 else None
    if y is None:
        kernel = tf.nn.conv2d_transpose if len(sizes) == 2 else tf.nn.conv3d_transpose
        shape = tf.cast(as_shape([batch, *sizes, dims_of(filters)[-2]]), tf.int32)
        parts = [
            kernel(part, own, shape, strides, padding)
            for part, own in zip(_split(x, groups), _split(filters, groups), strict=True)
        ]
        y = tf.concat(parts, -1) if groups > 1 else parts[0]
    known = [size if isinstance(size, int) else None for size in sizes]
    return shaped(y, [x.shape[0], *known, y.shape[-1]])


def _fastest(
    x: tf.Tensor, filters: tf.Tensor, sizes: Sequence[Dim], strides: tuple[int, ...], groups: int, padding: str
) -> tf.Tensor | None:
    """Return the result in another form than TensorFlow's kernel where that takes less."""
    if groups > 1:
        return _by_depthwise(x, filters, sizes, strides, groups, padding)
    kernel, results = filters.shape[:2], filters.shape[-2]
    are_alike = None not in kernel and all(
        k % s == 0 or n == 1 for k, s, n in zip(kernel, strides, x.shape[1:], strict=False)
    )
    if results in range(1, MAX_PHASED_RESULTS + 1) and are_alike and max(strides) > 1:
        return of_phases(x, filters, sizes, strides, padding)
    return None


def _by_depthwise(
    x: tf.Tensor, filters: tf.Tensor, sizes: Sequence[Dim], strides: tuple[int, ...], groups: int, padding: str
) -> tf.Tensor | None:
    """Return the result of groups that give one channel each, by the gradient of the depthwise convolution."""
    if filters.shape[-2] != 1 or len(set(strides)) > 1:
        return None
    *kernel, _, channels = dims_of(filters)
    own = reshaped(filters, [*kernel, groups, channels // groups])
    shape = tf.cast(as_shape([dims_of(x)[0], *sizes, groups]), tf.int32)
    return widened(
        lambda x, own: tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
            input_sizes=shape, filter=own, out_backprop=x, strides=[1, *strides, 1], padding=padding
        ),
        x,
        own,
    )


def _by_slices(
    x: tf.Tensor,
    filters: tf.Tensor,
    sizes: Sequence[Dim],
    strides: tuple[int, ...],
    groups: int,
    form: Form,
) -> tf.Tensor:
    """Convolve slice by slice along the first spatial axis, and add up the results where they overlap."""
    batch, count, *rest = dims_of(x)
    slices = reshaped(x, [batch * count, *rest])
    stride, taps = strides[0], filters.shape[0]
    if taps is None:
        raise ValueError(f"the filters have no static shape, which {len(sizes)} spatial axes need")
    total = 0
    for tap in range(taps):
        y = _transposed(slices, filters[tap], sizes[1:], strides[1:], groups, "VALID", form)
        dims = dims_of(y)[1:]
        y = pad(reshaped(y, [batch * count, 1, product(dims)]), [(0, 0), (0, stride - 1), (0, 0)])
        y = reshaped(y, [batch, count * stride, product(dims)])[:, : count * stride - stride + 1]
        total += reshaped(pad(y, [(0, 0), (tap, taps - 1 - tap), (0, 0)]), [batch, sizes[0], *dims])
    return total


def _split(tensor: tf.Tensor, groups: int) -> list[tf.Tensor]:
    """Return a tensor in groups along its last axis."""
    return tf.split(tensor, groups, -1) if groups > 1 else [tensor]


def _cut(y: tf.Tensor, places: Sequence[_Place], fulls: Sequence[Dim]) -> tf.Tensor:
    """Return the result's region; what lies beyond the unpadded result is zero."""
    missing = [(0, maximum(p.start + p.size - full, 0)) for p, full in zip(places, fulls, strict=True)]
    region = [slice(p.start, p.start + p.size) for p in places]
    return sliced(pad_spatial(y, missing), [slice(None), *region])


register_conv_transpose(_fastest)
