"""The activation functions of RNN, GRU and LSTM."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import tensorflow as tf

__all__ = ["ACTIVATIONS", "Activations", "Function", "gate_functions"]

Function = Callable[[tf.Tensor], tf.Tensor]
Activations = Mapping[str, tuple[Callable[..., tf.Tensor], tuple[float, ...]]]

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


def gate_functions(
    known: Activations,
    names: Sequence[str] | None,
    alphas: Sequence[float] | None,
    betas: Sequence[float] | None,
    clip: float | None,
    defaults: Sequence[str],
) -> list[Function]:
    """Return the activation functions of a cell of one direction.

    Args:
        known: see :data:`ACTIVATIONS`.
        names: as the attribute ``activations``.
        alphas: as the attribute ``activation_alpha``.
        betas: as the attribute ``activation_beta``.
        clip: what their inputs are limited to, if anything.
        defaults: the names where none are given.

    Raises:
        ValueError: their number or a name is wrong.
    """
    names = list(names or defaults)
    if len(names) < len(defaults):
        raise ValueError(f"{len(defaults)} activations expected, got {names}")
    alpha, beta = iter(alphas or ()), iter(betas or ())
    # The schema's default for RNN has both directions' names.
    return [_activation(known, name, alpha, beta, clip) for name in names[: len(defaults)]]


def _activation(
    known: Activations, name: str, alpha: Iterator[float], beta: Iterator[float], clip: float | None
) -> Function:
    """Return an activation by its name; it takes its parameters from the lists, and clips its input."""
    if name.lower() not in known:
        raise ValueError(f"activation {name!r} is not known; known are {', '.join(sorted(known))}")
    function, defaults = known[name.lower()]
    parameters = [next(given, default) for given, default in zip((alpha, beta), defaults, strict=False)]

    def activation(x: tf.Tensor) -> tf.Tensor:
        x = x if clip is None else tf.clip_by_value(x, -clip, clip)
        return function(x, *parameters)

    return activation
