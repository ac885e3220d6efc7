"""NonMaxSuppression without a list of what each class keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from onnx_tf.handlers._control import counted_loop
from onnx_tf.handlers._tensors import dims_of, reshaped, static_ints, static_value
from onnx_tf.handlers.litert._buffers import put_row
from onnx_tf.registry import PADDED_DOMAIN, onnx_op

MAX_UNROLLED_CLASSES = 8
"""Up to so many classes, those of all images counted, each have an operator; more share one in a loop."""

SMALLEST = float(np.finfo(np.float32).tiny)

Selected = tuple[tf.Tensor, tf.Tensor]
"""The indices of boxes, padded, and how many of them count."""


Selection = Callable[[tf.Tensor, tf.Tensor], Any]
"""(boxes [images, classes, most] by falling score, which of them are selected) -> the node's results."""


def register_non_max_suppression(selection: Selection, *nothing: tf.TensorSpec, domain: str = "") -> None:
    """Register NonMaxSuppression by what it gives of what is selected, and its results where nothing can be."""

    @onnx_op("NonMaxSuppression", domain=domain, since=10, target="litert")
    def non_max_suppression(
        boxes: tf.Tensor,
        scores: tf.Tensor,
        max_output_boxes_per_class: tf.Tensor | None = None,
        iou_threshold: tf.Tensor | None = None,
        score_threshold: tf.Tensor | None = None,
        *,
        center_point_box: int,
    ) -> Any:
        asked = None if max_output_boxes_per_class is None else static_ints(max_output_boxes_per_class)
        if max_output_boxes_per_class is None or (asked is not None and not any(n > 0 for n in asked)):
            results = tuple(tf.zeros(spec.shape, spec.dtype) for spec in nothing)
            return results if len(results) > 1 else results[0]
        thresholds = iou_threshold, score_threshold
        return selection(*_select(boxes, scores, max_output_boxes_per_class, *thresholds, center_point_box))


def _selected_rows(chosen: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
    # Three axes to look for places in need no division by the number of classes.
    places = tf.where(kept)
    indices = tf.gather_nd(chosen, places)
    return tf.concat([places[:, :2], tf.cast(indices, tf.int64)[:, tf.newaxis]], 1)


def _padded_rows(chosen: tf.Tensor, kept: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    batch, classes, most = chosen.shape
    images, numbers = np.indices((batch, classes, most), np.int32)[:2]
    rows = tf.reshape(tf.stack([images, numbers, chosen], -1), [-1, 3])
    flags = tf.cast(tf.reshape(kept, [-1]), tf.int32)
    # What is not kept goes to a row behind all others, which is left out.
    places = tf.where(flags > 0, tf.cumsum(flags) - 1, batch * classes * most)
    sorted_rows = tf.scatter_nd(places[:, tf.newaxis], rows, [batch * classes * most + 1, 3])
    return tf.cast(sorted_rows[:-1], tf.int64), tf.reduce_sum(flags, keepdims=True)


def _select(
    boxes: tf.Tensor,
    scores: tf.Tensor,
    max_output_boxes_per_class: tf.Tensor,
    iou_threshold: tf.Tensor | None,
    score_threshold: tf.Tensor | None,
    center_point_box: int,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return boxes [images, classes, most] by falling score as int32, and which of them are selected, as bool."""
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
    kept = tf.range(most) < reshaped(valid, [batch, classes, 1])
    return reshaped(chosen, [batch, classes, _number(most)]), kept


def _number(count: tf.Tensor) -> int | tf.Tensor:
    known = static_value(count)
    return tf.cast(count, tf.int64) if known is None else int(known)


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


NO_ROWS = tf.TensorSpec([0, 3], tf.int64)
register_non_max_suppression(_selected_rows, NO_ROWS)
register_non_max_suppression(_padded_rows, NO_ROWS, tf.TensorSpec([1], tf.int32), domain=PADDED_DOMAIN)
