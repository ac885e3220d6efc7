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
        found = []
        for index, turned in enumerate({"forward": [0], "reverse": [1]}.get(direction, [0, 1])):
            own = [_gates(op_type, matrix[index]) for matrix in weights]
            own.append(_bias(op_type, bias[index], bool(linear_before_reset)))
            begin = [place.tensor(state)[index, :, :] for state in states]
            found.append(_layer(place, op_type, x, own, begin, bool(turned), bool(linear_before_reset)))
        y, *ends = (ops.stack(parts, axis=0) for parts in zip(*found, strict=True))
        return (ops.transpose(y, (2, 0, 1, 3)), *ends)  # directions, batch, time -> time, directions, batch

    return recurrent


def _layer(
    place: Place, op_type: str, x: Any, weights: Sequence[np.ndarray], begin: Sequence[Any], turned: bool, after: bool
) -> Sequence[Any]:
    """Return what one direction gives: all its results in ONNX's order, and the last states."""
    cls = {"LSTM": layers.LSTM, "GRU": layers.GRU, "RNN": layers.SimpleRNN}[op_type]
    config: dict[str, Any] = {"reset_after": after} if op_type == "GRU" else {}
    layer = cls(
        weights[1].shape[0],
        return_sequences=True,
        return_state=True,
        go_backwards=turned,
        name=place.drawn.names.take(f"{place.name}_backward" if turned else place.name),
        dtype=x.dtype,
        **config,
        **FREE,
    )
    if begin and op_type == "LSTM" and len(begin) < 2:
        place.refuse("it has one of two initial states")
    results = layer(x, initial_state=list(begin) if len(begin) > 1 else begin[0] if begin else None)
    layer.set_weights(list(weights))
    y, *states = results
    return [ops.flip(y, axis=1) if turned else y, *states]


def _gates(op_type: str, matrix: np.ndarray) -> np.ndarray:
    """Return a matrix gates*hidden, input as Keras takes it: input, gates*hidden in its order."""
    parts = np.split(matrix, len(ORDERS[op_type]))
    return np.concatenate([parts[gate] for gate in ORDERS[op_type]]).T


def _bias(op_type: str, bias: np.ndarray, after: bool) -> np.ndarray:
    halves = [_gates(op_type, half[:, None])[0] for half in np.split(bias, 2)]
    return np.stack(halves) if op_type == "GRU" and after else halves[0] + halves[1]


for _op_type in ORDERS:
    _register(_op_type)
