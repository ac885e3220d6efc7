"""What RNN, GRU and LSTM are on every target: their cells, weights and functions.

All three are one walk over time (:func:`_over_time`). The product of the input and its weights does
not depend on the state and is computed for all time steps at once, before the walk. Two directions
are walked as one: a state then is [2, batch, hidden], with one direction [batch, hidden].
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir
import tensorflow as tf

from onnx_tf.handlers._cast import onnx_dtype
from onnx_tf.handlers._quantized import dequantize, quantize
from onnx_tf.handlers._tensors import as_shape, dims_of, exact_quotient, reshaped, shaped
from onnx_tf.handlers._versions import earlier
from onnx_tf.handlers.linear_algebra import matrix_product
from onnx_tf.registry import NodeContext, onnx_op

__all__ = ["ACTIVATIONS", "Activations", "Advance", "Form", "Handler", "register_recurrent"]

Function = Callable[[tf.Tensor], tf.Tensor]
Activations = Mapping[str, tuple[Callable[..., tf.Tensor], tuple[float, ...]]]

Handler = Callable[..., tuple[tf.Tensor | None, ...]]

Advance = Callable[..., list[tf.Tensor]]
"""Takes the number of a time step (int32), its row and the states, returns the next states and an output, if wanted."""


@dataclass(frozen=True)
class Form:
    """How a target walks over time.

    Attributes:
        walk: takes the rows [time, ..., gates], an :data:`Advance`, the first states and whether outputs are
            wanted; returns the last states and the outputs [time, ..., hidden], or ``None``.
        activations: functions by name in lower case, see :data:`ACTIVATIONS`.
        of_directions: takes a handler and how many functions its cell has, returns the one to register.
    """

    walk: Callable[[tf.Tensor, Advance, list[tf.Tensor], bool], tuple[list[tf.Tensor], tf.Tensor | None]]
    activations: Activations
    of_directions: Callable[[Handler, int], Handler] = lambda handler, _: handler


ACTIVATIONS: Activations = {
    "affine": (lambda x, alpha, beta: alpha * x + beta, (1.0, 0.0)),
    "elu": (lambda x, alpha: tf.where(x < 0, alpha * tf.math.expm1(x), x), (1.0,)),
    "hardsigmoid": (lambda x, alpha, beta: tf.clip_by_value(alpha * x + beta, 0.0, 1.0), (0.2, 0.5)),
    "leakyrelu": (lambda x, alpha: tf.where(x < 0, alpha * x, x), (0.01,)),
    "relu": (tf.nn.relu, ()),
    "scaledtanh": (lambda x, alpha, beta: alpha * tf.tanh(beta * x), (1.0, 1.0)),
    "sigmoid": (tf.sigmoid, ()),
    "softplus": (tf.nn.softplus, ()),
    "softsign": (tf.nn.softsign, ()),
    "tanh": (tf.tanh, ()),
    "thresholdedrelu": (lambda x, alpha: tf.where(x > alpha, x, tf.zeros_like(x)), (1.0,)),
}
"""Functions by name in lower case, with the defaults of their parameters: none, alpha, or alpha and beta."""


def _rnn(
    form: Form, x: tf.Tensor, w: tf.Tensor, r: tf.Tensor, b: tf.Tensor | None = None,
    sequence_lens: tf.Tensor | None = None, initial_h: tf.Tensor | None = None, *,
    activation_alpha: Sequence[float] | None,
    activation_beta: Sequence[float] | None, activations: Sequence[str], clip: float | None, direction: str,
    hidden_size: int | None, layout: int, context: NodeContext,
) -> tuple[tf.Tensor | None, ...]:  # fmt: skip
    (f,) = _functions(form, activations, activation_alpha, activation_beta, direction, clip, ["Tanh"])
    w, r, b = _weights(x, w, r, b, direction, hidden_size, 1)
    recurrence = _matrix(r)

    def step(projected: tf.Tensor, h: tf.Tensor) -> list[tf.Tensor]:
        # The other order of operands makes OpenVINO take the input for the state.
        return [f(tf.matmul(h, recurrence, transpose_b=True) + projected)]

    return _over_time(
        form, step, x, w, _bias(b), sequence_lens, [initial_h],
        direction=direction, layout=layout, hidden=r.shape[-1], wants_sequence=context.outputs[0],
    )  # fmt: skip


def _gru(
    form: Form, x: tf.Tensor, w: tf.Tensor, r: tf.Tensor, b: tf.Tensor | None = None,
    sequence_lens: tf.Tensor | None = None, initial_h: tf.Tensor | None = None, *,
    activation_alpha: Sequence[float] | None,
    activation_beta: Sequence[float] | None, activations: Sequence[str] | None, clip: float | None, direction: str,
    hidden_size: int | None, layout: int, linear_before_reset: int, context: NodeContext,
) -> tuple[tf.Tensor | None, ...]:  # fmt: skip
    f, g = _functions(form, activations, activation_alpha, activation_beta, direction, clip, ["Sigmoid", "Tanh"])
    w, r, b = _weights(x, w, r, b, direction, hidden_size, 3)
    size = r.shape[-1]
    gates, candidate = _matrix(r[:, : 2 * size]), _matrix(r[:, 2 * size :])
    inside = None
    if b is not None and linear_before_reset:
        b, inside = tf.concat([b[:, : 5 * size], tf.zeros_like(b[:, 5 * size :])], 1), _row(b[:, 5 * size :])

    def step(projected: tf.Tensor, h: tf.Tensor) -> list[tf.Tensor]:
        x_gates, x_candidate = tf.split(projected, [2 * size, size], axis=-1)
        z, reset = tf.split(f(x_gates + tf.matmul(h, gates, transpose_b=True)), 2, axis=-1)
        if linear_before_reset:
            inner = tf.matmul(h, candidate, transpose_b=True)
            inner = reset * (inner if inside is None else inner + inside)
        else:
            inner = tf.matmul(reset * h, candidate, transpose_b=True)
        new = g(x_candidate + inner)
        return [new + z * (h - new)]

    return _over_time(
        form, step, x, w, _bias(b), sequence_lens, [initial_h],
        direction=direction, layout=layout, hidden=r.shape[-1], wants_sequence=context.outputs[0],
    )  # fmt: skip


def _lstm(
    form: Form, seen: Function, x: tf.Tensor, w: tf.Tensor, r: tf.Tensor, b: tf.Tensor | None = None,
    sequence_lens: tf.Tensor | None = None, initial_h: tf.Tensor | None = None, initial_c: tf.Tensor | None = None,
    p: tf.Tensor | None = None, *, activation_alpha: Sequence[float] | None, activation_beta: Sequence[float] | None,
    activations: Sequence[str] | None, clip: float | None, direction: str, hidden_size: int | None,
    input_forget: int, layout: int, context: NodeContext,
) -> tuple[tf.Tensor | None, ...]:  # fmt: skip
    """Compute the operator; ``seen`` is what the recurrent weights multiply instead of the state."""
    given, defaults = (form, activations, activation_alpha, activation_beta, direction), ["Sigmoid", "Tanh", "Tanh"]
    f, g, _ = _functions(*given, clip, defaults)
    # ONNX Runtime does not clip the cell state, which is the input of the third function.
    *_, h_function = _functions(*given, None, defaults)
    w, r, b = _weights(x, w, r, b, direction, hidden_size, 4)
    recurrence = _matrix(r)
    peepholes = None
    if p is not None:
        p = shaped(tf.cast(p, w.dtype), [r.shape[0], 3 * r.shape[2]])
        peepholes = [_row(row) for row in tf.split(p, 3, axis=1)]

    def step(projected: tf.Tensor, h: tf.Tensor, c: tf.Tensor) -> list[tf.Tensor]:
        gates = projected + tf.matmul(seen(h), recurrence, transpose_b=True)
        if peepholes is None:
            sigmoids, cell = tf.split(gates, [3 * h.shape[-1], h.shape[-1]], axis=-1)
            i, o, forget = tf.split(f(sigmoids), 3, axis=-1)
        else:
            i, o, forget, cell = tf.split(gates, 4, axis=-1)
            i, forget = f(i + peepholes[0] * c), f(forget + peepholes[2] * c)
        c = (1 - i if input_forget else forget) * c + i * g(cell)
        if peepholes is not None:
            o = f(o + peepholes[1] * c)
        return [o * h_function(c), c]

    return _over_time(
        form, step, x, w, _bias(b), sequence_lens, [initial_h, initial_c],
        direction=direction, layout=layout, hidden=r.shape[-1], wants_sequence=context.outputs[0],
    )  # fmt: skip


def _dynamic_quantize_lstm(
    form: Form, x: tf.Tensor, w: tf.Tensor, r: tf.Tensor, b: tf.Tensor | None, sequence_lens: tf.Tensor | None,
    initial_h: tf.Tensor | None, initial_c: tf.Tensor | None, p: tf.Tensor | None, w_scale: tf.Tensor,
    w_zero_point: tf.Tensor, r_scale: tf.Tensor, r_zero_point: tf.Tensor, *,
    activation_alpha: Sequence[float] | None = None, activation_beta: Sequence[float] | None = None,
    activations: Sequence[str] | None = None, clip: float | None = None, direction: str = "forward",
    hidden_size: int | None = None, input_forget: int = 0, context: NodeContext,
) -> tuple[tf.Tensor | None, ...]:  # fmt: skip
    """Multiply 8-bit weights by the input and by the states in 8 bits, quantised when they are known.

    The state of each sequence has a scale of its own. ONNX Runtime shares one among the sequences
    that a thread happens to compute.
    """
    w = _decoded(w, w_scale, w_zero_point, onnx_dtype(w, context, 1))
    r = _decoded(r, r_scale, r_zero_point, onnx_dtype(r, context, 2))
    used = x if sequence_lens is None else x[: tf.reduce_max(sequence_lens)]
    return _lstm(
        form, lambda h: _in_bytes(h, h, [-1]), _in_bytes(x, used, [0, 1, 2]), w, r, b, sequence_lens,
        initial_h, initial_c, p,
        activation_alpha=activation_alpha, activation_beta=activation_beta, activations=activations, clip=clip,
        direction=direction, hidden_size=hidden_size, input_forget=input_forget, layout=0, context=context,
    )  # fmt: skip


def _decoded(weights: tf.Tensor, scale: tf.Tensor, zero: tf.Tensor, dtype: ir.DataType) -> tf.Tensor:
    """Return [directions, input, gates] weights as [directions, gates, input] floats."""
    columns = (slice(None), tf.newaxis) if scale.shape.rank == 2 else (slice(None), tf.newaxis, tf.newaxis)
    return tf.transpose(dequantize(weights, scale[columns], zero[columns], dtype), [0, 2, 1])


def _in_bytes(x: tf.Tensor, used: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    """Return numbers as 8 bits hold them, with a scale and zero point for what is used of them over the axes."""
    low = tf.minimum(tf.reduce_min(used, axes, keepdims=True), 0)
    high = tf.maximum(tf.reduce_max(used, axes, keepdims=True), 0)
    scale = tf.where(high == low, tf.ones_like(high), exact_quotient(high - low, tf.constant(255.0)))
    zero_point = quantize(-low, scale, None, ir.DataType.UINT8)
    return dequantize(quantize(x, scale, zero_point, ir.DataType.UINT8), scale, zero_point, ir.DataType.UINT8)


def _over_time(
    form: Form,
    step: Callable[..., list[tf.Tensor]],
    x: tf.Tensor,
    w: tf.Tensor,
    bias: tf.Tensor | None,
    lengths: tf.Tensor | None,
    initial: Sequence[tf.Tensor | None],
    *,
    direction: str,
    layout: int,
    hidden: int,
    wants_sequence: bool,
) -> tuple[tf.Tensor | None, ...]:
    """Return the outputs of a node: the sequence of first states (if wanted), then the last states.

    Args:
        form: how the target walks.
        step: takes the projected input of a time step and the states, returns the next states.
        x: the input, [time, batch, input] or with ``layout`` [batch, time, input].
        w: the input's weights, [directions, gates, input].
        bias: [directions, gates].
        lengths: how many time steps of each sequence are valid.
        initial: the initial states, [directions, batch, hidden] or with ``layout`` batch first.
        direction: as the attribute.
        layout: as the attribute.
        hidden: the size of a state.
        wants_sequence: whether the sequence of states is used.
    """
    dtype = x.dtype
    x = shaped(x, [None, None, w.shape[2]])
    x = tf.cast(tf.transpose(x, [1, 0, 2]) if layout else x, w.dtype)
    batch = dims_of(x)[1]
    directions = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}[direction]

    def flipped(tensor: tf.Tensor) -> tf.Tensor:
        if lengths is None:
            return tf.reverse(tensor, [0])
        return tf.reverse_sequence(tensor, lengths, seq_axis=0, batch_axis=1)

    rows = _stacked([_projected(flipped(x) if r else x, w[i], bias, i) for i, r in enumerate(directions)], axis=1)

    def advance(index: tf.Tensor, row: tf.Tensor, *states: tf.Tensor) -> list[tf.Tensor]:
        following = step(row, *states)
        output = following[0]
        if lengths is not None:
            valid = (index < tf.cast(lengths, tf.int32))[:, tf.newaxis]
            following = [tf.where(valid, new, old) for new, old in zip(following, states, strict=True)]
            output = tf.where(valid, output, tf.zeros_like(output))
        return [*following, output] if wants_sequence else following

    first = [_initial(state, w.dtype, layout, [len(directions), batch, hidden]) for state in initial]
    final, outputs = form.walk(rows, advance, first, wants_sequence)
    final = _last_states(final, lengths, len(directions), layout)
    if outputs is None:
        return (None, *[tf.cast(state, dtype) for state in final])
    parts = tf.unstack(outputs, axis=1) if len(directions) == 2 else [outputs]
    y = tf.stack([flipped(part) if r else part for part, r in zip(parts, directions, strict=True)], axis=1)
    y = tf.transpose(y, [2, 0, 1, 3]) if layout else y
    return tuple(tf.cast(tensor, dtype) for tensor in (y, *final))


def _last_states(
    states: Sequence[tf.Tensor], lengths: tf.Tensor | None, directions: int, layout: int
) -> list[tf.Tensor]:
    """Return final states as the operator gives them: of two directions stacked already, of one without that axis."""
    if lengths is not None:
        # The operator does not say what the last state of an empty sequence is; ONNX Runtime gives 0.
        states = [tf.where((lengths > 0)[:, tf.newaxis], state, tf.zeros_like(state)) for state in states]
    states = [state if directions == 2 else state[tf.newaxis] for state in states]
    return [tf.transpose(state, [1, 0, 2]) if layout else state for state in states]


def _projected(x: tf.Tensor, w: tf.Tensor, bias: tf.Tensor | None, index: int) -> tf.Tensor:
    """Return x [time, batch, input] times the weights of a direction and its bias: [time, batch, gates]."""
    time, batch, size = dims_of(x)
    # What a dimension of an empty matrix is, -1 cannot tell.
    rows = reshaped(x, [-1 if isinstance(size, int) and size else time * batch, size])
    product = matrix_product(rows, w, transpose_b=True)
    product = product if bias is None else product + bias[index]
    return reshaped(product, [time, batch, *dims_of(product)[1:]])


def _initial(state: tf.Tensor | None, dtype: tf.DType, layout: int, shape: list[Any]) -> tf.Tensor:
    """Return an initial state, or zeros, as [directions, batch, hidden], of one direction [batch, hidden]."""
    if state is None:
        return tf.zeros(as_shape(shape if shape[0] == 2 else shape[1:]), dtype)
    state = shaped(state, [None, None, shape[2]])
    state = tf.cast(tf.transpose(state, [1, 0, 2]) if layout else state, dtype)
    return state if shape[0] == 2 else state[0]


def _stacked(tensors: Sequence[tf.Tensor], axis: int) -> tf.Tensor:
    """Stack what two directions have of one kind; one direction has no axis of its own."""
    return tf.stack(tensors, axis=axis) if len(tensors) == 2 else tensors[0]


def _matrix(weights: tf.Tensor) -> tf.Tensor:
    """Return [directions, gates, hidden] weights in the form that multiplies a state."""
    return weights if weights.shape[0] == 2 else weights[0]


def _row(bias: tf.Tensor) -> tf.Tensor:
    """Return [directions, gates] numbers in the form that adds to a state."""
    return bias[:, tf.newaxis] if bias.shape[0] == 2 else bias[0]


def _weights(
    x: tf.Tensor, w: tf.Tensor, r: tf.Tensor, b: tf.Tensor | None, direction: str, hidden: int | None, gates: int
) -> list[tf.Tensor | None]:
    """Return the weights with the shapes that the attributes tell, in what is computed in."""
    hidden = r.shape[2] if hidden is None else hidden
    if hidden is None:
        raise ValueError("hidden_size is not stated, nor is the shape of R: set the attribute")
    directions = 2 if direction == "bidirectional" else 1
    shapes = [
        [directions, gates * hidden, None],
        [directions, gates * hidden, hidden],
        [directions, 2 * gates * hidden],
    ]
    # Sums over many steps need more than 16 bits.
    dtype = tf.float32 if x.dtype in (tf.float16, tf.bfloat16) else x.dtype
    pairs = zip((w, r, b), shapes, strict=True)
    return [None if t is None else tf.cast(shaped(t, shape), dtype) for t, shape in pairs]


def _bias(b: tf.Tensor | None) -> tf.Tensor | None:
    """Add the biases of input and state, which lie side by side."""
    return None if b is None else tf.add(*tf.split(b, 2, axis=1))


def _functions(
    form: Form,
    names: Sequence[str] | None,
    alphas: Sequence[float] | None,
    betas: Sequence[float] | None,
    direction: str,
    clip: float | None,
    defaults: Sequence[str],
) -> list[Function]:
    """Return the activation functions of a cell, for both directions at once.

    Raises:
        ValueError: their number or a name is wrong.
    """
    count = 2 if direction == "bidirectional" else 1
    names = list(names or [*defaults] * count)  # the schema's default for RNN has both directions' names
    if len(names) < count * len(defaults):
        raise ValueError(f"{count * len(defaults)} activations expected, got {names}")
    alpha, beta = iter(alphas or ()), iter(betas or ())
    names = names[: count * len(defaults)]
    functions = [_activation(form, name, alpha, beta, clip) for name in names]
    if count == 1 or (names[: len(defaults)] * 2 == names and not alphas and not betas):
        return functions[: len(defaults)]
    pairs = zip(functions[: len(defaults)], functions[len(defaults) :], strict=True)
    return [functools.partial(_per_direction, pair) for pair in pairs]


def _per_direction(functions: tuple[Function, Function], x: tf.Tensor) -> tf.Tensor:
    """Apply a function of its own to each direction of [2, batch, size]."""
    return tf.stack([function(x[i]) for i, function in enumerate(functions)])


def _activation(form: Form, name: str, alpha: Iterator[float], beta: Iterator[float], clip: float | None) -> Function:
    """Return an activation by its name; it takes its parameters from the lists, and clips its input."""
    if name.lower() not in form.activations:
        raise ValueError(f"activation {name!r} is not known; known are {', '.join(sorted(form.activations))}")
    function, defaults = form.activations[name.lower()]
    parameters = [next(given, default) for given, default in zip((alpha, beta), defaults, strict=False)]

    def activation(x: tf.Tensor) -> tf.Tensor:
        x = x if clip is None else tf.clip_by_value(x, -clip, clip)
        return function(x, *parameters)

    return activation


def register_recurrent(form: Form, target: str = "") -> None:
    """Register the operators in a form, for all of their versions."""
    rnn, gru = (form.of_directions(functools.partial(cell, form), n) for cell, n in ((_rnn, 1), (_gru, 2)))
    lstm = form.of_directions(functools.partial(_lstm, form, lambda h: h), 3)
    dynamic = form.of_directions(functools.partial(_dynamic_quantize_lstm, form), 3)
    unlaid = {"layout": 0}
    for op_type, since, handler in (
        ("RNN", 14, rnn),
        ("GRU", 14, gru),
        ("LSTM", 14, lstm),
        ("RNN", 7, earlier(rnn, unlaid)),
        ("GRU", 7, earlier(gru, unlaid)),
        ("LSTM", 7, earlier(lstm, unlaid)),
        ("RNN", 1, earlier(rnn, unlaid, ["output_sequence"])),
        ("LSTM", 1, earlier(lstm, unlaid, ["output_sequence"])),
        ("GRU", 3, earlier(gru, unlaid, ["output_sequence"])),
        ("GRU", 1, earlier(gru, {**unlaid, "linear_before_reset": 0}, ["output_sequence"])),
    ):
        onnx_op(op_type, since=since, target=target)(handler)
    onnx_op("DynamicQuantizeLSTM", domain="com.microsoft", target=target)(dynamic)
