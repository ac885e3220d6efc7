"""Operators of detection networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from onnx_tf.handlers._control import counted_loop
from onnx_tf.handlers._layout import channels_last_op
from onnx_tf.handlers._sampling import Tap, edges_outside, sample
from onnx_tf.handlers._tensors import Dim, as_shape, dims_of, elements_of, product, quotient, reshaped, shaped, vector
from onnx_tf.registry import onnx_op


@onnx_op("NonMaxSuppression", since=10)
def non_max_suppression(
    boxes: tf.Tensor,
    scores: tf.Tensor,
    max_output_boxes_per_class: tf.Tensor | None = None,
    iou_threshold: tf.Tensor | None = None,
    score_threshold: tf.Tensor | None = None,
    *,
    center_point_box: int,
) -> tf.Tensor:
    if max_output_boxes_per_class is None:
        return tf.zeros([0, 3], tf.int64)
    if center_point_box:
        x, y, width, height = tf.unstack(boxes, 4, axis=-1)
        boxes = tf.stack([y - height / 2, x - width / 2, y + height / 2, x + width / 2], -1)
    # A box with a NaN overlaps no other, as one of no area; to the kernel it does.
    boxes = tf.where(tf.reduce_any(tf.math.is_nan(boxes), -1, keepdims=True), tf.zeros([], boxes.dtype), boxes)
    batch, classes, count = dims_of(scores)
    most = tf.clip_by_value(tf.reshape(max_output_boxes_per_class, []), 0, tf.cast(count, tf.int64))
    overlap = tf.zeros([]) if iou_threshold is None else tf.reshape(iou_threshold, [])
    lowest = tf.constant(float("-inf")) if score_threshold is None else tf.reshape(score_threshold, [])
    flat_scores = reshaped(scores, [batch * classes, count])

    def select(pair: int | tf.Tensor) -> list[tf.Tensor]:
        chosen, valid = tf.raw_ops.NonMaxSuppressionV4(
            boxes=boxes[pair // classes],
            scores=flat_scores[pair],
            max_output_size=tf.cast(most, tf.int32),
            iou_threshold=overlap,
            score_threshold=lowest,
            pad_to_max_output_size=True,
        )
        return [tf.cast(chosen, tf.int64), valid]

    if scores.shape[:2].as_list() == [1, 1]:
        chosen, valid = (t[tf.newaxis] for t in select(0))
    else:
        # tf.map_fn has no shape for the places of no pairs.
        found = [tf.TensorSpec([None], tf.int64), tf.TensorSpec([], tf.int32)]
        _, (chosen, valid) = counted_loop(batch * classes, lambda pair: select(tf.cast(pair, tf.int64)), [], found)
    places = tf.where(tf.range(tf.cast(most, tf.int32)) < valid[:, tf.newaxis])
    pair = places[:, 0]
    return tf.stack([pair // classes, pair % classes, tf.gather_nd(chosen, places)], 1)


@channels_last_op("RoiAlign", since=10)
def roi_align_10(
    x: tf.Tensor,
    rois: tf.Tensor,
    batch_indices: tf.Tensor,
    *,
    mode: str,
    output_height: int,
    output_width: int,
    sampling_ratio: int,
    spatial_scale: float,
) -> tf.Tensor:
    return roi_align_16(
        x,
        rois,
        batch_indices,
        coordinate_transformation_mode="output_half_pixel",
        mode=mode,
        output_height=output_height,
        output_width=output_width,
        sampling_ratio=sampling_ratio,
        spatial_scale=spatial_scale,
    )


@channels_last_op("RoiAlign", since=16)
def roi_align_16(
    x: tf.Tensor,
    rois: tf.Tensor,
    batch_indices: tf.Tensor,
    *,
    coordinate_transformation_mode: str,
    mode: str,
    output_height: int,
    output_width: int,
    sampling_ratio: int,
    spatial_scale: float,
) -> tf.Tensor:
    batch_indices = vector(batch_indices, "batch_indices")
    if rois.shape[0] == 0:
        # Grappler divides by the number of regions.
        return tf.zeros(as_shape([0, output_height, output_width, dims_of(x)[-1]]), x.dtype)
    wide = tf.float64 if x.dtype == tf.float64 else tf.float32
    half_pixel = coordinate_transformation_mode == "half_pixel"
    edges = tf.cast(rois, wide) * spatial_scale - (0.5 if half_pixel else 0.0)
    left, top, right, bottom = tf.unstack(edges, 4, axis=1)
    height, width = dims_of(x)[1:3]
    rows, used_rows = _samples(top, bottom, output_height, height, sampling_ratio, half_pixel)
    columns, used_columns = _samples(left, right, output_width, width, sampling_ratio, half_pixel)
    # Places are [rois, output rows, samples, output columns, samples].
    shape = [dims_of(rois)[0], output_height, dims_of(used_rows)[1], output_width, dims_of(used_columns)[1]]
    taps = [
        [(_spread(index, (3, 4), shape), _spread(weight, (3, 4), shape)) for index, weight in rows],
        [(_spread(index, (1, 2), shape), _spread(weight, (1, 2), shape)) for index, weight in columns],
    ]
    data, images = tf.cast(x, wide), tf.cast(batch_indices, tf.int64)
    count = tf.reduce_sum(used_rows, 1) * tf.reduce_sum(used_columns, 1)
    if mode == "avg":
        total = tf.reduce_sum(sample(data, taps, edges_outside, images), [2, 4])
        pooled = total / _with_axes(tf.maximum(count, 1), (1, 2, 3))
    elif mode == "max":
        values = sample(data, taps, edges_outside, images, combine=tf.maximum)
        used = _with_axes(used_rows, (1, 3, 4, 5)) * _with_axes(used_columns, (1, 2, 3, 5))
        largest = tf.reduce_max(tf.where(used > 0, values, values.dtype.min), [2, 4])
        pooled = tf.where(_with_axes(count, (1, 2, 3)) > 0, largest, 0)
    else:
        raise ValueError(f"mode {mode!r} is not known: use avg or max")
    return tf.cast(pooled, x.dtype)


def _samples(
    start: tf.Tensor, end: tf.Tensor, bins: int, size: Dim, ratio: int, half_pixel: bool
) -> tuple[list[Tap], tf.Tensor]:
    """Return the linear taps of the samples of each bin, [rois, bins, samples], and which of them count.

    Without a ratio each region has its own number of samples: all get the largest, some do not count.
    """
    extent = end - start if half_pixel else tf.maximum(end - start, 1)
    if ratio > 0:
        numbers, most = tf.fill(tf.shape(start), tf.constant(ratio, start.dtype)), tf.constant(ratio, start.dtype)
    else:
        numbers = tf.maximum(tf.math.ceil(extent / bins), 0)
        most = tf.reduce_max(tf.concat([numbers, [1]], 0))
    steps = tf.range(most, dtype=start.dtype)
    used = tf.cast(steps < numbers[:, None], start.dtype)
    bin_size = (extent / bins)[:, None, None]
    places = tf.range(bins, dtype=start.dtype)[:, None] * bin_size + start[:, None, None]
    places += (steps + 0.5) * bin_size / tf.maximum(numbers, 1)[:, None, None]
    last = tf.cast(size, start.dtype) - 1
    kept = tf.cast((places >= -1) & (places <= last + 1), start.dtype) * used[:, None]
    places = tf.clip_by_value(places, 0, last)
    low = tf.minimum(tf.floor(places), last)
    return [(low, (low + 1 - places) * kept), (low + 1, (places - low) * kept)], used


def _spread(tensor: tf.Tensor, axes: Sequence[int], shape: Sequence[Dim]) -> tf.Tensor:
    """Return a tensor broadcast to dimensions, of which some axes are new."""
    return tf.broadcast_to(_with_axes(tensor, axes), as_shape(shape))


def _with_axes(tensor: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    """Return a tensor with new axes of one element: LiteRT's slices add none to open dimensions."""
    for axis in axes:
        tensor = tf.expand_dims(tensor, axis)
    return tensor


