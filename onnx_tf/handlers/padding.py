"""Padding and cropping."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers._tensors import as_shape, dims_of, normalize_axis, rank_of, static_ints
from onnx_tf.handlers.indexing import wrapped
from onnx_tf.registry import onnx_op


@onnx_op("Pad")
def pad_1(data, *, mode, paddings, value):
    return _pad(data, tf.constant(paddings, tf.int64), tf.cast(value, data.dtype), mode)


@onnx_op("Pad", since=2)
def pad_2(data, *, mode, pads, value):
    return _pad(data, tf.constant(pads, tf.int64), tf.cast(value, data.dtype), mode)


@onnx_op("Pad", since=11)
def pad_11(data, pads, value=None, *, mode):
    return _pad(data, pads, value, mode)


@onnx_op("Pad", since=18)
def pad_18(data, pads, value=None, axes=None, *, mode):
    return _pad(data, pads if axes is None else _on_all_axes(pads, axes, rank_of(data)), value, mode)


def _on_all_axes(pads, axes, rank):
    known_pads, known_axes = static_ints(pads), static_ints(axes)
    if known_pads is not None and known_axes is not None:
        result = [0] * (2 * rank)
        for i, axis in enumerate(known_axes):
            axis = normalize_axis(axis, rank)
            result[axis], result[rank + axis] = known_pads[i], known_pads[len(known_axes) + i]
        return tf.constant(result, tf.int64)
    axes = wrapped(axes, rank)
    places = tf.concat([axes, axes + rank], 0)[:, None]
    return tf.tensor_scatter_nd_update(tf.zeros([2 * rank], pads.dtype), places, pads)


def _pad(data, pads, value, mode):
    rank = rank_of(data)
    known = static_ints(pads)
    before = tf.unstack(pads[:rank]) if known is None else known[:rank]
    after = tf.unstack(pads[rank:], rank) if known is None else known[rank:]
    if mode == "constant":
        data, before, after = _crop(data, before, after)
        paddings = tf.stack([as_shape(before), as_shape(after)], 1)
        return (
            tf.pad(data, paddings) if value is None else tf.pad(data, paddings, constant_values=tf.reshape(value, []))
        )
    if mode == "reflect" and known is not None and _mirrors_once(data, before, after):
        return tf.pad(data, list(zip(before, after, strict=True)), "REFLECT")
    for axis, (low, high) in enumerate(zip(before, after, strict=True)):
        if known is None or low or high:
            data = tf.gather(data, _sources(dims_of(data)[axis], low, high, mode), axis=axis)
    return data


def _crop(data, before, after):
    """Cut off what negative pads ask for, and return the rest of the work."""
    if all(isinstance(pad, int) and pad >= 0 for pad in [*before, *after]):
        return data, before, after
    begin = [max(-pad, 0) if isinstance(pad, int) else tf.maximum(-pad, 0) for pad in before]
    cut = [max(-pad, 0) if isinstance(pad, int) else tf.maximum(-pad, 0) for pad in after]
    size = [dim - low - high for dim, low, high in zip(dims_of(data), begin, cut, strict=True)]
    before = [pad + low for pad, low in zip(before, begin, strict=True)]
    after = [pad + high for pad, high in zip(after, cut, strict=True)]
    return tf.slice(data, as_shape(begin), as_shape(size)), before, after


def _mirrors_once(data, before, after):
    """Whether TensorFlow's own mirror padding holds: unknown dimensions are taken to be large enough."""
    return all(
        low >= 0 and high >= 0 and (dim is None or max(low, high) < dim)
        for low, high, dim in zip(before, after, data.shape, strict=True)
    )


def _sources(dim, low, high, mode):
    """Return the index along an axis that each element of the padded axis comes from."""
    index = tf.range(-low, dim + high, dtype=tf.int64)
    if mode == "edge":
        return tf.clip_by_value(index, 0, dim - 1)
    if mode == "wrap":
        return tf.math.floormod(index, tf.cast(dim, tf.int64))
    if mode != "reflect":
        raise ValueError(f"padding mode {mode!r} is unknown: expected constant, reflect, edge or wrap")
    period = tf.cast(tf.maximum(2 * (dim - 1), 1), tf.int64)
    phase = tf.math.floormod(index, period)
    return tf.minimum(phase, period - phase) if dim != 1 else tf.zeros_like(index)
