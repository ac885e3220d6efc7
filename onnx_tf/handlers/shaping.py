"""Operators that change the shape of a tensor, not its elements."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers._ranks import MAX_MIRRORED, MAX_TEXT_TRANSPOSED, broadcast_dim, broadcast_to, by_groups, select
from onnx_tf.handlers._tensors import (
    as_shape,
    computed_in,
    dim_of,
    dims_of,
    elements_of,
    known_dims,
    normalize_axis,
    product,
    rank_of,
    scalar,
    static_ints,
)
from onnx_tf.registry import onnx_op


@onnx_op("Transpose")
def transpose(data, *, perm):
    if data.dtype != tf.string or rank_of(data) <= MAX_TEXT_TRANSPOSED:
        return tf.transpose(data, perm)
    places = tf.reshape(tf.range(tf.size(data)), as_shape(dims_of(data)))
    return tf.gather(tf.reshape(data, [-1]), tf.transpose(places, perm))


@onnx_op("Reshape")
def reshape_1(data, *, shape):
    return _reshape(data, tf.constant(shape, tf.int64, shape=[len(shape)]), allowzero=0)


@onnx_op("Reshape", since=5)
def reshape_5(data, shape):
    return _reshape(data, shape, allowzero=0)


@onnx_op("Reshape", since=14)
def reshape_14(data, shape, *, allowzero):
    return _reshape(data, shape, allowzero)


def _reshape(data, shape, allowzero):
    target = static_ints(shape)
    if allowzero or (target is not None and 0 not in target):
        return tf.reshape(data, shape)
    if target is not None:
        dims = dims_of(data)
        return tf.reshape(data, as_shape([dims[i] if d == 0 else d for i, d in enumerate(target)]))
    result = tf.reshape(data, tf.where(shape == 0, _resized(tf.shape(data, tf.int64), shape), shape))
    if shape.shape[0] is not None:
        static = [*data.shape, *[None] * shape.shape[0]]
        result.set_shape([static[i] if dim == 0 else dim for i, dim in enumerate(known_dims(shape))])
    return result


def _resized(vector, like):
    """Return a vector cut or filled with zeros to the length of another."""
    length, count = vector.shape[0], like.shape[0]
    if count is None:
        return tf.pad(vector, [[0, tf.maximum(tf.size(like) - length, 0)]])[: tf.size(like)]
    return vector[:count] if count <= length else tf.pad(vector, [[0, count - length]])


@onnx_op("Flatten")
def flatten(x, *, axis):
    rank = rank_of(x)
    axis = axis + rank if axis < 0 else axis
    rows, columns = product(dims_of(x)[:axis]), product(dims_of(x)[axis:])
    if isinstance(columns, int) and columns > 0:
        rows = -1 if not isinstance(rows, int) else rows
    elif isinstance(rows, int) and rows > 0:
        columns = -1 if not isinstance(columns, int) else columns
    return tf.reshape(x, as_shape([rows, columns]))


@onnx_op("Squeeze")
def squeeze_1(data, *, axes):
    return _squeeze(data, axes or None)


@onnx_op("Squeeze", since=13)
def squeeze_13(data, axes=None):
    known = static_ints(axes)
    if axes is None or known is not None:
        return _squeeze(data, known or None)
    rank = rank_of(data)
    is_dropped = tf.reduce_any(tf.range(rank, dtype=tf.int64)[:, None] == tf.math.floormod(axes, rank), 1)
    result = tf.reshape(data, tf.boolean_mask(as_shape(dims_of(data)), ~is_dropped))
    if axes.shape[0] is not None:
        result.set_shape([None] * (rank - axes.shape[0]))
    return result


def _squeeze(data, axes):
    if axes is None and data.shape.is_fully_defined():
        axes = [i for i, dim in enumerate(data.shape) if dim == 1]
    return data if axes == [] else tf.squeeze(data, axes)


@onnx_op("Unsqueeze")
def unsqueeze_1(data, *, axes):
    return _unsqueeze(data, axes)


@onnx_op("Unsqueeze", since=13)
def unsqueeze_13(data, axes):
    known = static_ints(axes)
    if known is not None:
        return _unsqueeze(data, known)
    if axes.shape[0] is None:
        raise ValueError("the number of axes is unknown: make 'axes' a constant, or state its shape in the model")
    rank = rank_of(data) + axes.shape[0]
    is_new = tf.reduce_any(tf.range(rank, dtype=tf.int64)[:, None] == tf.math.floormod(axes, rank), 1)
    kept = tf.where(~is_new)
    return tf.reshape(data, tf.tensor_scatter_nd_update(tf.ones([rank], tf.int64), kept, as_shape(dims_of(data))))


def _unsqueeze(data, axes):
    if data.shape.rank is None and (min(axes) >= 0 or max(axes) < 0):
        for axis in sorted(axes, key=abs):
            data = tf.expand_dims(data, axis)
        return data
    rank = rank_of(data) + len(axes)
    for axis in sorted(normalize_axis(axis, rank) for axis in axes):
        data = tf.expand_dims(data, axis)
    return data


@onnx_op("Expand", since=8)
def expand(x, shape):
    if shape.shape[0] is None:
        return tf.broadcast_to(x, tf.broadcast_dynamic_shape(as_shape(dims_of(x)), shape))
    dims, target = dims_of(x), elements_of(shape)
    rank = max(len(dims), len(target))
    dims = [*[1] * (rank - len(dims)), *dims]
    target = [*[1] * (rank - len(target)), *target]
    return broadcast_to(x, [broadcast_dim(d, t) for d, t in zip(dims, target, strict=True)])


@onnx_op("Tile")
def tile_1(x, tiles, axis):
    is_tiled = tf.range(rank_of(x), dtype=tf.int64) == tf.cast(scalar(axis), tf.int64)
    return tf.tile(x, tf.where(is_tiled, tf.cast(scalar(tiles), tf.int64), 1))


@onnx_op("Tile", since=6)
def tile_6(x, repeats):
    if x.dtype == tf.uint16:
        return computed_in(tf.int32, lambda wide: tf.tile(wide, repeats), x)
    return tf.tile(x, repeats)


@onnx_op("Concat")
def concat_1(*inputs, axis):
    return tf.concat(inputs, 1 if axis is None else axis)


@onnx_op("Concat", since=4)
def concat_4(*inputs, axis):
    return tf.concat(inputs, axis)


@onnx_op("Split")
def split_1(x, split_input=None, *, axis, split, context):
    sizes = split or (None if split_input is None else tf.cast(split_input, tf.int64))
    return _split(x, sizes, axis or 0, len(context.outputs))


@onnx_op("Split", since=2)
def split_2(x, *, axis, split, context):
    return _split(x, split, axis, len(context.outputs))


@onnx_op("Split", since=13)
def split_13(x, split=None, *, axis, context):
    return _split(x, split, axis, len(context.outputs))


@onnx_op("Split", since=18)
def split_18(x, split=None, *, axis, num_outputs, context):
    return _split(x, split, axis, num_outputs or len(context.outputs))


def _split(x, sizes, axis, count):
    if sizes is None:
        sizes = _chunks(dim_of(x, axis), count)
    elif isinstance(sizes, tf.Tensor):
        sizes = static_ints(sizes) or sizes
    return tuple(tf.split(x, sizes, axis, num=count))


def _chunks(dim, count):
    if isinstance(dim, int):
        chunk = -(-dim // count)
        return [min(max(dim - i * chunk, 0), chunk) for i in range(count)]
    chunk = -(-dim // count)
    return tf.clip_by_value(dim - tf.range(count, dtype=tf.int64) * chunk, 0, chunk)


@onnx_op("Shape")
def shape_1(data):
    return _shape(data, 0, None)


@onnx_op("Shape", since=15)
def shape_15(data, *, start, end):
    return _shape(data, start, end)


def _shape(data, start, end):
    dims = data.shape[start:end]
    if dims.is_fully_defined():
        return as_shape(dims.as_list())
    return tf.shape(data, out_type=tf.int64)[start:end]


@onnx_op("Size")
def size(data):
    return tf.cast(product(dims_of(data)), tf.int64)


@onnx_op("ReverseSequence", since=10)
def reverse_sequence(x, lengths, *, batch_axis, time_axis):
    if x.dtype == tf.uint16:
        return computed_in(tf.int32, lambda wide: _reversed(wide, lengths, time_axis, batch_axis), x)
    return _reversed(x, lengths, time_axis, batch_axis)


def _reversed(x, lengths, time_axis, batch_axis):
    def apply(data, roles):
        return tf.reverse_sequence(data, lengths, roles.index("time"), roles.index("batch"))

    roles = [{time_axis: "time", batch_axis: "batch"}.get(axis) for axis in range(rank_of(x))]
    return by_groups(apply, x, roles, MAX_MIRRORED)


@onnx_op("Trilu", since=14)
def trilu(x, k=None, *, upper):
    rows, columns = dims_of(x)[-2:]
    offset = tf.range(columns, dtype=tf.int64) - tf.range(rows, dtype=tf.int64)[:, None]
    k = tf.constant(0, tf.int64) if k is None else scalar(k)
    return select(offset >= k if upper else offset <= k, x, tf.zeros([], x.dtype))
