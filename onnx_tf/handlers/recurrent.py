"""RNN, GRU and LSTM over TensorFlow's tensor lists.

A turn of a loop costs as much as ten operations, which is why it takes several time steps.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from onnx_tf import tensor_list
from onnx_tf.handlers._cells import register_recurrent
from onnx_tf.handlers._control import counted_loop
from onnx_tf.handlers._gate_functions import ACTIVATIONS
from onnx_tf.handlers._recurrence import Advance, Form
from onnx_tf.handlers._tensors import dims_of, reshaped
from onnx_tf.handlers._unrolled import unrolled

MAX_UNROLLED_STEPS = 32
"""Up to so many time steps are laid out in the graph instead of looped over."""

STEPS_OF_A_TURN = 8
"""So many time steps a turn of the loop takes over more of them."""

Walked = tuple[list[tf.Tensor], tf.Tensor | None]


def _walked(rows: list[tf.Tensor], advance: Advance, first: list[tf.Tensor], wants_outputs: bool) -> Walked:
    """Walk over what no turn takes, then by turns; few steps are laid out."""
    time = dims_of(rows[0])[0]
    if isinstance(time, int) and time <= MAX_UNROLLED_STEPS:
        return unrolled(rows, advance, first, wants_outputs)
    turns, left = time // STEPS_OF_A_TURN, time % STEPS_OF_A_TURN
    if isinstance(left, int) and not left:
        return _in_turns(rows, turns, advance, first, wants_outputs)

    def advance_after(index: tf.Tensor, row: list[tf.Tensor], *states: tf.Tensor) -> list[tf.Tensor]:
        return advance(index + tf.cast(left, tf.int32), row, *states)

    # These come first, as coremltools takes no steps of a GRU that follow a loop.
    walk = unrolled if isinstance(left, int) else _looped
    before, after = zip(*[tf.split(part, [left, time - left]) for part in rows], strict=True)
    states, outputs = walk(list(before), advance, first, wants_outputs)
    states, others = _in_turns(after, turns, advance_after, states, wants_outputs)
    return states, None if outputs is None else tf.concat([outputs, others], 0)


def _in_turns(
    rows: Sequence[tf.Tensor], turns: int | tf.Tensor, advance: Advance, first: list[tf.Tensor], wants_outputs: bool
) -> Walked:
    """Walk over rows whose number is that of the turns times the steps of one."""
    cut = [reshaped(part, [turns, STEPS_OF_A_TURN, *dims_of(part)[1:]]) for part in rows]
    lists = [tensor_list.unstack(part) for part in cut]

    def turn(index: tf.Tensor, *states: tf.Tensor) -> list[tf.Tensor]:
        taken = [tensor_list.get(items, index, p.dtype, p.shape[1:]) for items, p in zip(lists, cut, strict=True)]

        def advance_within(step: tf.Tensor, row: list[tf.Tensor], *states: tf.Tensor) -> list[tf.Tensor]:
            return advance(index * STEPS_OF_A_TURN + step, row, *states)

        following, outputs = unrolled(taken, advance_within, list(states), wants_outputs)
        return [*following, outputs] if wants_outputs else following

    row = tf.TensorSpec([STEPS_OF_A_TURN, *first[0].shape], first[0].dtype)
    states, outputs = counted_loop(turns, turn, first, [row] * wants_outputs)
    if not wants_outputs:
        return states, None
    return states, reshaped(outputs[0], [turns * STEPS_OF_A_TURN, *dims_of(first[0])])


def _looped(rows: list[tf.Tensor], advance: Advance, first: list[tf.Tensor], wants_outputs: bool) -> Walked:
    """Walk over lists of rows, and collect the outputs in another: a turn for each time step."""
    lists = [tensor_list.unstack(part) for part in rows]

    def step(index: tf.Tensor, *states: tf.Tensor) -> list[tf.Tensor]:
        row = [tensor_list.get(items, index, p.dtype, p.shape[1:]) for items, p in zip(lists, rows, strict=True)]
        return advance(index, row, *states)

    row = tf.TensorSpec(first[0].shape, first[0].dtype)
    final, outputs = counted_loop(dims_of(rows[0])[0], step, first, [row] * wants_outputs)
    if not wants_outputs:
        return final, None
    # A list of nothing does not know the batch.
    return final, reshaped(outputs[0], [dims_of(rows[0])[0], *dims_of(first[0])])


register_recurrent(Form(_walked, ACTIVATIONS, is_packed=True))
register_recurrent(Form(unrolled, ACTIVATIONS, is_packed=True), target="unrolled_rnn")
register_recurrent(Form(_looped, ACTIVATIONS, is_packed=True), target="looped_rnn")
