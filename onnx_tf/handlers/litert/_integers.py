"""Integer arithmetic of the integer kernels that LiteRT has: exact over the whole range, with wrap-around.

Of int64 there are sums, products, FLOOR_MOD, comparisons and choice; of int32 division and shifts to the
right too. What is narrower or unsigned comes as one of the two (``passes/carry_integers.py``).
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from onnx_tf.handlers._ranks import select
from onnx_tf.handlers._tensors import static_value

DIVISIONS = 3
"""How many quotients in float32 make one of 63 bits: each has 22 of them right."""


def truncated_remainder(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Return the remainder of integers with the sign of the dividend."""
    remainder = tf.math.floormod(a, b)
    if _is_positive(a) and _is_positive(b):
        return remainder
    zero = tf.zeros([], a.dtype)
    differs = tf.logical_and(tf.not_equal(remainder, zero), tf.not_equal(tf.less(a, zero), tf.less(b, zero)))
    return select(differs, remainder - b, remainder)


def truncated_quotient(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Return the quotient of integers, rounded toward zero."""
    if a.dtype != tf.int64:
        return tf.truncatediv(a, b)
    return _divided(a - truncated_remainder(a, b), b)


def floor_quotient(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Return the quotient of integers, rounded down."""
    if a.dtype != tf.int64:
        return tf.math.floordiv(a, b)
    return _divided(a - tf.math.floormod(a, b), b)


def _divided(multiple: tf.Tensor, divisor: tf.Tensor) -> tf.Tensor:
    """Return a quotient that leaves no rest, digit by digit.

    What is left after a digit is divided again; it fits where the digit itself wrapped around.
    """
    quotient = None
    scale = tf.cast(divisor, tf.float32)
    for last in (False,) * (DIVISIONS - 1) + (True,):
        digit = tf.cast(tf.round(tf.cast(multiple, tf.float32) / scale), tf.int64)
        quotient = digit if quotient is None else quotient + digit
        multiple = multiple if last else multiple - digit * divisor
    return quotient


def _is_positive(x: tf.Tensor) -> bool:
    known = static_value(x)
    return known is not None and bool((known > 0).all())


def absolute(x: tf.Tensor) -> tf.Tensor:
    """Return the magnitude of integers."""
    return tf.maximum(x, -x) if x.dtype == tf.int64 else tf.abs(x)


def sign(x: tf.Tensor) -> tf.Tensor:
    """Return -1, 0 or 1."""
    one = tf.ones([], x.dtype)
    return tf.minimum(tf.maximum(x, -one), one)


def power(x: tf.Tensor, exponent: tf.Tensor) -> tf.Tensor:
    """Return the power of integers; of a negative exponent what its fraction is cut to."""
    known = static_value(exponent)
    if known is not None and known.size == 1 and known.min() >= 0:
        return _known_power(x, int(known.reshape(-1)[0])) + tf.zeros_like(exponent)
    return _by_squares(x, exponent)


def _known_power(x: tf.Tensor, exponent: int) -> tf.Tensor:
    result = None
    while exponent:
        if exponent % 2:
            result = x if result is None else result * x
        exponent //= 2
        x = x * x if exponent else x
    return tf.ones_like(x) if result is None else result


def _by_squares(x: tf.Tensor, exponent: tf.Tensor) -> tf.Tensor:
    zero, one, two = (tf.constant(n, x.dtype) for n in range(3))
    bits = x.dtype.size.bit_length() + 2
    largest = tf.constant((1 << bits) - 1, x.dtype)  # any power but of -1, 0 and 1 is out of range beyond
    parity = select(tf.equal(tf.math.floormod(exponent, two), one), x, tf.ones_like(x))
    of_units = select(tf.equal(absolute(x), one), parity, tf.zeros_like(parity))
    left = tf.minimum(tf.maximum(exponent, zero), largest)
    result = tf.ones_like(parity)
    for _ in range(bits):
        bit = tf.math.floormod(left, two)
        result *= select(tf.equal(bit, one), x, one)
        left = tf.cast(tf.cast(left - bit, tf.int32) // 2, x.dtype)
        x *= x
    return select(tf.logical_or(tf.less(exponent, zero), tf.greater(exponent, largest)), of_units, result)


def matrix_product(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Return the product of integer matrices, the last two axes of each."""
    return tf.reduce_sum(tf.expand_dims(a, -1) * tf.expand_dims(b, -3), -2)


def square_root(x: tf.Tensor) -> tf.Tensor:
    """Return the roots of int64 numbers that are not negative, rounded down."""
    one = tf.ones([], x.dtype)
    root = tf.cast(tf.sqrt(tf.cast(x, tf.float32)), tf.int64)
    rest = tf.cast(x - root * root, tf.float32) / tf.cast(2 * tf.maximum(root, one), tf.float32)
    root += tf.cast(tf.round(rest), tf.int64)
    root = select(tf.greater(root * root, x), root - one, root)
    return select(tf.less_equal((root + one) * (root + one), x), root + one, root)


def bitwise(function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Return a function of the bits of int32 tensors as one of int64 too."""

    def of_both(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        if a.dtype != tf.int64:
            return function(a, b)
        return tf.bitcast(function(tf.bitcast(a, tf.int32), tf.bitcast(b, tf.int32)), tf.int64)

    return of_both


def bits_and(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Return the bits that both int32 tensors have: a sum less its bits without carry is twice those."""
    one = tf.ones([], a.dtype)
    high, other = tf.bitwise.right_shift(a, one), tf.bitwise.right_shift(b, one)
    carried = (high + other) - tf.bitwise.bitwise_xor(high, other)
    return carried + (a - high - high) * (b - other - other)


def bits_or(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Return the bits that any of two int32 tensors has."""
    return a + b - bits_and(a, b)


def shifted(x: tf.Tensor, amount: tf.Tensor, direction: str, bits: int) -> tf.Tensor:
    """Return non-negative integers shifted by any amount.

    Args:
        x: the integers, or all 64 bits of unsigned ones in int64.
        amount: by how many bits.
        direction: ``"LEFT"`` or ``"RIGHT"``.
        bits: the width of the integers; whoever shifts them that far has 0.
    """
    zero = tf.zeros([], x.dtype)
    inside = tf.logical_and(tf.greater_equal(amount, zero), tf.less(amount, tf.constant(bits, x.dtype)))
    places = tf.cast(select(inside, amount, tf.zeros_like(amount)), tf.int32)
    last = 8 * x.dtype.size - 1
    powers = tf.constant([1 << n for n in range(last)] + [-(1 << last)], x.dtype)
    is_left = direction == "LEFT"
    return select(inside, x * tf.gather(powers, places) if is_left else _shifted_right(x, places, powers), zero)


def shifted_with_sign(x: tf.Tensor, amount: tf.Tensor) -> tf.Tensor:
    """Return integers shifted right by any amount, copies of the sign bit coming after."""
    zero, last = tf.zeros([], x.dtype), 8 * x.dtype.size - 2
    inside = tf.logical_and(tf.greater_equal(amount, zero), tf.less_equal(amount, tf.constant(last, x.dtype)))
    places = tf.cast(select(inside, amount, tf.zeros_like(amount)), tf.int32)
    divisors = tf.gather(tf.constant([1 << n for n in range(last + 1)], x.dtype), places)
    quotient = tf.math.floordiv(x, divisors) if x.dtype == tf.int32 else floor_quotient(x, divisors)
    return select(inside, quotient, select(tf.less(x, zero), tf.constant(-1, x.dtype), zero))


def _shifted_right(x: tf.Tensor, places: tf.Tensor, powers: tf.Tensor) -> tf.Tensor:
    if x.dtype == tf.int32:
        return tf.math.floordiv(x, tf.gather(powers[:-1], tf.minimum(places, 30)))
    # Halved once as unsigned, the rest is a division of a number that is not negative.
    half = floor_quotient(x, tf.constant(2, x.dtype))
    half = select(tf.less(half, tf.zeros([], x.dtype)), half + tf.int64.min, half)
    rest = floor_quotient(half, tf.gather(powers, tf.maximum(places - 1, 0)))
    return select(tf.equal(places, 0), x, rest)


__all__ = [
    "absolute",
    "bits_and",
    "bits_or",
    "bitwise",
    "floor_quotient",
    "matrix_product",
    "power",
    "shifted",
    "sign",
    "square_root",
    "truncated_quotient",
    "truncated_remainder",
]
