"""What RNN, GRU and LSTM are on every target: their cells, over one walk each (:func:`over_time`)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import onnx_ir as ir
import tensorflow as tf

from onnx_tf.handlers._cast import onnx_dtype
from onnx_tf.handlers._directions import one_after_another
from onnx_tf.handlers._gate_functions import Function, gate_functions
from onnx_tf.handlers._quantized import dequantize, quantize
from onnx_tf.handlers._recurrence import Form, over_time, products, weights_of
from onnx_tf.handlers._tensors import exact_quotient, shaped
from onnx_tf.handlers._versions import earlier
from onnx_tf.registry import PACKED_DOMAIN, NodeContext, onnx_op

__all__ = ["register_recurrent"]


def _rnn(
    form: Form, is_packed: bool, x: tf.Tensor, w: tf.Tensor, r: tf.Tensor, b: tf.Tensor | None = None,
    sequence_lens: tf.Tensor | None = None, initial_h: tf.Tensor | None = None, *,
    activation_alpha: Sequence[float] | None,
    activation_beta: Sequence[float] | None, activations: Sequence[str], clip: float | None, direction: str,
    hidden_size: int | None, layout: int, context: NodeContext,
) -> tuple[tf.Tensor | None, ...]:  # fmt: skip
    (f,) = gate_functions(form.activations, activations, activation_alpha, activation_beta, clip, ["Tanh"])
    weights, recurrence, bias, size = weights_of(form, (w, r, b), x, hidden_size, 1, is_packed=is_packed)

    def step(row: list[tf.Tensor], h: tf.Tensor) -> list[tf.Tensor]:
        # The other order of operands makes OpenVINO take the input for the state.
        return [f(recurrence.product(h) + row[0])]

    return over_time(
        form, step, x, weights, _sum_of_halves(bias), sequence_lens, [initial_h],
        sizes=[size], direction=direction, layout=layout, hidden=size, wants_sequence=context.outputs[0],
    )  # fmt: skip


def _gru(
    form: Form, is_packed: bool, x: tf.Tensor, w: tf.Tensor, r: tf.Tensor, b: tf.Tensor | None = None,
    sequence_lens: tf.Tensor | None = None, initial_h: tf.Tensor | None = None, *,
    activation_alpha: Sequence[float] | None,
    activation_beta: Sequence[float] | None, activations: Sequence[str] | None, clip: float | None, direction: str,
    hidden_size: int | None, layout: int, linear_before_reset: int, context: NodeContext,
) -> tuple[tf.Tensor | None, ...]:  # fmt: skip
    given = activations, activation_alpha, activation_beta
    f, g = gate_functions(form.activations, *given, clip, ["Sigmoid", "Tanh"])
    weights, recurrence, bias, size = weights_of(form, (w, r, b), x, hidden_size, 3, is_packed=is_packed)
    sizes = [2 * size, size]
    gates, candidate = recurrence.cut(sizes)
    inside = None
    if bias is not None and linear_before_reset:
        inside = bias[5 * size :]
        bias = tf.concat([bias[: 5 * size], tf.zeros_like(inside)], 0)
    both = products(recurrence, sizes)

    def step(row: list[tf.Tensor], h: tf.Tensor) -> list[tf.Tensor]:
        x_gates, x_candidate = row
        if linear_before_reset:
            of_gates, inner = both(h)
            z, reset = tf.split(f(x_gates + of_gates), 2, axis=-1)
            inner = reset * (inner if inside is None else inner + inside)
        else:
            z, reset = tf.split(f(x_gates + gates.product(h)), 2, axis=-1)
            inner = candidate.product(reset * h)
        new = g(x_candidate + inner)
        return [new + z * (h - new)]

    return over_time(
        form, step, x, weights, _sum_of_halves(bias), sequence_lens, [initial_h],
        sizes=sizes, direction=direction, layout=layout, hidden=size, wants_sequence=context.outputs[0],
    )  # fmt: skip


def _lstm(
    form: Form, is_packed: bool, seen: Function, x: tf.Tensor, w: tf.Tensor, r: tf.Tensor, b: tf.Tensor | None = None,
    sequence_lens: tf.Tensor | None = None, initial_h: tf.Tensor | None = None, initial_c: tf.Tensor | None = None,
    p: tf.Tensor | None = None, *, activation_alpha: Sequence[float] | None, activation_beta: Sequence[float] | None,
    activations: Sequence[str] | None, clip: float | None, direction: str, hidden_size: int | None,
    input_forget: int, layout: int, context: NodeContext,
) -> tuple[tf.Tensor | None, ...]:  # fmt: skip
    """Compute the operator; ``seen`` is what the recurrent weights multiply instead of the state."""
    given, defaults = (activations, activation_alpha, activation_beta), ["Sigmoid", "Tanh", "Tanh"]
    f, g, _ = gate_functions(form.activations, *given, clip, defaults)
    # ONNX Runtime does not clip the cell state, which is the input of the third function.
    *_, h_function = gate_functions(form.activations, *given, None, defaults)
    weights, recurrence, bias, size = weights_of(form, (w, r, b), x, hidden_size, 4, is_packed=is_packed)
    peepholes = None
    if p is not None:
        peepholes = tf.split(shaped(tf.cast(p, weights.matrix.dtype), [1, 3 * size])[0], 3)

    def step(row: list[tf.Tensor], h: tf.Tensor, c: tf.Tensor) -> list[tf.Tensor]:
        gates = row[0] + recurrence.product(seen(h))
        if peepholes is None:
            sigmoids, cell = tf.split(gates, [3 * size, size], axis=-1)
            i, o, forget = tf.split(f(sigmoids), 3, axis=-1)
        else:
            i, o, forget, cell = tf.split(gates, 4, axis=-1)
            i, forget = f(i + peepholes[0] * c), f(forget + peepholes[2] * c)
        c = (1 - i if input_forget else forget) * c + i * g(cell)
        if peepholes is not None:
            o = f(o + peepholes[1] * c)
        return [o * h_function(c), c]

    return over_time(
        form, step, x, weights, _sum_of_halves(bias), sequence_lens, [initial_h, initial_c],
        sizes=[4 * size], direction=direction, layout=layout, hidden=size, wants_sequence=context.outputs[0],
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
        form, True, lambda h: _in_bytes(h, h, [-1]), _in_bytes(x, used, [0, 1, 2]), w, r, b, sequence_lens,
        initial_h, initial_c, p,
        activation_alpha=activation_alpha, activation_beta=activation_beta, activations=activations, clip=clip,
        direction=direction, hidden_size=hidden_size, input_forget=input_forget, layout=0, context=context,
    )  # fmt: skip


def _decoded(weights: tf.Tensor, scale: tf.Tensor, zero: tf.Tensor, dtype: ir.DataType) -> tf.Tensor:
    """Return [directions, input, gates] weights as floats."""
    columns = (slice(None), tf.newaxis) if scale.shape.rank == 2 else (slice(None), tf.newaxis, tf.newaxis)
    return dequantize(weights, scale[columns], zero[columns], dtype)


def _in_bytes(x: tf.Tensor, used: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    """Return numbers as 8 bits hold them, with a scale and zero point for what is used of them over the axes."""
    low = tf.minimum(tf.reduce_min(used, axes, keepdims=True), 0)
    high = tf.maximum(tf.reduce_max(used, axes, keepdims=True), 0)
    scale = tf.where(high == low, tf.ones_like(high), exact_quotient(high - low, tf.constant(255.0)))
    zero_point = quantize(-low, scale, None, ir.DataType.UINT8)
    return dequantize(quantize(x, scale, zero_point, ir.DataType.UINT8), scale, zero_point, ir.DataType.UINT8)


def _sum_of_halves(bias: tf.Tensor | None) -> tf.Tensor | None:
    """Add the biases of input and state, which lie side by side."""
    return None if bias is None else tf.add(*tf.split(bias, 2))


def register_recurrent(form: Form, target: str = "") -> None:
    """Register the operators in a form, for all of their versions."""
    domains = {"": False} | ({PACKED_DOMAIN: True} if form.is_packed else {})
    for domain, is_packed in domains.items():
        rnn, gru = (
            one_after_another(functools.partial(cell, form, is_packed), count) for cell, count in ((_rnn, 1), (_gru, 2))
        )
        lstm = one_after_another(functools.partial(_lstm, form, is_packed, lambda h: h), 3)
        for op_type, since, handler in _versions(rnn, gru, lstm):
            onnx_op(op_type, since=since, domain=domain, target=target)(handler)
    dynamic = one_after_another(functools.partial(_dynamic_quantize_lstm, form), 3)
    onnx_op("DynamicQuantizeLSTM", domain="com.microsoft", target=target)(dynamic)


_Handler = Callable[..., tuple[tf.Tensor | None, ...]]


def _versions(rnn: _Handler, gru: _Handler, lstm: _Handler) -> list[tuple[str, int, _Handler]]:
    """Return operators, since when they are so, and what computes them."""
    unlaid = {"layout": 0}
    return [
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
    ]
