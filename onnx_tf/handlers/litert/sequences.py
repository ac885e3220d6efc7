"""Sequences of known length; LiteRT has no lists of tensors for others."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers._control import conditional, known_int
from onnx_tf.handlers.sequences import sequence_at
from onnx_tf.registry import onnx_op
from onnx_tf.values import Tensors


@onnx_op("SequenceAt", since=11, target="litert")
def chosen(sequence: Tensors, position: tf.Tensor) -> tf.Tensor:
    """Choose among the elements of a list at run time; past the ends of a list of unlike shapes is its last one."""
    position = tf.reshape(position, [])
    if not isinstance(sequence, list) or not sequence or known_int(position) is not None:
        return sequence_at(sequence, position)
    count = len(sequence)
    index = tf.cast(position, tf.int32)
    index = tf.where(index < 0, index + count, index)
    shapes = [element.shape for element in sequence]
    if all(shape.is_fully_defined() and shape == shapes[0] for shape in shapes):
        return tf.gather(tf.stack(sequence), index)

    def from_(first: int) -> tf.Tensor:
        if first == count - 1:
            return sequence[first]
        branches = (lambda: [sequence[first]]), (lambda: [from_(first + 1)])
        (element,) = conditional(tf.equal(index, first), branches)
        return element

    return from_(0)
