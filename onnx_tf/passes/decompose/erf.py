"""Erf by polynomials and Exp: 7e-8 off at most, in float64 too."""

from __future__ import annotations

from onnx_tf.passes.body_writing import Body
from onnx_tf.series import ERF_FAR, ERF_NEAR

__all__ = ["erf"]

NEAR = 0.93
FAR = 4.0
"""From here on the function is 1 in float32."""


def erf(body: Body) -> str:
    """Write x plus x times a polynomial of x² near 0, else 1 - exp of a polynomial of the size of x."""
    x, zero, one, minus = body.inputs[0], *map(body.number, (0, 1, -1))
    is_negative = body.op("Less", x, zero)
    size = body.op("Where", is_negative, body.op("Mul", x, minus), x)
    far = body.number(FAR)
    bounded = body.op("Where", body.op("Greater", size, far), far, size)  # NaN stays NaN
    exponent = body.op("Mul", body.op("Mul", bounded, minus), body.polynomial(bounded, ERF_FAR))
    share = body.op("Sub", one, body.op("Exp", exponent))
    beyond = body.op("Where", is_negative, body.op("Mul", share, minus), share)
    near = body.op("Add", x, body.op("Mul", x, body.polynomial(body.op("Mul", x, x), ERF_NEAR)))
    return body.op("Where", body.op("Less", size, body.number(NEAR)), near, beyond)
