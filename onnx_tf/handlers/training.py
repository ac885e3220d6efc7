"""Optimiser steps and gradients of ai.onnx.preview.training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from onnx_tf.registry import DIFFERENTIATED_DOMAIN, onnx_op
from onnx_tf.values import Body

DOMAIN = "ai.onnx.preview.training"


def _per_variable(
    inputs: Sequence[tf.Tensor], parts: int, step: Callable[..., tuple[tf.Tensor, ...]]
) -> tuple[tf.Tensor, ...]:
    """Apply a step to each variable of [all variables, all gradients, ...]; group the results likewise."""
    count = len(inputs) // parts
    rows = [step(*[inputs[part * count + i] for part in range(parts)]) for i in range(count)]
    return tuple(row[k] for k in range(parts - 1) for row in rows)


@onnx_op("Adagrad", domain=DOMAIN)
def adagrad(
    r: tf.Tensor, t: tf.Tensor, *inputs: tf.Tensor, decay_factor: float, epsilon: float, norm_coefficient: float
) -> tuple[tf.Tensor, ...]:
    rate = r / (1 + tf.cast(t, r.dtype) * decay_factor)

    def step(x: tf.Tensor, gradient: tf.Tensor, squares: tf.Tensor) -> tuple[tf.Tensor, ...]:
        gradient = norm_coefficient * x + gradient
        squares = squares + gradient * gradient
        return x - tf.cast(rate, x.dtype) * gradient / (tf.sqrt(squares) + epsilon), squares

    return _per_variable(inputs, 3, step)


@onnx_op("Adam", domain=DOMAIN)
def adam(
    r: tf.Tensor,
    t: tf.Tensor,
    *inputs: tf.Tensor,
    alpha: float,
    beta: float,
    epsilon: float,
    norm_coefficient: float,
    norm_coefficient_post: float,
) -> tuple[tf.Tensor, ...]:
    count = tf.cast(t, r.dtype)
    corrected = r * tf.sqrt(1 - tf.pow(tf.cast(beta, r.dtype), count)) / (1 - tf.pow(tf.cast(alpha, r.dtype), count))
    rate = tf.where(t > 0, corrected, r)

    def step(x: tf.Tensor, gradient: tf.Tensor, average: tf.Tensor, squares: tf.Tensor) -> tuple[tf.Tensor, ...]:
        gradient = norm_coefficient * x + gradient
        average = alpha * average + (1 - alpha) * gradient
        squares = beta * squares + (1 - beta) * gradient * gradient
        x = x - tf.cast(rate, x.dtype) * average / (tf.sqrt(squares) + epsilon)
        return (1 - norm_coefficient_post) * x, average, squares

    return _per_variable(inputs, 4, step)


@onnx_op("Momentum", domain=DOMAIN)
def momentum(
    r: tf.Tensor, t: tf.Tensor, *inputs: tf.Tensor, alpha: float, beta: float, mode: str, norm_coefficient: float
) -> tuple[tf.Tensor, ...]:
    if mode not in ("standard", "nesterov"):
        raise ValueError(f"mode is 'standard' or 'nesterov', got {mode!r}")

    def step(x: tf.Tensor, gradient: tf.Tensor, average: tf.Tensor) -> tuple[tf.Tensor, ...]:
        gradient = norm_coefficient * x + gradient
        average = alpha * average + tf.where(t > 0, tf.cast(beta, x.dtype), 1) * gradient
        direction = gradient + alpha * average if mode == "nesterov" else average
        return x - tf.cast(r, x.dtype) * direction, average

    return _per_variable(inputs, 3, step)


@onnx_op("Gradient", domain=DIFFERENTIATED_DOMAIN)
def gradient(*inputs: tf.Tensor, body: Body, count: int) -> tuple[tf.Tensor, ...]:
    with tf.GradientTape() as tape:
        tape.watch(inputs[:count])
        (y,) = body(*inputs)
    return tuple(tape.gradient(y, list(inputs[:count]), unconnected_gradients="zero"))


@onnx_op("Gradient", domain=DOMAIN)
def gradient_of_nothing(*inputs: tf.Tensor, xs: Sequence[str], y: str, zs: Sequence[str] | None) -> None:
    del inputs
    raise ValueError(f"y={y!r} or one of {[*xs, *(zs or ())]} is no value of the node's graph")
