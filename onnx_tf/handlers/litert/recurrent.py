"""RNN, GRU and LSTM, unrolled or as a loop over a buffer: LiteRT has next to nothing for lists of tensors."""

from __future__ import annotations

from dataclasses import replace

import tensorflow as tf

from onnx_tf.handlers._cells import register_recurrent
from onnx_tf.handlers._control import counted_loop
from onnx_tf.handlers._gate_functions import ACTIVATIONS
from onnx_tf.handlers._recurrence import Advance, Form
from onnx_tf.handlers._tensors import dims_of
from onnx_tf.handlers._unrolled import unrolled
from onnx_tf.handlers.litert._buffers import put_row

MAX_UNROLLED_STEPS = 16
"""Up to so many time steps are laid out in the graph instead of looped over."""

MAX_REPEATED_WEIGHTS = 1 << 18
"""So many weights more XNNPACK may hold for that: it packs those of every step. A loop is faster then as well."""


def _softplus(x: tf.Tensor) -> tf.Tensor:
    """Return log(1 + exp(x)), which LiteRT would compute as it is written."""
    return tf.maximum(x, 0) + tf.math.log1p(tf.exp(-tf.abs(x)))


def _walk(
    rows: list[tf.Tensor], advance: Advance, first: list[tf.Tensor], wants_outputs: bool
) -> tuple[list[tf.Tensor], tf.Tensor | None]:
    time, weights = dims_of(rows[0])[0], rows[0].shape[-1] * first[0].shape[-1]
    if isinstance(time, int) and time <= MAX_UNROLLED_STEPS and (time - 1) * weights <= MAX_REPEATED_WEIGHTS:
        return unrolled(rows, advance, first, wants_outputs)
    return _looped(rows, advance, first, wants_outputs)


def _looped(
    parts: list[tf.Tensor], advance: Advance, first: list[tf.Tensor], wants_outputs: bool
) -> tuple[list[tf.Tensor], tf.Tensor | None]:
    (rows,) = parts
    time = dims_of(rows)[0]

    def step(index: tf.Tensor, *values: tf.Tensor) -> list[tf.Tensor]:
        row = [tf.gather(rows, index)]
        if not wants_outputs:
            return advance(index, row, *values)
        *states, outputs = values
        *following, output = advance(index, row, *states)
        return [*following, put_row(outputs, index, output)]

    # Every row is overwritten: what is there already spares a tensor of zeros, which the file would hold.
    state = [*first, rows[..., : first[0].shape[-1]]] if wants_outputs else first
    final, _ = counted_loop(time, step, state)
    return (final[:-1], final[-1]) if wants_outputs else (final, None)


LITERT_FORM = Form(_walk, {**ACTIVATIONS, "softplus": (_softplus, ())}, is_packed=False)
register_recurrent(LITERT_FORM, target="litert")
register_recurrent(replace(LITERT_FORM, walk=unrolled), target="litert_unrolled_rnn")
register_recurrent(replace(LITERT_FORM, walk=_looped), target="litert_looped_rnn")
