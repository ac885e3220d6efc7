"""RNN, GRU and LSTM over TensorFlow's tensor lists."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf import tensor_list
from onnx_tf.handlers._control import counted_loop
from onnx_tf.handlers._recurrence import ACTIVATIONS, Advance, Form, register_recurrent
from onnx_tf.handlers._tensors import dims_of
from onnx_tf.handlers._unrolled import unrolled

MAX_UNROLLED_STEPS = 4
"""Up to so many time steps are laid out in the graph instead of looped over."""


def _listed(
    rows: tf.Tensor, advance: Advance, first: list[tf.Tensor], wants_outputs: bool
) -> tuple[list[tf.Tensor], tf.Tensor | None]:
    """Walk over a list of rows, and collect the outputs in another."""
    time = dims_of(rows)[0]
    return _walked(rows, advance, first, wants_outputs, unroll=isinstance(time, int) and time <= MAX_UNROLLED_STEPS)


def _looped(
    rows: tf.Tensor, advance: Advance, first: list[tf.Tensor], wants_outputs: bool
) -> tuple[list[tf.Tensor], tf.Tensor | None]:
    return _walked(rows, advance, first, wants_outputs, unroll=False)


def _walked(
    rows: tf.Tensor, advance: Advance, first: list[tf.Tensor], wants_outputs: bool, *, unroll: bool
) -> tuple[list[tf.Tensor], tf.Tensor | None]:
    slices = tensor_list.unstack(rows)

    def step(index: tf.Tensor, *states: tf.Tensor) -> list[tf.Tensor]:
        return advance(index, tensor_list.get(slices, index, rows.dtype, rows.shape[1:]), *states)

    row = tf.TensorSpec(first[0].shape, rows.dtype)
    final, outputs = counted_loop(dims_of(rows)[0], step, first, [row] * wants_outputs, unroll=unroll)
    return final, outputs[0] if wants_outputs else None


register_recurrent(Form(_listed, ACTIVATIONS))
register_recurrent(Form(unrolled, ACTIVATIONS), target="unrolled_rnn")
register_recurrent(Form(_looped, ACTIVATIONS), target="looped_rnn")