@channels_last_op("MaxRoiPool")
def max_roi_pool(x: tf.Tensor, rois: tf.Tensor, *, pooled_shape: Sequence[int], spatial_scale: float) -> tf.Tensor:
    height, width = dims_of(x)[1:3]
    # Half away from zero, as std::round.
    corners = tf.cast(rois[:, 1:], tf.float32) * spatial_scale
    corners = tf.sign(corners) * tf.floor(tf.abs(corners) + 0.5)

    def pool(roi: tf.Tensor) -> tf.Tensor:
        image, left, top, right, bottom = tf.unstack(roi, 5)
        rows = _bins(top, bottom, pooled_shape[0], height)
        columns = _bins(left, right, pooled_shape[1], width)
        data = x[tf.cast(image, tf.int64)]
        lowest = tf.constant(x.dtype.min, x.dtype)
        by_row = tf.reduce_max(tf.where(rows[:, :, None, None], data, lowest), 1)
        largest = tf.reduce_max(tf.where(columns[:, :, None], by_row[:, None], lowest), 2)
        filled = tf.reduce_any(rows, 1)[:, None] & tf.reduce_any(columns, 1)
        return tf.where(filled[..., None], largest, tf.zeros([], x.dtype))

    regions = tf.concat([tf.cast(rois[:, :1], tf.float32), corners], 1)
    result = tf.TensorSpec([*pooled_shape, x.shape[-1]], x.dtype)
    return tf.map_fn(pool, regions, fn_output_signature=result)


