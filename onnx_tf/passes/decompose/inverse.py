"""com.microsoft's Inverse by elimination with pivots, in floats of 32 bits at least.

What elimination loses grows with the condition of the matrix, as in any such solver. A singular matrix
gives infinities or NaN.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnx_tf.passes.body_writing import Body

__all__ = ["inverse"]

MAX_SIZE = 64
_NARROW = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16)


def inverse(body: Body) -> str:
    """Write the steps of Gauss and Jordan on a matrix beside the unit matrix."""
    size = body.dims(0)[-1]
    if not isinstance(size, int) or size > MAX_SIZE:
        body.refuse(f"the size of the matrix must be known, and up to {MAX_SIZE}: it is {size}")
    dtype = ir.DataType.FLOAT if body.dtype() in _NARROW else body.dtype()
    x = body.op("Cast", body.inputs[0], to=dtype.value)
    unit = body.op("Add", body.op("Sub", x, x), body.constant(np.eye(size), dtype))
    rows = body.op("Concat", x, unit, axis=-1)
    is_left, zero, places = body.constant(np.ones((size, 1), bool)), body.constant(0, dtype), _numbers(body, size)
    chosen = []
    for column in range(size):
        rows, is_pivot = _step(body, rows, is_left, places, column, dtype)
        is_left = body.op("And", is_left, body.op("Not", is_pivot))
        chosen.append(is_pivot)
    right = _columns(body, rows, size, 2 * size)
    last = [_sum(body, body.op("Where", is_pivot, right, zero)) for is_pivot in chosen]
    return body.op("Cast", body.op("Concat", *last, axis=-2), to=body.dtype().value)


def _step(body: Body, rows: str, is_left: str, places: str, column: int, dtype: ir.DataType) -> tuple[str, str]:
    """Write the step that leaves of a column a one in the row of its pivot; return the rows, and which one that is."""
    zero, minus = body.constant(0, dtype), body.constant(-1, dtype)
    own = _columns(body, rows, column, column + 1)
    size = body.op("Where", body.op("Less", own, zero), body.op("Mul", own, minus), own)
    candidates = body.op("Where", is_left, size, minus)
    is_pivot = body.op("Equal", places, body.op("ArgMax", candidates, axis=-2, keepdims=1))
    row = _sum(body, body.op("Where", is_pivot, rows, zero))
    row = body.op("Div", row, _columns(body, row, column, column + 1))
    return body.op("Where", is_pivot, row, body.op("Sub", rows, body.op("Mul", own, row))), is_pivot


def _numbers(body: Body, size: int) -> str:
    return body.constant(np.arange(size, dtype=np.int64).reshape(size, 1))


def _columns(body: Body, rows: str, begin: int, end: int) -> str:
    return body.op("Slice", rows, body.integers([begin]), body.integers([end]), body.integers([-1]))


def _sum(body: Body, rows: str) -> str:
    return body.op("ReduceSum", rows, body.integers([-2]), keepdims=1)
