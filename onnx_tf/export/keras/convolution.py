"""Convolutions: layers, of N, spatial..., C data and spatial..., C/group, M filters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import layers, ops

from onnx_tf.export.keras._place import Place, constant, keras_op
from onnx_tf.export.keras._windows import every, padded, paddings

CONV = {1: layers.Conv1D, 2: layers.Conv2D, 3: layers.Conv3D}
TRANSPOSED = {1: layers.Conv1DTranspose, 2: layers.Conv2DTranspose, 3: layers.Conv3DTranspose}
DEPTHWISE = {1: layers.DepthwiseConv1D, 2: layers.DepthwiseConv2D}
FREE: dict[str, Any] = {"kernel_initializer": "zeros", "bias_initializer": "zeros"}
"""What is set by value needs no random numbers before."""


@keras_op("Conv", channels_last=True)
def conv(
    place: Place,
    x: Any,
    w: Any,
    b: Any = None,
    *,
    auto_pad: str,
    dilations: Sequence[int] | None,
    group: int,
    kernel_shape: Sequence[int] | None,
    pads: Sequence[int] | None,
    strides: Sequence[int] | None,
) -> Any:
    filters = constant(place, w, "filter")
    kernel, rank = filters.shape[:-2], filters.ndim - 2
    if rank not in CONV:
        place.refuse(f"Keras has no convolution along {rank} axes")
    strides, dilations = tuple(strides or [1] * rank), tuple(dilations or [1] * rank)
    around = paddings(place, x, kernel, strides, dilations, auto_pad, pads)
    x, padding = padded(place, x, kernel, strides, dilations, around)
    # Keras takes no strides together with dilations: stride 1, and of the result what strides leave.
    steps = strides if max(strides) > 1 and max(dilations) > 1 else None
    if steps:
        strides = (1,) * rank
        x, padding = padded(place, x, kernel, strides, dilations, around) if padding == "same" else (x, padding)
    bias = [] if b is None else [constant(place, b, "bias")]
    config = {"strides": strides, "dilation_rate": dilations, "padding": padding, "use_bias": bool(bias)}
    y = _convolved(place, x, filters, bias, group, config)
    return y if steps is None else every(y, steps)


def _convolved(
    place: Place, x: Any, filters: np.ndarray, bias: Sequence[np.ndarray], group: int, config: dict[str, Any]
) -> Any:
    *kernel, depth, results = filters.shape
    rank = len(kernel)
    # TensorFlow has no depthwise kernel of unequal strides.
    if group > 1 and depth == 1 and rank in DEPTHWISE and len(set(config["strides"])) == 1:
        own = filters.reshape(*kernel, group, results // group)
        initial: dict[str, Any] = {"depthwise_initializer": "zeros", "bias_initializer": "zeros"}
        multiplier = results // group
        layer = DEPTHWISE[rank]
        return place.layer(
            layer, x, weights=[own, *bias], kernel_size=tuple(kernel), depth_multiplier=multiplier, **initial, **config
        )
    return place.layer(
        CONV[rank],
        x,
        weights=[filters, *bias],
        filters=results,
        kernel_size=tuple(kernel),
        groups=group,
        **FREE,
        **config,
    )


@keras_op("ConvTranspose", channels_last=True)
def conv_transpose(
    place: Place,
    x: Any,
    w: Any,
    b: Any = None,
    *,
    auto_pad: str,
    dilations: Sequence[int] | None,
    group: int,
    kernel_shape: Sequence[int] | None,
    output_padding: Sequence[int] | None,
    output_shape: Sequence[int] | None,
    pads: Sequence[int] | None,
    strides: Sequence[int] | None,
) -> Any:
    filters = constant(place, w, "filter")  # spatial..., M/group, C
    rank = filters.ndim - 2
    if rank not in TRANSPOSED or output_shape is not None or auto_pad not in ("NOTSET", "VALID"):
        place.refuse("Keras's transposed convolutions have no form of its output_shape, auto_pad or rank")
    strides, extra = tuple(strides or [1] * rank), list(output_padding or [0] * rank)
    pads = list(pads or [0] * 2 * rank)
    filters = _spread(filters, dilations or [1] * rank)
    # The whole result is (n - 1) * stride + max(kernel, stride) long: rows of zeros at the kernel's end make it long
    # enough for the padding of the output, the rest is cut off. Keras's own output_padding moves the picture.
    crops = []
    for axis, (size, stride) in enumerate(zip(filters.shape[:rank], strides, strict=True)):
        surplus = max(size, stride) - size - extra[axis] + pads[rank + axis]
        if surplus < 0:
            longer = size + extra[axis] - pads[rank + axis]
            filters = np.pad(filters, [(0, longer - size if i == axis else 0) for i in range(filters.ndim)])
        crops.append((pads[axis], max(surplus, 0)))
    bias = [] if b is None else [constant(place, b, "bias")]
    parts = np.split(filters, group, -1)
    inputs = [x] if group == 1 else ops.split(x, group, -1)
    biases = [[part] for part in np.split(bias[0], group)] if bias else [[]] * group
    ys = [
        place.layer(
            TRANSPOSED[rank],
            data,
            weights=[part, *own],
            filters=part.shape[-2],
            kernel_size=part.shape[:rank],
            strides=strides,
            use_bias=bool(own),
            **FREE,
        )
        for data, part, own in zip(inputs, parts, biases, strict=True)
    ]
    y = ys[0] if group == 1 else place.layer(layers.Concatenate, *ys, suffix="_groups", axis=-1)
    return _cropped(place, y, crops)


def _spread(filters: np.ndarray, dilations: Sequence[int]) -> np.ndarray:
    """Return filters with zeros between their elements: TensorFlow's transposed kernels know no dilation on CPU."""
    sizes = [(n - 1) * d + 1 for n, d in zip(filters.shape, dilations, strict=False)]
    wide = np.zeros((*sizes, *filters.shape[len(sizes) :]), filters.dtype)
    wide[tuple(slice(None, None, d) for d in dilations)] = filters
    return wide


def _cropped(place: Place, y: Any, crops: Sequence[tuple[int, int]]) -> Any:
    if not any(map(any, crops)):
        return y
    cropping = {1: layers.Cropping1D, 2: layers.Cropping2D, 3: layers.Cropping3D}[len(crops)]
    return place.layer(cropping, y, suffix="_crop", cropping=crops[0] if len(crops) == 1 else tuple(crops))
