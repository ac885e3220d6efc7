"""What forms for LiteRT are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from onnx_tf.handlers._tensors import widened

Unary = Callable[[tf.Tensor], tf.Tensor]

MAX_FLOAT = float(tf.float32.max)


def in_float32(form: Unary, exact: Unary) -> Unary:
    """Return a form that is exact to float32 as a handler; what is not carried by float32 is left as it is."""

    def handler(x: tf.Tensor) -> tf.Tensor:
        return widened(form if x.dtype in (tf.float32, tf.float16, tf.bfloat16) else exact, x)

    return handler


def polynomial(x: tf.Tensor, factors: Sequence[float]) -> tf.Tensor:
    """Return the sum of the factors, each times x to the power of its place."""
    *rest, last = factors
    total: tf.Tensor | float = last
    for factor in reversed(rest):
        total = total * x + factor
    return tf.convert_to_tensor(total)


def where_finite(x: tf.Tensor, y: tf.Tensor, otherwise: tf.Tensor) -> tf.Tensor:
    """Return y where x is finite: without the delegate LiteRT's sums and products of infinities are finite."""
    return tf.where(tf.abs(x) <= MAX_FLOAT, y, otherwise)
