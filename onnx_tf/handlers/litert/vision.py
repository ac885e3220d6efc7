"""NonMaxSuppression without a list of what each class keeps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from onnx_tf.handlers._control import counted_loop
from onnx_tf.handlers._tensors import dims_of, reshaped, static_ints, static_value
from onnx_tf.handlers.litert._buffers import put_row
from onnx_tf.registry import onnx_op

MAX_UNROLLED_CLASSES = 8
"""Up to so many classes, those of all images counted, each have an operator; more share one in a loop."""

SMALLEST = float(np.finfo(np.float32).tiny)

Selected = tuple[tf.Tensor, tf.Tensor]
"""The indices of boxes, padded, and how many of them count."""


@onnx_op("NonMaxSuppression", since=10, target="litert")
def non_max_suppression(
    boxes: tf.Tensor,
    scores: tf.Tensor,
    max_output_boxes_per_class: tf.Tensor | None = None,
    iou_threshold: tf.Tensor | None = None,
    score_threshold: tf.Tensor | None = None,
    *,
    center_point_box: int,
) -> tf.Tensor:
    if max_output_boxes_per_class is None or static_ints(max_output_boxes_per_class) in ([0], []):
        return tf.zeros([0, 3], tf.int64)
    if center_point_box:
        x, y, width, height = tf.split(boxes, 4, axis=-1)
        boxes = tf.concat([y - height / 2, x - width / 2, y + height / 2, x + width / 2], -1)
    batch, classes, count = dims_of(scores)
    boxes = _with_areas(boxes)
    # Integers clipped to 0..6 would become a Relu6, which LiteRT has for floats alone.
    asked = tf.minimum(tf.reshape(max_output_boxes_per_class, []), tf.cast(count, tf.int64))
    asked = tf.cast(tf.maximum(asked, -1), tf.int32)
    most = tf.maximum(asked, 1)
    overlap = _above(tf.zeros([]) if iou_threshold is None else tf.reshape(iou_threshold, []))
    order, ranks = _ranked(reshaped(scores, [batch * classes, count]), score_threshold)

    def select(image: tf.Tensor, pair: tf.Tensor) -> Selected:
        best = tf.gather(order, pair)
        chosen, valid = tf.raw_ops.NonMaxSuppressionV4(
            boxes=tf.gather(tf.gather(boxes, image), best),
            scores=tf.gather(ranks, pair),
            max_output_size=most,
            iou_threshold=overlap,
            score_threshold=0.0,
            pad_to_max_output_size=True,
        )
        return tf.gather(best, chosen), tf.minimum(valid, asked)

    chosen, valid = _for_all(select, batch, classes, most)
    # Three axes to look for places in need no division by the number of classes.
    kept = tf.range(most) < reshaped(valid, [batch, classes, 1])
    places = tf.where(kept)
    indices = tf.gather_nd(reshaped(chosen, [batch, classes, tf.cast(most, tf.int64)]), places)
    return tf.concat([places[:, :2], tf.cast(indices, tf.int64)[:, tf.newaxis]], 1)


def _ranked(scores: tf.Tensor, threshold: tf.Tensor | None) -> Selected:
    """Return the boxes of each row [pairs, boxes] by falling score, and numbers that fall as well; 0 is none.

    Of those of one score the first goes first; the kernel takes them in any order, which decides what is suppressed.
    """
    count = tf.cast(dims_of(scores)[1], tf.int32)
    if threshold is not None:
        used = tf.cast(scores > tf.reshape(threshold, []), tf.int32)
        count = tf.maximum(tf.reduce_max(tf.reduce_sum(used, 1)), 1)
    best, order = tf.math.top_k(scores, count)
    ranks = tf.cast(tf.range(count, 0, -1), tf.float32) * tf.ones_like(best)
    return order, ranks if threshold is None else tf.where(best > tf.reshape(threshold, []), ranks, 0.0)


def _above(overlap: tf.Tensor) -> tf.Tensor:
    """Return the next number, at most 1: LiteRT suppresses boxes from it on, ONNX those beyond the threshold.

    At 1 the kernel still tells that a box that it has taken is that box.
    """
    known = static_value(overlap)
    if known is not None:
        above = np.nextafter(known.astype(np.float32), np.float32(np.inf))
        return tf.constant(np.clip(above, SMALLEST, 1.0), tf.float32)
    return tf.clip_by_value(overlap * (1 + 2.0**-23), SMALLEST, 1.0)


def _with_areas(boxes: tf.Tensor) -> tf.Tensor:
    """Return boxes [images, boxes, 4] with those of no area moved away, each to a square of its own.

    They overlap with none, themselves included: LiteRT's kernel takes them again and again.
    """
    top, left, bottom, right = tf.split(boxes, 4, axis=-1)
    has_area = tf.abs(bottom - top) * tf.abs(right - left) > 0
    outside = tf.reduce_max(boxes, [1, 2], keepdims=True) + 1
    numbers = tf.cast(tf.range(tf.cast(dims_of(boxes)[1], tf.int32)), tf.float32)
    first = outside + 2 * numbers[:, tf.newaxis]
    side = tf.zeros_like(first) + outside
    return tf.where(has_area, boxes, tf.concat([first, side, first + 1, side + 1], -1))


def _for_all(
    select: Callable[[tf.Tensor, tf.Tensor], Selected],
    batch: int | tf.Tensor,
    classes: int | tf.Tensor,
    most: tf.Tensor,
) -> Selected:
    """Return what is selected of every class of every image, each a row."""
    pairs = batch * classes
    if isinstance(pairs, int) and isinstance(classes, int) and pairs <= MAX_UNROLLED_CLASSES:
        found = [select(tf.constant(pair // classes), tf.constant(pair)) for pair in range(pairs)]
        return tf.stack([chosen for chosen, _ in found]), tf.stack([valid for _, valid in found])
    number = tf.cast(classes, tf.int32)

    def step(pair: tf.Tensor, all_chosen: tf.Tensor, counts: tf.Tensor) -> list[tf.Tensor]:
        chosen, valid = select(pair // number, pair)
        return [put_row(all_chosen, pair, chosen), put_row(counts, pair, valid)]

    rows = tf.cast(pairs, tf.int32)
    start = [tf.zeros(tf.stack([rows, most]), tf.int32), tf.zeros(rows[tf.newaxis], tf.int32)]
    (chosen, valid), _ = counted_loop(rows, step, start)
    return chosen, valid
