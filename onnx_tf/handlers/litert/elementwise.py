"""Elementary functions that LiteRT has no kernel for, of those that it has.

All are exact to a few units in the last place of float32, also near the zeros of the function, as far as EXP
is: that of XNNPACK is 4e-6 off at exp(-80). Infinities and NaN are right; what overflows is the largest finite
number where LiteRT runs without the delegate, since its sums and products are.

Near zeros they are polynomials: XNNPACK's EXP and LOG are exact to 1e-7 of 1 there, not of the result.
"""

from __future__ import annotations

import math

import tensorflow as tf

from onnx_tf.handlers.litert._kernels import Unary, in_float32, polynomial, where_finite
from onnx_tf.registry import registry
from onnx_tf.series import ERF_FAR, ERF_NEAR

TAN = (0.333333527, 0.133325593, 0.054072012, 0.0212182555, 0.011005081, -0.000129227241, 0.00448610586)
"""(tan(x) / x - 1) / x² by powers of x², up to pi / 4."""

SINH = (0.166666665, 0.00833335006, 0.000198361597, 2.81695137e-06)
"""(sinh(x) / x - 1) / x² by powers of x², up to 1."""

ASINH = (-0.166666436, 0.0749865211, -0.0443845132, 0.0281691078, -0.013237501)
"""(asinh(x) / x - 1) / x² by powers of x², up to 0.5."""

ATANH = (0.333333001, 0.200025183, 0.142227624, 0.118237269, 0.0513583659, 0.176691005)
"""(atanh(x) / x - 1) / x² by powers of x², up to 0.5."""

ACOSH = (-0.0833332193, 0.0187466582, -0.005548233, 0.00176097171, -0.000414002522)
"""(acosh(1 + s) / sqrt(2 s) - 1) / s by powers of s, up to 0.5."""

QUARTER_TURN = (1.5703125, 4.837512969970703e-4, 7.549789948768648e-8)
"""pi / 2 in parts of so few bits that the products of the first two with up to 2**12 are exact."""

MAX_TURNED = 6000.0
LARGE = 1e9
"""From here on the square root of x² + 1 is x."""


def erf(x: tf.Tensor) -> tf.Tensor:
    """Return the error function, 7e-8 off at most."""
    size = tf.abs(x)
    bounded = tf.minimum(size, 4.0)
    far = tf.sign(x) * (1 - tf.exp(-bounded * polynomial(bounded, ERF_FAR)))
    return tf.where(size < 0.93, x + x * polynomial(x * x, ERF_NEAR), far)


def tan(x: tf.Tensor) -> tf.Tensor:
    turns = tf.round(x * (2 / math.pi))
    rest = x
    for part in QUARTER_TURN:
        rest -= turns * part
    near = rest + rest * rest * rest * polynomial(rest * rest, TAN)
    half = turns * 0.5
    reduced = tf.where(tf.equal(tf.floor(half), half), near, -1 / near)
    return tf.where(tf.abs(x) < MAX_TURNED, reduced, tf.sin(x) / tf.cos(x))


def asin(x: tf.Tensor) -> tf.Tensor:
    return tf.atan2(x, tf.sqrt((1 - x) * (1 + x)))


def acos(x: tf.Tensor) -> tf.Tensor:
    return tf.atan2(tf.sqrt((1 - x) * (1 + x)), x)


def atan(x: tf.Tensor) -> tf.Tensor:
    # ATAN2 does not broadcast: this is 1 in the shape of x, open dimensions too.
    return tf.atan2(x, tf.maximum(tf.minimum(x, 1.0), 1.0))


def sinh(x: tf.Tensor) -> tf.Tensor:
    root = tf.exp(tf.abs(x) * 0.5)  # its square overflows where the result does
    far = tf.sign(x) * (0.5 * root * root - 0.5 / root / root)
    return where_finite(x, tf.where(tf.abs(x) > 1, far, _odd(x, SINH)), x)


def cosh(x: tf.Tensor) -> tf.Tensor:
    root = tf.exp(tf.abs(x) * 0.5)
    return where_finite(x, 0.5 * root * root + 0.5 / root / root, tf.abs(x))


def asinh(x: tf.Tensor) -> tf.Tensor:
    size = tf.abs(x)
    far = tf.sign(x) * _log_of_both(size, 1.0)
    return where_finite(x, tf.where(size > 0.5, far, _odd(x, ASINH)), x)


def acosh(x: tf.Tensor) -> tf.Tensor:
    beyond = x - 1
    root = tf.sqrt(2 * beyond)
    near = root + root * beyond * polynomial(beyond, ACOSH)
    return tf.where(x < 1.5, near, where_finite(x, _log_of_both(x, -1.0), x))


def atanh(x: tf.Tensor) -> tf.Tensor:
    size = tf.abs(x)
    far = tf.math.log(tf.sqrt((1 - size) / (1 + size)))  # -inf at 1, NaN beyond
    return tf.where(size > 0.5, tf.where(x < 0, far, -far), _odd(x, ATANH))


def _odd(x: tf.Tensor, factors: tuple[float, ...]) -> tf.Tensor:
    square = x * x
    return x * (1 + square * polynomial(square, factors))


def _log_of_both(x: tf.Tensor, one: float) -> tf.Tensor:
    """Return log(x + sqrt(x² + one)), of x that is not near 0 and may be large."""
    bounded = tf.minimum(x, LARGE)
    mean = x + 0.5 * (tf.sqrt(bounded * bounded + one) - bounded)
    return tf.math.log(mean) + math.log(2)


def _register(op_type: str, form: Unary, exact: Unary, since: int) -> None:
    registry.register(op_type, in_float32(form, exact), since=since, domain="", target="litert")


_register("Acos", acos, tf.acos, 7)
_register("Asin", asin, tf.asin, 7)
_register("Atan", atan, tf.atan, 7)
_register("Tan", tan, tf.tan, 7)
_register("Acosh", acosh, tf.acosh, 9)
_register("Asinh", asinh, tf.asinh, 9)
_register("Atanh", atanh, tf.atanh, 9)
_register("Cosh", cosh, tf.cosh, 9)
_register("Erf", erf, tf.math.erf, 9)
_register("Sinh", sinh, tf.sinh, 9)
