"""RNN, GRU and LSTM over TensorFlow's tensor lists."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf import tensor_list
from onnx_tf.handlers._control import counted_loop
from onnx_tf.handlers._recurrence import ACTIVATIONS, Advance, Form, register_recurrent
from onnx_tf.handlers._tensors import dims_of

MAX_UNROLLED_STEPS = 4
"""Up to so many time steps are laid out in the graph instead of looped over."""


def _listed(
    rows: tf.Tensor, advance: Advance, first: list[tf.Tensor], wants_outputs: bool
) -> tuple[list[tf.Tensor], tf.Tensor | None]:
    """Walk over a list of rows, and collect the outputs in another."""
    time = dims_of(rows)[0]
    slices = tensor_list.unstack(rows)

    def step(index: tf.Tensor, *states: tf.Tensor) -> list[tf.Tensor]:
        return advance(index, tensor_list.get(slices, index, rows.dtype, rows.shape[1:]), *states)

    unroll = isinstance(time, int) and time <= MAX_UNROLLED_STEPS
    row = tf.TensorSpec(first[0].shape, rows.dtype)
    final, outputs = counted_loop(time, step, first, [row] * wants_outputs, unroll=unroll)
    return final, outputs[0] if wants_outputs else None


register_recurrent(Form(_listed, ACTIVATIONS))
