"""ArgMax by ReduceMax: the first, or the last, place at which the maximum lies. Exact; of NaN there is no place."""

from __future__ import annotations

from onnx_tf.passes.body_writing import Body
from onnx_tf.schema import int_attribute, optional_int_attribute

__all__ = ["arg_max"]


def arg_max(body: Body) -> str:
    """Write the maximum of numbers that count the places where the maximum is, from the end that is asked for."""
    x, dims = body.inputs[0], body.dims(0)
    axis = int_attribute(body.node, "axis") % max(len(dims), 1)
    is_last = bool(optional_int_attribute(body.node, "select_last_index"))
    count = body.vector([dims[axis]])
    zero, one = body.integers([0]), body.integers([1])
    scalars = [body.op("Squeeze", end, zero) for end in (zero, count, one)]
    numbers = body.op("Range", *scalars)
    if not is_last:
        numbers = body.op("Sub", body.op("Sub", count, one), numbers)
    along = body.reshape(numbers, [dims[axis], *[1] * (len(dims) - 1 - axis)])
    is_maximum = body.op("Equal", x, body.reduced("ReduceMax", x, [axis]))
    place = body.reduced("ReduceMax", body.op("Where", is_maximum, along, zero), [axis])
    if not is_last:
        place = body.op("Sub", body.op("Sub", count, one), place)
    if int_attribute(body.node, "keepdims"):
        return place
    return body.op("Squeeze", place, body.integers([axis]))
