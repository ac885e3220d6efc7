"""What moves data: Reshape, Transpose, joins and parts."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import layers, ops

from onnx_tf.export.keras import _lengths as lengths
from onnx_tf.export.keras._place import (
    Place,
    constant,
    floats,
    has_layers,
    is_constant,
    keras_op,
    size_of,
    static,
    transposed,
)
from onnx_tf.export.keras._sums import added


@keras_op("Reshape", since=5)
def reshape(place: Place, x: Any, shape: Any, *, allowzero: int | None) -> Any:
    x = place.tensor(x)
    if not is_constant(shape):
        return _reshaped_by_name(place, x)
    target = [int(n) for n in shape]
    copied = target if allowzero else [x.shape[axis] if n == 0 else n for axis, n in enumerate(target)]
    return reshaped(place, x, copied)


def _reshaped_by_name(place: Place, x: Any) -> Any:
    """Reshape to a computed shape, of which any number of dimensions may be open."""
    given, target = place.given[0], list(lengths.result_dims(place))
    for axis, n in enumerate(place.sizes[1] or ()):
        target[axis] = n if isinstance(n, str) or n > 0 else target[axis]
    numbers = [n if isinstance(n, int) else -1 for n in target]
    if numbers.count(-1) < 2:
        return reshaped(place, x, numbers)
    if given and target[0] == given[0] and numbers[1:].count(-1) < 2 and len(x.shape) > 1:
        return place.layer(layers.Reshape, x, target_shape=tuple(numbers[1:]))
    # Rows of the last dimensions that are known, each taken from where it is.
    rows = max(axis for axis, n in enumerate(numbers) if n == -1) + 1
    merged = ops.reshape(x, (-1, *numbers[rows:]))
    return ops.take(merged, lengths.grid(place, target[:rows]), axis=0)


def reshaped(place: Place, x: Any, target: Sequence[int | None]) -> Any:
    """Return a tensor with another shape: by a layer where the first axis stays; ``None`` is a dimension it keeps."""
    inner, rest = size_of(x.shape[1:]), list(target[1:])
    if sum(n in (None, -1) for n in rest) == 1:  # what it keeps is what the others leave
        rest = [-1 if n is None else n for n in rest]
    keeps = has_layers(x) and bool(target) and bool(x.shape) and len(x.shape) > 1 and None not in rest
    if keeps and target[0] in (-1, x.shape[0]):
        known = math.prod(n for n in rest if n is not None)
        if inner == known or (target[0] == x.shape[0] != -1 and rest.count(-1) < 2):
            return place.layer(layers.Reshape, x, target_shape=tuple(rest))
    final = [-1 if n is None else n for n in target]
    if final.count(-1) > 1:
        place.refuse(f"two dimensions of its result {final} are open")
    return ops.reshape(x, tuple(final))


@keras_op("Flatten")
def flatten(place: Place, x: Any, *, axis: int) -> Any:
    rank = len(x.shape)
    axis = axis % rank if axis < 0 else axis
    if axis == 1 and (rank == 2 or has_layers(x)):
        return x if rank == 2 else place.layer(layers.Flatten, x)
    outer, inner = size_of(x.shape[:axis]), size_of(x.shape[axis:])
    return reshaped(place, x, [-1 if outer is None else outer, -1 if inner is None else inner])


@keras_op("Transpose")
def transpose(place: Place, x: Any, *, perm: Sequence[int] | None) -> Any:
    return transposed(place, place.tensor(x), list(perm) if perm is not None else list(range(len(x.shape)))[::-1])


@keras_op("Squeeze", since=13)
def squeeze(place: Place, x: Any, axes: Any = None) -> Any:
    return _squeezed(x, None if axes is None else constant(place, axes, "axes").tolist())


@keras_op("Squeeze")
def squeeze_1(place: Place, x: Any, *, axes: Sequence[int] | None) -> Any:
    return _squeezed(x, axes)


def _squeezed(x: Any, axes: Sequence[int] | None) -> Any:
    return ops.squeeze(x, axis=None if axes is None else tuple(int(axis) for axis in axes))


@keras_op("Unsqueeze", since=13)
def unsqueeze(place: Place, x: Any, axes: Any) -> Any:
    return _unsqueezed(place, x, constant(place, axes, "axes").tolist())


@keras_op("Unsqueeze")
def unsqueeze_1(place: Place, x: Any, *, axes: Sequence[int]) -> Any:
    return _unsqueezed(place, x, axes)


def _unsqueezed(place: Place, x: Any, axes: Sequence[int]) -> Any:
    rank = len(x.shape) + len(axes)
    return ops.expand_dims(place.tensor(x), tuple(sorted(int(axis) % rank for axis in axes)))


@keras_op("Concat", since=4)
def concat(place: Place, *inputs: Any, axis: int) -> Any:
    tensors = [place.tensor(x) for x in inputs if not is_constant(x) or x.size]
    if len(tensors) == 1:
        return tensors[0]
    rank = len(tensors[0].shape)
    if floats(tensors[0]) and rank > 1 and axis % rank > 0:
        return place.layer(layers.Concatenate, *tensors, axis=axis % rank)
    return ops.concatenate(tensors, axis=axis)


@keras_op("Split", since=18)
def split_18(place: Place, x: Any, split: Any = None, *, axis: int, num_outputs: int | None) -> Any:
    (n,) = static(place, x, [axis])
    if split is not None:
        return _parts(x, constant(place, split, "split").tolist(), axis)
    size = -(-n // (num_outputs or len(place.outputs)))
    return _parts(x, [min(size, n - first) for first in range(0, n, size)], axis)


@keras_op("Split", since=13)
def split_13(place: Place, x: Any, split: Any = None, *, axis: int) -> Any:
    return _split(place, x, None if split is None else constant(place, split, "split").tolist(), axis)


@keras_op("Split", since=2)
def split_2(place: Place, x: Any, *, axis: int, split: Sequence[int] | None) -> Any:
    return _split(place, x, split, axis)


def _split(place: Place, x: Any, sizes: Sequence[int] | None, axis: int) -> Any:
    if sizes is None:
        (n,) = static(place, x, [axis])
        sizes = [n // len(place.outputs)] * len(place.outputs)
    return _parts(x, sizes, axis)


def _parts(x: Any, sizes: Sequence[int], axis: int) -> tuple[Any, ...]:
    ends = np.cumsum(sizes).tolist()
    starts = [0, *ends[:-1]]
    return tuple(_sliced(x, {axis % len(x.shape): slice(a, b)}) for a, b in zip(starts, ends, strict=True))


def _sliced(x: Any, parts: dict[int, slice]) -> Any:
    """Return the part of a tensor that slices by axis tell."""
    # Keras does not save a key that is one slice alone.
    return x[(*(parts.get(axis, slice(None)) for axis in range(len(x.shape))), ...)]


@keras_op("Slice", since=10)
def slice_10(place: Place, x: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    if not is_constant(ends) and is_constant(starts):
        return _sliced_by_size(place, place.tensor(x), starts, axes)
    numbers = [None if v is None else constant(place, v, "range").tolist() for v in (starts, ends, axes, steps)]
    return _slice(place, x, *numbers)


def _sliced_by_size(place: Place, x: Any, starts: np.ndarray, axes: Any) -> Any:
    """Take parts that end at dimensions which are open, by their indices."""
    along = range(len(starts)) if axes is None else constant(place, axes, "axes").tolist()
    ends = lengths.elements(place, 2)
    if place.sizes[4:] and set(place.sizes[4] or [0]) != {1}:
        place.refuse("it has steps and an open end")
    for start, end, axis in zip(starts.tolist(), ends, along, strict=True):
        if isinstance(end, int):
            x = _slice(place, x, [start], [end], [axis])
        elif start:
            place.refuse("it begins behind the first element and has an open end")
        elif (place.given[0] or ())[axis] != end:
            x = ops.take(x, lengths.indices(place, end), axis=axis)
    return x


@keras_op("Slice")
def slice_1(place: Place, x: Any, *, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int] | None) -> Any:
    return _slice(place, x, starts, ends, axes, None)


def _slice(place: Place, x: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    x = place.tensor(x)
    rank, parts, flipped = len(x.shape), {}, []
    axes = range(len(starts)) if axes is None else axes
    for start, end, axis, step in zip(starts, ends, axes, steps or [1] * len(starts), strict=True):
        axis %= rank
        if step < 0:
            # Not every backend has negative steps: the axis is turned around first.
            (n,) = static(place, x, [axis])
            first, last, _ = slice(start, end if end >= -n else None, step).indices(n)
            start, end, step = n - 1 - first, n - 1 - last, -step
            flipped.append(axis)
        large = 1 << 31
        parts[axis] = slice(None if start <= -large else start, None if end >= large - 1 else end, step)
    x = ops.flip(x, axis=tuple(flipped)) if flipped else x
    return _sliced(x, {axis: part for axis, part in parts.items() if part != slice(0, None, 1)}) if parts else x


@keras_op("Gather")
def gather(place: Place, x: Any, indices: Any, *, axis: int) -> Any:
    if is_constant(x) and x.ndim == 2 and axis == 0 and floats(x) and not is_constant(indices):
        rows, columns = x.shape
        config = {"input_dim": rows, "output_dim": columns, "embeddings_initializer": "zeros"}
        tied = place.tied(x)
        if tied is not None:
            y = place.layer(layers.ReversibleEmbedding, indices, weights=[x], dtype=x.dtype.name, **config)
            tied.layer = y._keras_history.operation
            return y
        return place.layer(layers.Embedding, indices, weights=[x], dtype=x.dtype.name, **config)
    x = place.tensor(x)
    if is_constant(indices):
        return ops.take(x, indices.item() if indices.ndim == 0 else indices, axis=axis)
    return ops.take(x, indices, axis=axis)


@keras_op("GatherElements")
def gather_elements(place: Place, x: Any, indices: Any, *, axis: int) -> Any:
    return ops.take_along_axis(place.tensor(x), place.tensor(indices), axis=axis)


@keras_op("Tile", since=6)
def tile(place: Place, x: Any, repeats: Any) -> Any:
    return ops.tile(place.tensor(x), tuple(constant(place, repeats, "repeats").tolist()))


@keras_op("Expand")
def expand(place: Place, x: Any, shape: Any) -> Any:
    x = place.tensor(x)
    target = _broadcast(place, x)
    if len(target) > len(x.shape):
        x = ops.expand_dims(x, tuple(range(len(target) - len(x.shape))))
    if None not in x.shape and not any(isinstance(n, str) for n in target):
        return x if tuple(target) == tuple(x.shape) else ops.broadcast_to(x, tuple(target))
    for axis, n in enumerate(target):
        if isinstance(n, int) and n != x.shape[axis] == 1:
            x = ops.repeat(x, n, axis=axis)
        elif isinstance(n, str) and x.shape[axis] == 1:
            zeros = lengths.zeros(place, n, axis, len(target), str(x.dtype))
            x = ops.logical_or(x, zeros) if str(x.dtype) == "bool" else added(x, zeros)
    return x


def _broadcast(place: Place, x: Any) -> list[int | str]:
    """Return the dimensions of a tensor that is expanded."""
    wanted = place.sizes[1]
    if wanted is None:
        return list(lengths.result_dims(place))
    given = list(place.given[0] or x.shape)
    rank = max(len(given), len(wanted))
    pairs = zip([1] * (rank - len(given)) + given, [1] * (rank - len(wanted)) + list(wanted), strict=True)
    return [a if b == 1 else b for a, b in pairs]


@keras_op("Shape")
def shape_of(place: Place, x: Any, *, start: int | None, end: int | None) -> Any:
    axes = range(len(x.shape))[start:end]
    sizes = [x.shape[axis] for axis in axes]
    if None not in sizes:
        return np.array(sizes, np.int64)
    # The size of an open axis is a sum of ones along it.
    parts = [lengths.size(x, axis) if n is None else np.array([n]) for axis, n in zip(axes, sizes, strict=True)]
    return parts[0] if len(parts) == 1 else ops.concatenate([_as_tensor(place, part) for part in parts])


@keras_op("Size")
def size_of_all(place: Place, x: Any) -> Any:
    known = size_of(x.shape)
    if known is not None:
        return np.array(known, np.int64)
    sizes = [lengths.size(x, axis)[0] if n is None else n for axis, n in enumerate(x.shape)]
    return functools.reduce(ops.multiply, sizes)


def _as_tensor(place: Place, part: Any) -> Any:
    return place.tensor(part.astype(np.int64)) if is_constant(part) else part