def _bins(start: tf.Tensor, end: tf.Tensor, bins: int, size: Dim) -> tf.Tensor:
    """Return which elements of an axis belong to each bin, [bins, size]."""
    extent = tf.maximum(end - start + 1, 1)
    # Division by a constant becomes a product with its reciprocal, which rounds otherwise: this is no constant.
    step = extent / tf.minimum(tf.maximum(extent, float(bins)), float(bins))
    numbers = tf.range(bins, dtype=tf.float32)
    first, last = tf.floor(numbers * step) + start, tf.math.ceil((numbers + 1) * step) + start
    places = tf.range(tf.cast(size, tf.float32), dtype=tf.float32)
    return (places >= first[:, None]) & (places < last[:, None])


@onnx_op("Col2Im", since=18)
def col2im(
    x: tf.Tensor,
    image_shape: tf.Tensor,
    block_shape: tf.Tensor,
    *,
    dilations: Sequence[int] | None,
    pads: Sequence[int] | None,
    strides: Sequence[int] | None,
) -> tf.Tensor:
    image_shape, block_shape = vector(image_shape, "image_shape"), vector(block_shape, "block_shape")
    rank = image_shape.shape[0] or block_shape.shape[0]
    if rank is None:
        raise ValueError("the length of image_shape is unknown: state the shape of this input in the model")
    image, block = (elements_of(shaped(s, [rank])) for s in (image_shape, block_shape))
    if any(isinstance(size, int) and size < 1 for size in block):
        raise ValueError(f"input 'block_shape' must hold positive sizes, got {block}")
    if 0 in x.shape:  # TensorFlow's scatter refuses places in nothing
        return tf.zeros(as_shape([dims_of(x)[0], dims_of(x)[1] // product(block), *image]), x.dtype)
    dilations, strides, pads = dilations or [1] * rank, strides or [1] * rank, pads or [0] * 2 * rank
    flat = tf.zeros([1, 1], tf.int64)
    inside = tf.ones([1, 1], tf.bool)
    for i, (size, extent) in enumerate(zip(image, block, strict=True)):
        blocks = quotient(size + pads[i] + pads[i + rank] - (extent - 1) * dilations[i] - 1, strides[i]) + 1
        elements = tf.range(tf.cast(extent, tf.int64)) * dilations[i] - pads[i]
        places = tf.expand_dims(elements, 1) + tf.range(tf.cast(blocks, tf.int64)) * strides[i]
        kept = (places >= 0) & (places < tf.cast(size, tf.int64))
        flat = _outer(flat * tf.cast(size, tf.int64), places, tf.add)
        inside = _outer(inside, kept, tf.logical_and)
    batch, columns, count = dims_of(x)
    values = reshaped(x, [batch * (quotient(columns, product(block))), product(block) * count])
    places = tf.where(tf.reshape(inside, [-1]))
    rows = tf.gather(tf.transpose(values), places[:, 0])
    targets = tf.gather(tf.reshape(flat, [-1]), places)
    summed = tf.scatter_nd(targets, rows, as_shape([product(image), dims_of(values)[0]]))
    return reshaped(tf.transpose(summed), [batch, quotient(columns, product(block)), *image])


def _outer(a: tf.Tensor, b: tf.Tensor, function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> tf.Tensor:
    """Combine [elements, blocks] of some axes with those of the next one."""
    combined = function(_with_axes(a, (1, 3)), _with_axes(b, (0, 2)))
    dims = dims_of(combined)
    return reshaped(combined, [dims[0] * dims[1], dims[2] * dims[3]])
