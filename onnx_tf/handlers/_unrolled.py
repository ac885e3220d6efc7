"""Time steps laid out in the graph, one after the other."""

from __future__ import annotations

import tensorflow as tf

from onnx_tf.errors import either, option
from onnx_tf.handlers._recurrence import Advance
from onnx_tf.handlers._tensors import as_shape, dims_of

__all__ = ["unrolled"]


def unrolled(
    rows: list[tf.Tensor], advance: Advance, states: list[tf.Tensor], wants_outputs: bool
) -> tuple[list[tf.Tensor], tf.Tensor | None]:
    """Walk over rows that are counted, see :class:`Form`: each step has operations of its own.

    Raises:
        ValueError: how many rows there are is only known when it runs.
    """
    time = dims_of(rows[0])[0]
    if not isinstance(time, int):
        raise ValueError(
            "how many time steps there are is not known, and it is to be unrolled: state them with "
            f"{either('input_shapes', '--input-shape')}, or leave out {option('unroll_rnn')}"
        )
    outputs = []
    for index, row in enumerate(zip(*[tf.unstack(part) for part in rows], strict=True)):
        found = advance(tf.constant(index), list(row), *states)
        states = found[: len(states)]
        outputs += found[len(states) :]
    if not wants_outputs:
        return states, None
    return states, tf.stack(outputs) if outputs else tf.zeros(as_shape([0, *dims_of(states[0])]), states[0].dtype)
