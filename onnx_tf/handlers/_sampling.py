"""Reading channels-last data at fractional places."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import tensorflow as tf

from onnx_tf.handlers._tensors import Dim, as_shape, clipped_index, dims_of, product, reshaped

Mapped = tuple[tf.Tensor, tf.Tensor | None]
"""An integer index as float, and where it is inside the data (``None``: everywhere)."""

Tap = tuple[tf.Tensor, tf.Tensor]
"""An index along one axis as float, and its weight."""


def linear_taps(place: tf.Tensor) -> list[Tap]:
    """Return the two neighbours of each place and their weights."""
    low = tf.floor(place)
    return [(low, low + 1 - place), (low + 1, place - low)]


def cubic_taps(place: tf.Tensor, a: float) -> list[Tap]:
    """Return the four neighbours of each place and their cubic weights."""
    low = tf.floor(place)
    return [(low + offset, cubic_weight(tf.abs(place - low - offset), a)) for offset in (-1, 0, 1, 2)]


def cubic_weight(distance: tf.Tensor, a: float) -> tf.Tensor:
    """Return the weight of an element at a distance in the cubic convolution of coefficient ``a``."""
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return tf.where(distance <= 1, near, tf.where(distance < 2, far, 0.0))


def zeros_outside(index: tf.Tensor, size: Dim) -> Mapped:
    """Map indices so that the data beyond its ends is zero."""
    return index, (index >= 0) & (index <= tf.cast(size, index.dtype) - 1)


def edges_outside(index: tf.Tensor, size: Dim) -> Mapped:
    """Map indices so that the data goes on as its last element."""
    return tf.clip_by_value(index, 0, tf.cast(size, index.dtype) - 1), None


def sample(
    x: tf.Tensor,
    taps: Sequence[Sequence[Tap]],
    outside: Callable[[tf.Tensor, Dim], Mapped] = zeros_outside,
    images: tf.Tensor | None = None,
    combine: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] = tf.add,
) -> tf.Tensor:
    """Return the weighted sum of the data at all combinations of the taps of each spatial axis.

    Args:
        x: N, spatial..., C data.
        taps: for each spatial axis its taps, all of shape [N, places...].
        outside: what an index beyond the data means.
        images: for each row of the taps the image it reads; by default row i reads image i.
        combine: what joins the weighted elements.
    """
    batch, *spatial, channels = dims_of(x)
    flat = reshaped(x, [batch, product(spatial), channels])
    shape = dims_of(taps[0][0][0])
    if 0 in x.shape:  # TensorFlow gathers no element of nothing
        return tf.zeros(as_shape([*shape, channels]), x.dtype)
    total = None
    for combination in itertools.product(*taps):
        flat_index = tf.zeros([], tf.int64)
        weight, inside = None, None
        for (index, own), size in zip(combination, spatial, strict=True):
            mapped, known = outside(index, size)
            # Also what is not a number must become a valid index.
            flat_index = flat_index * tf.cast(size, tf.int64) + clipped_index(tf.cast(mapped, tf.int64), size)
            weight = own if weight is None else weight * own
            inside = known if inside is None else inside & known
        rows = reshaped(flat_index, [shape[0], product(shape[1:])])
        if images is None:
            values = tf.gather(flat, rows, batch_dims=1)
        else:
            values = tf.gather_nd(flat, tf.stack([tf.broadcast_to(images[:, tf.newaxis], tf.shape(rows)), rows], -1))
        values = reshaped(values, [*shape, channels])
        if inside is not None:
            weight = tf.where(inside, weight, 0.0)
        part = values * tf.expand_dims(tf.cast(weight, x.dtype), -1)
        total = part if total is None else combine(total, part)
    return total


def mirror(place: tf.Tensor, low: Dim | float | tf.Tensor, high: Dim | float | tf.Tensor) -> tf.Tensor:
    """Return places reflected at both ends until they are between them."""
    low, high = tf.cast(low, place.dtype), tf.cast(high, place.dtype)
    span = high - low
    # From an end inwards and back again is two spans.
    turn = tf.math.floormod(place - low, tf.maximum(2 * span, 1e-30))
    return low + tf.minimum(turn, 2 * span - turn)
