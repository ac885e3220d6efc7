"""Acos, Asin and Atan by a polynomial, to two units in the last place of float32; of float64 to 1e-10."""

from __future__ import annotations

import math

from onnx_tf.passes.body_writing import Body

__all__ = ["acos", "asin", "atan"]

ATAN = (-0.333333325, 0.19999905, -0.142820365, 0.11045021, -0.0847798248, 0.0474736122)
"""(atan(x) / x - 1) / x² by powers of x², up to tan(pi / 8)."""


def atan(body: Body) -> str:
    """Write the angle of x."""
    return _atan(body, body.inputs[0])


def asin(body: Body) -> str:
    """Write 2 atan(x / (1 + sqrt(1 - x²))), NaN beyond 1."""
    below, above = _distances(body)
    rest = body.op("Add", body.number(1), body.op("Sqrt", body.op("Mul", below, above)))
    half = _atan(body, body.op("Div", body.inputs[0], rest))
    return body.op("Add", half, half)


def acos(body: Body) -> str:
    """Write 2 atan(sqrt((1 - x) / (1 + x))), NaN beyond 1."""
    below, above = _distances(body)
    half = _atan(body, body.op("Sqrt", body.op("Div", below, above)))
    return body.op("Add", half, half)


def _distances(body: Body) -> tuple[str, str]:
    one = body.number(1)
    return body.op("Sub", one, body.inputs[0]), body.op("Add", one, body.inputs[0])


def _atan(body: Body, x: str) -> str:
    """Write the angle, of which tan(pi / 8), tan(pi / 4) and infinity are the ends of three parts."""
    zero, one, minus = map(body.number, (0, 1, -1))
    is_negative = body.op("Less", x, zero)
    size = body.op("Where", is_negative, body.op("Mul", x, minus), x)
    is_large = body.op("Greater", size, body.number(math.tan(3 * math.pi / 8)))
    is_middle = body.op("Greater", size, body.number(math.tan(math.pi / 8)))
    middle = body.op("Div", body.op("Sub", size, one), body.op("Add", size, one))
    rest = body.op("Where", is_large, body.op("Div", minus, size), body.op("Where", is_middle, middle, size))
    begin = body.op("Where", is_middle, body.number(math.pi / 4), zero)
    begin = body.op("Where", is_large, body.number(math.pi / 2), begin)
    square = body.op("Mul", rest, rest)
    bend = body.op("Mul", body.op("Mul", rest, square), body.polynomial(square, ATAN))
    angle = body.op("Add", begin, body.op("Add", rest, bend))
    # 0 + -0.0 is 0.0: what is small is its own angle, with its sign.
    signed = body.op("Where", is_negative, body.op("Mul", angle, minus), angle)
    return body.op("Where", body.op("Equal", x, zero), x, signed)
