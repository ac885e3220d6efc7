"""Operators on tensors and images that com.microsoft had before ai.onnx, or alone."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers._layout import pack_filters, to_channels_first, to_channels_last
from onnx_tf.handlers._tensors import static_ints, widened
from onnx_tf.handlers.generating import range_11
from onnx_tf.handlers.indexing import gather_nd_11
from onnx_tf.handlers.padding import pad_11
from onnx_tf.handlers.pooling import max_pool_10
from onnx_tf.handlers.sampling import grid_sample_16
from onnx_tf.handlers.shaping import trilu
from onnx_tf.handlers.transposed_convolution import conv_transpose
from onnx_tf.registry import onnx_op

MICROSOFT = "com.microsoft"

onnx_op("GatherND", domain=MICROSOFT)(gather_nd_11)


@onnx_op("Inverse", domain=MICROSOFT)
def inverse(x):
    return widened(tf.linalg.inv, x)


@onnx_op("Trilu", domain=MICROSOFT)
def trilu_with_default(x, k=None, *, upper=1):
    return trilu(x, k, upper=upper)


@onnx_op("Range", domain=MICROSOFT)
def range_with_default(start, limit, delta=None):
    return range_11(start, limit, tf.ones_like(start) if delta is None else delta)


@onnx_op("ExpandDims", domain=MICROSOFT)
def expand_dims(x, axis):
    axes = static_ints(axis)
    if axes is None:
        raise ValueError("'axis' must be a constant: it decides the rank of the result")
    return tf.expand_dims(x, axes[0])


@onnx_op("Pad", domain=MICROSOFT)
def pad(data, pads, value=None, *, mode="constant"):
    return pad_11(data, tf.reshape(pads, [-1]), value, mode=mode)


@onnx_op("Unique", domain=MICROSOFT)
def unique(x):
    return tuple(tf.unique_with_counts(x, tf.int64))


@onnx_op("CDist", domain=MICROSOFT)
def c_dist(a, b, *, metric="sqeuclidean"):
    if metric not in ("euclidean", "sqeuclidean"):
        raise ValueError(f"metric {metric!r} is not supported: 'euclidean' or 'sqeuclidean' is expected")
    squares = tf.reduce_sum(tf.math.squared_difference(a[:, None], b[None]), -1)
    return squares if metric == "sqeuclidean" else tf.sqrt(squares)


@onnx_op("GridSample", domain=MICROSOFT)
def grid_sample(x, grid, *, align_corners=0, mode="bilinear", padding_mode="zeros"):
    sampled = grid_sample_16(
        to_channels_last(x), grid, align_corners=align_corners, mode=mode, padding_mode=padding_mode
    )
    return to_channels_first(sampled)


@onnx_op("NhwcMaxPool", domain=MICROSOFT)
def nhwc_max_pool(x, *, auto_pad="NOTSET", ceil_mode=0, dilations=None, kernel_shape, pads=None, strides=None, context):
    return max_pool_10(
        x,
        auto_pad=auto_pad,
        ceil_mode=ceil_mode,
        dilations=dilations,
        kernel_shape=kernel_shape,
        pads=pads,
        storage_order=0,
        strides=strides,
        context=context,
    )


@onnx_op("ConvTransposeWithDynamicPads", domain=MICROSOFT)
def conv_transpose_with_dynamic_pads(
    x,
    w,
    pads=None,
    b=None,
    *,
    auto_pad="NOTSET",
    dilations=None,
    group=1,
    kernel_shape=None,
    output_padding=None,
    strides=None,
):
    known = static_ints(pads)
    if pads is not None and known is None:
        raise ValueError("'Pads' must be a constant; make it an initializer of the model")
    y = conv_transpose(
        to_channels_last(x),
        pack_filters(w),
        b,
        auto_pad=auto_pad,
        dilations=dilations,
        group=group,
        kernel_shape=kernel_shape,
        output_padding=output_padding,
        output_shape=None,
        pads=known,
        strides=strides,
    )
    return to_channels_first(y)


@onnx_op("CropAndResize", domain=MICROSOFT)
def crop_and_resize(x, rois, batch_indices, crop_size, *, extrapolation_value=0.0, mode="bilinear"):
    crops = tf.image.crop_and_resize(
        tf.cast(to_channels_last(x), tf.float32),
        tf.cast(rois, tf.float32),
        batch_indices,
        crop_size,
        method=mode,
        extrapolation_value=extrapolation_value,
    )
    return tf.cast(to_channels_first(crops), x.dtype)
