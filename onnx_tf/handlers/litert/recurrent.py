"""RNN, GRU and LSTM, unrolled or as a loop over a buffer: LiteRT has next to nothing for lists of tensors."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import tensorflow as tf

from onnx_tf.handlers._control import counted_loop
from onnx_tf.handlers._recurrence import ACTIVATIONS, Advance, Form, Handler, register_recurrent
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
    rows: tf.Tensor, advance: Advance, first: list[tf.Tensor], wants_outputs: bool
) -> tuple[list[tf.Tensor], tf.Tensor | None]:
    time, weights = dims_of(rows)[0], rows.shape[-1] * first[0].shape[-1]
    if isinstance(time, int) and time <= MAX_UNROLLED_STEPS and (time - 1) * weights <= MAX_REPEATED_WEIGHTS:
        return unrolled(rows, advance, first, wants_outputs)
    return _looped(rows, advance, first, wants_outputs)


def _looped(
    rows: tf.Tensor, advance: Advance, first: list[tf.Tensor], wants_outputs: bool
) -> tuple[list[tf.Tensor], tf.Tensor | None]:
    time = dims_of(rows)[0]

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


_OF_NO_DIRECTION = 0, 4
"""The positions of inputs that both directions share: the sequence and its lengths."""
_STATES = 5, 6
"""The positions of the initial states."""


def _one_after_another(handler: Handler, functions: int) -> Handler:
    """Return a handler that walks in one direction at a time.

    Both at once need a product of batches, which takes 2 to 4 times as long as two dense layers.
    """

    @functools.wraps(handler)
    def walks(*tensors: Any, direction: str = "forward", **attributes: Any) -> tuple[tf.Tensor | None, ...]:
        if direction != "bidirectional":
            return handler(*tensors, direction=direction, **attributes)
        layout = attributes.get("layout", 0)

        def part(position: int, tensor: Any, index: int) -> Any:
            if tensor is None or position in _OF_NO_DIRECTION:
                return tensor
            return tensor[:, index : index + 1] if layout and position in _STATES else tensor[index : index + 1]

        found = [
            handler(*[part(p, t, i) for p, t in enumerate(tensors)], direction=name, **{**attributes, **own})
            for i, (name, own) in enumerate(zip(("forward", "reverse"), _halves(functions, **attributes), strict=True))
        ]
        axes = [1 + layout, layout, layout]
        pairs = zip(zip(*found, strict=True), axes, strict=False)
        return tuple(None if pair[0] is None else tf.concat(pair, axis) for pair, axis in pairs)

    return walks


def _halves(
    count: int,
    activations: Sequence[str] | None,
    activation_alpha: Sequence[float] | None,
    activation_beta: Sequence[float] | None,
    **others: Any,
) -> list[dict[str, Sequence[Any] | None]]:
    """Return the attributes that tell the functions of each direction."""
    del others
    parameters = [len(ACTIVATIONS.get(name.lower(), (None, ()))[1]) for name in (activations or [])[:count]]
    ends = count, sum(n > 0 for n in parameters), sum(n > 1 for n in parameters)
    given = {"activations": activations, "activation_alpha": activation_alpha, "activation_beta": activation_beta}
    pairs = list(zip(given.items(), ends, strict=True))
    return [
        {name: list(values)[:end] if values else None for (name, values), end in pairs},
        {name: list(values)[end:] if values else None for (name, values), end in pairs},
    ]


LITERT_FORM = Form(_walk, {**ACTIVATIONS, "softplus": (_softplus, ())}, _one_after_another)
register_recurrent(LITERT_FORM, target="litert")
register_recurrent(replace(LITERT_FORM, walk=unrolled), target="litert_unrolled_rnn")
register_recurrent(replace(LITERT_FORM, walk=_looped), target="litert_looped_rnn")
