"""Pow by products where the exponent is a constant whole number or 1 / 2, else by Exp and Log.

Products round once each. Exp(y Log(x)) is off by |y log x| units in the last place of what it computes with, and so by
up to 1e-5 of a float32 result; of -0.0 it makes what 0.0 gives.
"""

from __future__ import annotations

import math

from onnx_tf.passes.body_writing import Body

__all__ = ["power"]

MAX_PRODUCTS = 64
"""Whole exponents up to this one become products."""


def power(body: Body) -> str:
    """Write x to the power of y, in the dtype of x."""
    exponent, dtype = _constant_exponent(body), body.dtype(0)
    if (body.node.version or 1) < 7:
        body.refuse("until opset 6 Pow does not broadcast as its parts do: convert the model to a newer opset")
    least = -MAX_PRODUCTS if dtype.is_floating_point() else 0
    if exponent is not None and exponent.is_integer() and least <= exponent <= MAX_PRODUCTS:
        return _products(body, int(exponent))
    if not dtype.is_floating_point():
        body.refuse(f"of integers, powers are products for constant exponents from 0 to {MAX_PRODUCTS} alone")
    if exponent == 0.5:
        return body.op("Sqrt", body.inputs[0])
    return _by_logarithm(body)


def _constant_exponent(body: Body) -> float | None:
    """Return the exponent if it is one number that adds no axes to x."""
    value, x = body.value(1), body.value(0)
    tensor = value.const_value
    if tensor is None or tensor.size != 1 or x.shape is None or len(tensor.shape) > x.shape.rank():
        return None
    return float(tensor.numpy().reshape(-1)[0])


def _products(body: Body, exponent: int) -> str:
    """Write a product of those powers by powers of two that make up the exponent."""
    x, one = body.inputs[0], body.number(1)
    if exponent == 0:
        return body.op("Where", body.op("Equal", x, x), one, one)  # in the shape of x
    square, result, rest = x, "", abs(exponent)
    while rest:
        if rest & 1:
            result = body.op("Mul", result, square) if result else square
        rest >>= 1
        if rest:
            square = body.op("Mul", square, square)
    if exponent < 0:
        return body.op("Div", one, result)
    return body.op("Identity", x) if result == x else result


def _by_logarithm(body: Body) -> str:
    x, y = body.inputs
    zero, one, half, minus = map(body.number, (0, 1, 0.5, -1))
    if body.dtype(1) != body.dtype(0):
        y = body.op("Cast", y, to=body.dtype(0).value)
    is_negative = body.op("Less", x, zero)
    size = body.op("Where", is_negative, body.op("Mul", x, minus), x)
    raised = body.op("Exp", body.op("Mul", y, body.op("Log", size)))
    is_one = body.op("Or", body.op("Equal", y, zero), body.op("Equal", size, one))
    raised = body.op("Where", is_one, one, raised)
    halved = body.op("Mul", y, half)
    is_whole = body.op("Equal", body.op("Floor", y), y)
    is_even = body.op("Equal", body.op("Floor", halved), halved)
    is_odd = body.op("And", is_whole, body.op("Not", is_even))
    signed = body.op("Where", is_odd, body.op("Mul", raised, minus), raised)
    is_infinite = body.op("Equal", size, body.number(math.inf))
    is_real = body.op("Or", is_whole, is_infinite)
    of_negative = body.op("Where", is_real, signed, body.constant(math.nan, body.dtype(0)))
    return body.op("Where", is_negative, of_negative, raised)
