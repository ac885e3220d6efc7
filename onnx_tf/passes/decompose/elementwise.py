"""Abs, Neg, LeakyRelu, PRelu and HardSwish by products and choices, Gelu by the function that it is made of.

All but Gelu and HardSwish are exact, -0.0 and NaN too.
"""

from __future__ import annotations

import math

from onnx_tf.passes.body_writing import Body
from onnx_tf.schema import float_attribute, string_attribute

__all__ = ["abs_", "gelu", "hard_swish", "leaky_relu", "neg", "prelu"]


def neg(body: Body) -> str:
    """Write x times -1."""
    return body.op("Mul", body.inputs[0], body.number(-1))


def abs_(body: Body) -> str:
    """Write x where it is positive, 0 where it is 0, else x times -1."""
    (x,), dtype = body.inputs, body.dtype()
    if dtype.is_integer() and not dtype.is_signed():
        return body.op("Identity", x)
    zero = body.number(0)
    rest = body.op("Where", body.op("Equal", x, zero), zero, body.op("Mul", x, body.number(-1)))
    return body.op("Where", body.op("Greater", x, zero), x, rest)


def leaky_relu(body: Body) -> str:
    """Write x where it is not negative, else x times alpha."""
    return _sloped(body, body.number(float_attribute(body.node, "alpha")))


def prelu(body: Body) -> str:
    """Write x where it is not negative, else x times the slope."""
    slope, version = body.value(1), body.node.version or 1
    name = body.inputs[1]
    if version < 7 and slope.shape is not None and slope.shape.rank() == 1 and slope.shape[0] != 1:
        name = body.reshape(name, [-1, *[1] * (len(body.dims(0)) - 2)])  # of channels, until opset 6
    return _sloped(body, name)


def _sloped(body: Body, slope: str) -> str:
    x = body.inputs[0]
    return body.op("Where", body.op("Less", x, body.number(0)), body.op("Mul", x, slope), x)


def hard_swish(body: Body) -> str:
    """Write x times x / 6 + 1 / 2 between 0 and 1."""
    x = body.inputs[0]
    gate = body.op("Add", body.op("Mul", x, body.number(1 / 6)), body.number(0.5))
    return body.op("Mul", x, body.op("Max", body.op("Min", gate, body.number(1)), body.number(0)))


def gelu(body: Body) -> str:
    """Write x times the share of the normal distribution below x, by Erf, or by Tanh where that is the attribute."""
    x = body.inputs[0]
    if string_attribute(body.node, "approximate") == "tanh":
        cube = body.op("Mul", body.op("Mul", x, x), x)
        inner = body.op("Add", x, body.op("Mul", cube, body.number(0.044715)))
        share = body.op("Tanh", body.op("Mul", inner, body.number(math.sqrt(2 / math.pi))))
    else:
        share = body.op("Erf", body.op("Mul", x, body.number(math.sqrt(0.5))))
    return body.op("Mul", x, body.op("Add", body.op("Mul", share, body.number(0.5)), body.number(0.5)))
