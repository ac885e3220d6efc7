"""Operators that change the shape of a tensor, not its elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import tensorflow as tf

from onnx_tf.handlers._attributes import given
from onnx_tf.handlers._open_dims import is_dim
from onnx_tf.handlers._ranks import MAX_MIRRORED, MAX_TEXT_TRANSPOSED, broadcast_to, by_groups, select
from onnx_tf.handlers._shape_elements import elements
from onnx_tf.handlers._tensors import (
    Dim,
    as_shape,
    broadcast_dim,
    computed_in,
    dim_of,
    dims_of,
    elements_of,
    known_dims,
    normalize_axis,
    product,
    rank_of,
    reshaped,
    scalar,
    static_ints,
    vector,
)
from onnx_tf.registry import NodeContext, onnx_op
from onnx_tf.values import with_possible_shapes


@onnx_op("Transpose")
def transpose(data: tf.Tensor, *, perm: Sequence[int] | None) -> tf.Tensor:
    if data.dtype != tf.string or rank_of(data) <= MAX_TEXT_TRANSPOSED:
        return tf.transpose(data, perm)
    places = reshaped(tf.range(tf.size(data)), dims_of(data))
    return tf.gather(tf.reshape(data, [-1]), tf.transpose(places, perm))


@onnx_op("Reshape")
def reshape_1(data: tf.Tensor, *, shape: Sequence[int] | None) -> tf.Tensor:
    (shape,) = given(shape=shape)
    return _reshape(data, tf.constant(shape, tf.int64, shape=[len(shape)]), allowzero=0)


@onnx_op("Reshape", since=5)
def reshape_5(data: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    return _reshape(data, vector(shape, "shape"), allowzero=0)


@onnx_op("Reshape", since=14)
def reshape_14(data: tf.Tensor, shape: tf.Tensor, *, allowzero: int) -> tf.Tensor:
    return _reshape(data, vector(shape, "shape"), allowzero)


def _reshape(data: tf.Tensor, shape: tf.Tensor, allowzero: int) -> tf.Tensor:
    """Reshape to a vector; unless ``allowzero`` a 0 in it keeps the dimension at its place."""
    target = static_ints(shape)
    if allowzero or (target is not None and 0 not in target):
        return tf.reshape(data, shape)
    if target is not None:
        dims = dims_of(data)
        return reshaped(data, [dims[i] if d == 0 else d for i, d in enumerate(target)])
    sizes = elements(shape)
    # A dimension of another tensor that is 0 leaves nothing that could be kept.
    if sizes is not None and all(size != 0 if isinstance(size, int) else is_dim(size) for size in sizes):
        return reshaped(data, sizes)
    kept = tf.where(shape == 0, _resized(tf.shape(data, tf.int64), shape), shape)
    if shape.shape[0] is None:
        return tf.reshape(data, kept)
    # Known numbers stay visible: the converter to LiteRT knows no other shapes of convolutions.
    dims = [*dims_of(data), *[0] * shape.shape[0]]
    known = [dims[i] if size == 0 else size for i, size in enumerate(known_dims(shape))]
    sizes = [size if isinstance(size, int) else kept[i] for i, size in enumerate(known)]
    shows = any(isinstance(size, int) for size in known)
    result = tf.reshape(data, as_shape(sizes) if shows else kept)
    result.set_shape([size if isinstance(size, int) else None for size in known])
    return result


def _resized(vector: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """Return a vector cut or filled with zeros to the length of another."""
    length, count = vector.shape[0], like.shape[0]
    if count is None:
        return tf.pad(vector, [[0, tf.maximum(tf.size(like) - length, 0)]])[: tf.size(like)]
    return vector[:count] if count <= length else tf.pad(vector, [[0, count - length]])


@onnx_op("Flatten")
def flatten(x: tf.Tensor, *, axis: int) -> tf.Tensor:
    rank = rank_of(x)
    axis = axis + rank if axis < 0 else axis
    rows, columns = product(dims_of(x)[:axis]), product(dims_of(x)[axis:])
    if isinstance(columns, int) and columns > 0:
        rows = -1 if not isinstance(rows, int) else rows
    elif isinstance(rows, int) and rows > 0:
        columns = -1 if not isinstance(columns, int) else columns
    return reshaped(x, [rows, columns])


@onnx_op("Squeeze")
def squeeze_1(data: tf.Tensor, *, axes: Sequence[int] | None) -> tf.Tensor:
    return _squeeze(data, axes or None)


@onnx_op("Squeeze", since=13)
def squeeze_13(data: tf.Tensor, axes: tf.Tensor | None = None) -> tf.Tensor:
    axes = vector(axes, "axes")
    known = static_ints(axes)
    if axes is None or known is not None:
        return _squeeze(data, known or None)
    rank = rank_of(data)
    is_dropped = tf.reduce_any(tf.range(rank, dtype=tf.int64)[:, None] == tf.math.floormod(axes, rank), 1)
    result = tf.reshape(data, tf.boolean_mask(as_shape(dims_of(data)), ~is_dropped))
    if axes.shape[0] is not None:
        result.set_shape([None] * (rank - axes.shape[0]))
    return result


def _squeeze(data: tf.Tensor, axes: Sequence[int] | None) -> tf.Tensor:
    """Drop axes of size 1, all of them if none is named."""
    if axes is None and data.shape.is_fully_defined():
        axes = [i for i, dim in enumerate(data.shape) if dim == 1]
    if axes == []:
        return data
    result = tf.squeeze(data, axes)
    return result if axes or data.shape.rank is None else with_possible_shapes(result, _squeezed_shapes(data.shape))


def _squeezed_shapes(shape: tf.TensorShape) -> list[tf.TensorShape]:
    """Return what is left of a shape for every number of its unknown dimensions that are 1."""
    kept = [dim for dim in shape if dim != 1]
    count = kept.count(None)
    partial = [tf.TensorShape([None] * (len(kept) - dropped)) for dropped in range(1, count)]
    return [tf.TensorShape(kept), *partial, tf.TensorShape([dim for dim in kept if dim is not None])]


@onnx_op("Unsqueeze")
def unsqueeze_1(data: tf.Tensor, *, axes: Sequence[int]) -> tf.Tensor:
    return _unsqueeze(data, axes)


@onnx_op("Unsqueeze", since=13)
def unsqueeze_13(data: tf.Tensor, axes: tf.Tensor) -> tf.Tensor:
    axes = vector(axes, "axes", or_scalar=True)
    known = static_ints(axes)
    if known is not None:
        return _unsqueeze(data, known)
    if axes.shape[0] is None:
        raise ValueError("the number of axes is unknown: make 'axes' a constant, or state its shape in the model")
    rank = rank_of(data) + axes.shape[0]
    is_new = tf.reduce_any(tf.range(rank, dtype=tf.int64)[:, None] == tf.math.floormod(axes, rank), 1)
    kept = tf.where(~is_new)
    return tf.reshape(data, tf.tensor_scatter_nd_update(tf.ones([rank], tf.int64), kept, as_shape(dims_of(data))))


def _unsqueeze(data: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    """Add axes of size 1 at places in the result."""
    if data.shape.rank is None and (min(axes) >= 0 or max(axes) < 0):
        for axis in sorted(axes, key=abs):
            data = tf.expand_dims(data, axis)
        return data
    rank = rank_of(data) + len(axes)
    for axis in sorted(normalize_axis(axis, rank) for axis in axes):
        data = tf.expand_dims(data, axis)
    return data


def register_expand(broadcast: Callable[[tf.Tensor, Sequence[Dim]], tf.Tensor], *, target: str = "") -> None:
    """Register Expand by what broadcasts data to dimensions, for one target or for all."""

    @onnx_op("Expand", since=8, target=target)
    def expand(x: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
        shape = vector(shape, "shape", or_scalar=True)
        if shape.shape[0] is None:
            return tf.broadcast_to(x, tf.broadcast_dynamic_shape(as_shape(dims_of(x)), shape))
        dims, wanted = dims_of(x), elements_of(shape)
        rank = max(len(dims), len(wanted))
        dims = [*[1] * (rank - len(dims)), *dims]
        wanted = [*[1] * (rank - len(wanted)), *wanted]
        return broadcast(x, [broadcast_dim(d, n) for d, n in zip(dims, wanted, strict=True)])


register_expand(broadcast_to)


@onnx_op("Tile")
def tile_1(x: tf.Tensor, tiles: tf.Tensor, axis: tf.Tensor) -> tf.Tensor:
    is_tiled = tf.range(rank_of(x), dtype=tf.int64) == tf.cast(scalar(axis), tf.int64)
    return tf.tile(x, tf.where(is_tiled, tf.cast(scalar(tiles), tf.int64), 1))


@onnx_op("Tile", since=6)
def tile_6(x: tf.Tensor, repeats: tf.Tensor) -> tf.Tensor:
    repeats = vector(repeats, "repeats")
    if x.dtype == tf.uint16:
        return computed_in(tf.int32, lambda wide: tf.tile(wide, repeats), x)
    return tf.tile(x, repeats)


@onnx_op("Concat")
def concat_1(*inputs: tf.Tensor, axis: int | None) -> tf.Tensor:
    return tf.concat(inputs, 1 if axis is None else axis)


@onnx_op("Concat", since=4)
def concat_4(*inputs: tf.Tensor, axis: int) -> tf.Tensor:
    return tf.concat(inputs, axis)


Sizes: TypeAlias = "Sequence[int] | tf.Tensor"


def register_split(split: Callable[[tf.Tensor, Sizes, int, int], Sequence[tf.Tensor]], target: str = "") -> None:
    """Register what makes a number of parts, of given sizes, of an axis as Split, for one target or for all."""

    def parts(x: tf.Tensor, sizes: Sizes | None, axis: int, count: int) -> tuple[tf.Tensor, ...]:
        if sizes is None:
            sizes = _chunks(dim_of(x, axis), count)
        elif isinstance(sizes, tf.Tensor):
            sizes = static_ints(sizes) or sizes
        return tuple(split(x, sizes, axis, count))

    @onnx_op("Split", target=target)
    def split_1(
        x: tf.Tensor,
        split_input: tf.Tensor | None = None,
        *,
        axis: int | None,
        split: Sequence[int] | None,
        context: NodeContext,
    ) -> tuple[tf.Tensor, ...]:
        sizes = split or (None if split_input is None else tf.cast(split_input, tf.int64))
        return parts(x, sizes, axis or 0, len(context.outputs))

    @onnx_op("Split", since=2, target=target)
    def split_2(x: tf.Tensor, *, axis: int, split: Sequence[int] | None, context: NodeContext) -> tuple[tf.Tensor, ...]:
        return parts(x, split, axis, len(context.outputs))

    @onnx_op("Split", since=13, target=target)
    def split_13(
        x: tf.Tensor, split: tf.Tensor | None = None, *, axis: int, context: NodeContext
    ) -> tuple[tf.Tensor, ...]:
        return parts(x, vector(split, "split"), axis, len(context.outputs))

    @onnx_op("Split", since=18, target=target)
    def split_18(
        x: tf.Tensor, split: tf.Tensor | None = None, *, axis: int, num_outputs: int | None, context: NodeContext
    ) -> tuple[tf.Tensor, ...]:
        return parts(x, vector(split, "split"), axis, num_outputs or len(context.outputs))


register_split(lambda x, sizes, axis, count: tf.split(x, sizes, axis, num=count))


def _chunks(dim: Dim, count: int) -> list[int] | tf.Tensor:
    """Return equal sizes of ``count`` parts, the last ones smaller where it does not divide."""
    if isinstance(dim, int):
        chunk = -(-dim // count)
        return [min(max(dim - i * chunk, 0), chunk) for i in range(count)]
    chunk = tf.cast((tf.cast(dim, tf.int32) + (count - 1)) // count, tf.int64)  # LiteRT divides no int64
    return tf.clip_by_value(dim - tf.range(count, dtype=tf.int64) * chunk, 0, chunk)


@onnx_op("Shape")
def shape_1(data: tf.Tensor) -> tf.Tensor:
    return _shape(data, 0, None)


@onnx_op("Shape", since=15)
def shape_15(data: tf.Tensor, *, start: int, end: int | None) -> tf.Tensor:
    return _shape(data, start, end)


def _shape(data: tf.Tensor, start: int, end: int | None) -> tf.Tensor:
    """Return dimensions ``start`` to ``end``, int64."""
    dims = data.shape[start:end]
    if dims.is_fully_defined():
        return as_shape(dims.as_list())
    return tf.shape(data, out_type=tf.int64)[start:end]


@onnx_op("Size")
def size(data: tf.Tensor) -> tf.Tensor:
    return tf.cast(product(dims_of(data)), tf.int64)


@onnx_op("ReverseSequence", since=10)
def reverse_sequence(x: tf.Tensor, lengths: tf.Tensor, *, batch_axis: int, time_axis: int) -> tf.Tensor:
    lengths = vector(lengths, "sequence_lens")
    if x.dtype == tf.uint16:
        return computed_in(tf.int32, lambda wide: _reversed(wide, lengths, time_axis, batch_axis), x)
    return _reversed(x, lengths, time_axis, batch_axis)


def _reversed(x: tf.Tensor, lengths: tf.Tensor, time_axis: int, batch_axis: int) -> tf.Tensor:
    def apply(data: tf.Tensor, roles: list[Any]) -> tf.Tensor:
        return tf.reverse_sequence(data, lengths, roles.index("time"), roles.index("batch"))

    roles = [{time_axis: "time", batch_axis: "batch"}.get(axis) for axis in range(rank_of(x))]
    return by_groups(apply, x, roles, MAX_MIRRORED)


@onnx_op("Trilu", since=14)
def trilu(x: tf.Tensor, k: tf.Tensor | None = None, *, upper: int) -> tf.Tensor:
    rows, columns = dims_of(x)[-2:]
    offset = tf.range(columns, dtype=tf.int64) - tf.range(rows, dtype=tf.int64)[:, None]
    k = tf.constant(0, tf.int64) if k is None else scalar(k)
    return select(offset >= k if upper else offset <= k, x, tf.zeros([], x.dtype))
