"""LSTM, GRU and RNN: a layer for each direction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import layers, ops

from onnx_tf.export.keras._place import Place, constant, keras_op

FREE = {"kernel_initializer": "zeros", "recurrent_initializer": "zeros", "bias_initializer": "zeros"}
ACTIVATIONS = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
ORDERS = {"LSTM": (0, 2, 3, 1), "GRU": (0, 1, 2), "RNN": (0,)}
"""For each of Keras's gates, in its order, which one of ONNX's it is."""


def _register(op_type: str) -> Callable[..., Any]:
    @keras_op(op_type, since=7)
    def recurrent(
        place: Place,
        x: Any,
        w: Any,
        r: Any,
        b: Any = None,
        sequence_lens: Any = None,
        initial_h: Any = None,
        initial_c: Any = None,
        peepholes: Any = None,
        *,
        activation_alpha: Sequence[float] | None,
        activation_beta: Sequence[float] | None,
        activations: Sequence[str] | None,
        clip: float | None,
        direction: str,
        hidden_size: int | None,
        input_forget: int | None,
        layout: int | None,
        linear_before_reset: int | None,
    ) -> Any:
        known = ACTIVATIONS[op_type]
        others = any(activation not in known for activation in activations or ())
        if sequence_lens is not None or peepholes is not None or clip or input_forget or layout or others:
            place.refuse("Keras's layer has no lengths, peepholes, clip, coupled gates, layout or other activations")
        weights = [constant(place, value, "weights") for value in (w, r)]
        bias = np.zeros((len(w), 2 * w.shape[1]), w.dtype) if b is None else constant(place, b, "bias")
        x = ops.transpose(x, (1, 0, 2))
        states = [state for state in (initial_h, initial_c) if state is not None]
        after = bool(linear_before_reset)
        config: dict[str, Any] = {"reset_after": after} if op_type == "GRU" else {}
        directions = {"forward": [False], "reverse": [True]}.get(direction, [False, True])
        own = [
            [*(_gates(op_type, matrix[index]) for matrix in weights), _bias(op_type, bias[index], after)]
            for index in range(len(directions))
        ]
        if states and op_type == "LSTM" and len(states) < 2:
            place.refuse("it has one of two initial states")
        begin = [place.tensor(state)[index, :, :] for index in range(len(own)) for state in states]
        results = _recurred(place, op_type, x, own, begin, directions, config)
        y, *ends = (ops.stack(parts, axis=0) for parts in zip(*results, strict=True))
        return (ops.transpose(y, (2, 0, 1, 3)), *ends)  # directions, batch, time -> time, directions, batch

    return recurrent


def _recurred(
    place: Place,
    op_type: str,
    x: Any,
    weights: Sequence[Sequence[np.ndarray]],
    begin: Sequence[Any],
    directions: Sequence[bool],
    config: dict[str, Any],
) -> list[list[Any]]:
    """Return for each direction all its results in the order of the input, and the last states."""
    cls = {"LSTM": layers.LSTM, "GRU": layers.GRU, "RNN": layers.SimpleRNN}[op_type]
    name = place.drawn.names.take(place.name)
    turned = directions == [True]
    unrolled = {"unroll": True} if place.drawn.unrolled else {}
    if unrolled and x.shape[1] is None:
        place.refuse("how many time steps there are is not known, and it is to be unrolled")
    layer = cls(
        weights[0][1].shape[0],
        return_sequences=True,
        return_state=True,
        go_backwards=turned,
        **unrolled,
        name=name,
        dtype=x.dtype,
        **config,
        **FREE,
    )
    if len(directions) == 2:
        layer = layers.Bidirectional(layer, merge_mode=None, name=place.drawn.names.take(f"{name}_both"), dtype=x.dtype)
    # A layer of two directions takes its states as a list in any case.
    initial = None if not begin else begin[0] if len(begin) == 1 else list(begin)
    results = list(layer(x, initial_state=initial))
    layer.set_weights([array for own in weights for array in own])
    if len(directions) == 1:
        y, *states = results
        return [[ops.flip(y, axis=1) if turned else y, *states]]
    forward, backward, *states = results
    half = len(states) // 2
    return [[forward, *states[:half]], [backward, *states[half:]]]


def _gates(op_type: str, matrix: np.ndarray) -> np.ndarray:
    """Return a matrix gates*hidden, input as Keras takes it: input, gates*hidden in its order."""
    parts = np.split(matrix, len(ORDERS[op_type]))
    return np.concatenate([parts[gate] for gate in ORDERS[op_type]]).T


def _bias(op_type: str, bias: np.ndarray, after: bool) -> np.ndarray:
    halves = [_gates(op_type, half[:, None])[0] for half in np.split(bias, 2)]
    return np.stack(halves) if op_type == "GRU" and after else halves[0] + halves[1]


for _op_type in ORDERS:
    _register(_op_type)
