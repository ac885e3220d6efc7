"""Convolution whose windows are moved element by element."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import tensorflow as tf

from onnx_tf.handlers._layout import channels_last_op
from onnx_tf.handlers._sampling import linear_taps, sample
from onnx_tf.handlers._tensors import dims_of, product, quotient, reshaped
from onnx_tf.handlers.convolution import static_kernel_of


@channels_last_op("DeformConv", since=19, filters=(1,))
def deform_conv(
    x: tf.Tensor,
    w: tf.Tensor,
    offset: tf.Tensor,
    b: tf.Tensor | None = None,
    mask: tf.Tensor | None = None,
    *,
    dilations: Sequence[int] | None,
    group: int,
    kernel_shape: Sequence[int] | None,
    offset_group: int,
    pads: Sequence[int] | None,
    strides: Sequence[int] | None,
) -> tf.Tensor:
    kernel = static_kernel_of(w, kernel_shape)
    rank, elements = len(kernel), math.prod(kernel)
    wide = tf.float64 if x.dtype == tf.float64 else tf.float32
    batch, _, *outs = dims_of(offset)
    dilations, strides, pads = dilations or [1] * rank, strides or [1] * rank, pads or [0] * 2 * rank
    offset = reshaped(tf.cast(offset, wide), [batch, offset_group, elements, rank, *outs])
    if mask is not None:
        mask = reshaped(tf.cast(mask, wide), [batch, offset_group, elements, *outs])
    places = []
    for axis in range(rank):
        inner = tf.constant([e[axis] * dilations[axis] - pads[axis] for e in itertools.product(*map(range, kernel))])
        along = [1] * axis + [-1] + [1] * (rank - 1 - axis)
        windows = tf.reshape(tf.range(outs[axis], dtype=tf.int64) * strides[axis], along)
        grid = tf.cast(tf.reshape(inner, [-1, *[1] * rank]), wide) + tf.cast(windows, wide)
        places.append(offset[:, :, :, axis] + grid)
    columns = []
    for index, part in enumerate(tf.split(tf.cast(x, wide), offset_group, -1)):
        values = sample(part, [linear_taps(place[:, index]) for place in places])
        columns.append(values if mask is None else values * tf.expand_dims(mask[:, index], -1))
    # [batch, window elements, windows..., channels]
    column = tf.concat(columns, -1) if offset_group > 1 else columns[0]
    y = tf.cast(_contracted(column, tf.cast(w, wide), group, elements), x.dtype)
    return y if b is None else tf.nn.bias_add(y, b)


def _contracted(columns: tf.Tensor, filters: tf.Tensor, groups: int, elements: int) -> tf.Tensor:
    """Return [batch, elements, windows..., C] times filters kernel..., C/group, M: [batch, windows..., M]."""
    batch, _, *outs, _ = dims_of(columns)
    own, results = dims_of(filters)[-2:]
    data = reshaped(columns, [batch, elements, product(outs), groups, own])
    weights = reshaped(filters, [elements, own, groups, quotient(results, groups)])
    y = tf.einsum("nkpgc,kcgm->npgm", data, weights)
    return reshaped(y, [batch, *outs, results])
