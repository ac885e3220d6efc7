"""RNN, GRU and LSTM, unrolled or as a loop over a buffer: LiteRT has next to nothing for lists of tensors."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.handlers._control import counted_loop
from onnx_tf.handlers._recurrence import ACTIVATIONS, Advance, Form, register_recurrent
from onnx_tf.handlers._tensors import dims_of
from onnx_tf.handlers.litert._buffers import put_row

MAX_UNROLLED_STEPS = 16
"""Up to so many time steps are laid out in the graph instead of looped over."""


def _buffered(
    rows: tf.Tensor, advance: Advance, first: list[tf.Tensor], wants_outputs: bool
) -> tuple[list[tf.Tensor], tf.Tensor | None]:
    """Walk over the rows of a tensor, and write the outputs into another one."""
    time = dims_of(rows)[0]
    if isinstance(time, int) and time <= MAX_UNROLLED_STEPS:
        return _unrolled(tf.unstack(rows), advance, first, wants_outputs)

    def step(index: tf.Tensor, *values: tf.Tensor) -> list[tf.Tensor]:
        row = tf.gather(rows, index)
        if not wants_outputs:
            return advance(index, row, *values)
        *states, outputs = values
        *following, output = advance(index, row, *states)
        return [*following, put_row(outputs, index, output)]

    # Every row is overwritten: what is there already spares a tensor of zeros, which the file would hold.
    state = [*first, rows[..., : first[0].shape[-1]]] if wants_outputs else first
    final, _ = counted_loop(time, step, state)
    return (final[:-1], final[-1]) if wants_outputs else (final, None)


def _unrolled(
    rows: list[tf.Tensor], advance: Advance, states: list[tf.Tensor], wants_outputs: bool
) -> tuple[list[tf.Tensor], tf.Tensor | None]:
    outputs = []
    for index, row in enumerate(rows):
        found = advance(tf.constant(index), row, *states)
        states = found[: len(states)]
        outputs += found[len(states) :]
    return states, tf.stack(outputs) if wants_outputs else None


register_recurrent(Form(_buffered, ACTIVATIONS), target="litert")
