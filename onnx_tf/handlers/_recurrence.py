"""The walk of RNN, GRU and LSTM over time, in one direction.

The product of the input and its weights does not depend on the state and is computed for all time
steps at once, before the walk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from onnx_tf.handlers._gate_functions import Activations
from onnx_tf.handlers._tensors import as_shape, dims_of, reshaped, shaped
from onnx_tf.handlers.linear_algebra import matrix_product

__all__ = ["Advance", "Form", "Weights", "over_time", "products", "weights_of"]

Advance = Callable[..., list[tf.Tensor]]
"""Takes the number of a time step (int32), the parts of its row and the states, returns the next states and an
output, if wanted."""


@dataclass(frozen=True)
class Form:
    """How a target walks over time.

    Attributes:
        walk: takes the parts of the rows [time, batch, gates], an :data:`Advance`, the first states and whether
            outputs are wanted; returns the last states and the outputs [time, batch, hidden], or ``None``.
        activations: functions by name in lower case, see :data:`onnx_tf.handlers._gate_functions.ACTIVATIONS`.
        is_packed: whether products take weights as [input, gates], and all gates together, of which rows are cut
            into parts before the walk. Otherwise they take them as the operator has them, part by part.
    """

    walk: Callable[[list[tf.Tensor], Advance, list[tf.Tensor], bool], tuple[list[tf.Tensor], tf.Tensor | None]]
    activations: Activations
    is_packed: bool


@dataclass(frozen=True)
class Weights:
    """A matrix that multiplies inputs or states.

    Attributes:
        matrix: [input, gates], or [gates, input].
        is_packed: whether it is the first of the two.
    """

    matrix: tf.Tensor
    is_packed: bool

    def product(self, x: tf.Tensor) -> tf.Tensor:
        """Return [batch, gates] of [batch, input]."""
        return matrix_product(x, self.matrix, transpose_b=not self.is_packed)

    def cut(self, sizes: Sequence[int]) -> list[Weights]:
        """Return the weights of parts of the gates."""
        parts = tf.split(self.matrix, sizes, axis=1 if self.is_packed else 0)
        return [Weights(part, self.is_packed) for part in parts]


def products(weights: Weights, sizes: Sequence[int]) -> Callable[[tf.Tensor], list[tf.Tensor]]:
    """Return what multiplies a state by the weights, cut into parts of the gates: by one product if they are packed."""
    if weights.is_packed:
        return lambda h: tf.split(weights.product(h), sizes, axis=-1)
    parts = weights.cut(sizes)
    return lambda h: [part.product(h) for part in parts]


def over_time(
    form: Form,
    step: Callable[..., list[tf.Tensor]],
    x: tf.Tensor,
    w: Weights,
    bias: tf.Tensor | None,
    lengths: tf.Tensor | None,
    initial: Sequence[tf.Tensor | None],
    *,
    sizes: Sequence[int],
    direction: str,
    layout: int,
    hidden: int,
    wants_sequence: bool,
) -> tuple[tf.Tensor | None, ...]:
    """Return the outputs of a node: the sequence of first states (if wanted), then the last states.

    Args:
        form: how the target walks.
        step: takes the parts of the projected input of a time step and the states, returns the next states.
        x: the input, [time, batch, input] or with ``layout`` [batch, time, input].
        w: the input's weights.
        bias: [gates].
        lengths: how many time steps of each sequence are valid.
        initial: the initial states, [1, batch, hidden] or with ``layout`` batch first.
        sizes: those of the parts that ``step`` takes.
        direction: as the attribute, but not ``bidirectional``.
        layout: as the attribute.
        hidden: the size of a state.
        wants_sequence: whether the sequence of states is used.
    """
    dtype, computed = x.dtype, w.matrix.dtype
    x = shaped(x, [None, None, w.matrix.shape[0 if w.is_packed else 1]])
    x = tf.cast(tf.transpose(x, [1, 0, 2]) if layout else x, computed)

    def flipped(tensor: tf.Tensor) -> tf.Tensor:
        if direction != "reverse":
            return tensor
        if lengths is None:
            return tf.reverse(tensor, [0])
        return tf.reverse_sequence(tensor, lengths, seq_axis=0, batch_axis=1)

    rows = [_projected(flipped(x), w, bias)]
    if form.is_packed and len(sizes) > 1:
        rows = tf.split(rows[0], sizes, axis=-1)

    def advance(index: tf.Tensor, row: list[tf.Tensor], *states: tf.Tensor) -> list[tf.Tensor]:
        following = step(row if len(row) == len(sizes) else tf.split(row[0], sizes, axis=-1), *states)
        output = following[0]
        if lengths is not None:
            valid = (index < tf.cast(lengths, tf.int32))[:, tf.newaxis]
            following = [tf.where(valid, new, old) for new, old in zip(following, states, strict=True)]
            output = tf.where(valid, output, tf.zeros_like(output))
        return [*following, output] if wants_sequence else following

    first = [_initial(state, computed, layout, [dims_of(x)[1], hidden]) for state in initial]
    final, outputs = form.walk(rows, advance, first, wants_sequence)
    final = _last_states(final, lengths, layout)
    if outputs is None:
        return (None, *[tf.cast(state, dtype) for state in final])
    y = flipped(outputs)[:, tf.newaxis]
    y = tf.transpose(y, [2, 0, 1, 3]) if layout else y
    return tuple(tf.cast(tensor, dtype) for tensor in (y, *final))


def _last_states(states: Sequence[tf.Tensor], lengths: tf.Tensor | None, layout: int) -> list[tf.Tensor]:
    """Return final states [batch, hidden] as the operator gives them."""
    if lengths is not None:
        # The operator does not say what the last state of an empty sequence is; ONNX Runtime gives 0.
        states = [tf.where((lengths > 0)[:, tf.newaxis], state, tf.zeros_like(state)) for state in states]
    return [tf.expand_dims(state, 1 if layout else 0) for state in states]


def _projected(x: tf.Tensor, w: Weights, bias: tf.Tensor | None) -> tf.Tensor:
    """Return x [time, batch, input] times the weights and the bias: [time, batch, gates]."""
    time, batch, size = dims_of(x)
    # What a dimension of an empty matrix is, -1 cannot tell.
    rows = reshaped(x, [-1 if isinstance(size, int) and size else time * batch, size])
    product = w.product(rows)
    product = product if bias is None else product + bias
    return reshaped(product, [time, batch, *dims_of(product)[1:]])


def _initial(state: tf.Tensor | None, dtype: tf.DType, layout: int, shape: list[Any]) -> tf.Tensor:
    """Return an initial state, or zeros, as [batch, hidden]."""
    if state is None:
        return tf.zeros(as_shape(shape), dtype)
    state = shaped(state, [None, None, shape[1]])
    return tf.cast(state[:, 0] if layout else state[0], dtype)


def weights_of(
    form: Form, tensors: Sequence[tf.Tensor | None], x: tf.Tensor, hidden: int | None, gates: int, *, is_packed: bool
) -> tuple[Weights, Weights, tf.Tensor | None, int]:
    """Return the weights of input and state, both biases side by side and the size of a state.

    They have the shapes that the attributes tell, and the dtype in which the operator is computed.

    Args:
        form: how the target takes them.
        tensors: W, R and B of one direction.
        x: the input.
        hidden: as the attribute ``hidden_size``.
        gates: how many the cell has.
        is_packed: whether W is [1, input, gates] and R [1, hidden, gates].

    Raises:
        ValueError: nothing tells the size of a state.
    """
    w, r, b = tensors
    assert w is not None
    assert r is not None
    hidden = r.shape[1 if is_packed else 2] if hidden is None else hidden
    if hidden is None:
        raise ValueError("hidden_size is not stated, nor is the shape of R: set the attribute")
    # Sums over many steps need more than 16 bits.
    dtype = tf.float32 if x.dtype in (tf.float16, tf.bfloat16) else x.dtype

    def weights(tensor: tf.Tensor, inputs: int | None) -> Weights:
        shape = [1, inputs, gates * hidden] if is_packed else [1, gates * hidden, inputs]
        matrix = tf.cast(shaped(tensor, shape), dtype)[0]
        return Weights(matrix if form.is_packed == is_packed else tf.transpose(matrix), form.is_packed)

    bias = None if b is None else tf.cast(shaped(b, [1, 2 * gates * hidden]), dtype)[0]
    return weights(w, None), weights(r, hidden), bias, hidden
