"""GatherND by Gather along one axis that joins those that are indexed: exact."""

from __future__ import annotations

from onnx_tf.passes.body_writing import Body, Dim
from onnx_tf.schema import optional_int_attribute

__all__ = ["gather_nd"]


def gather_nd(body: Body) -> str:
    """Write where each row of indices lies among the elements that are indexed, and gather there."""
    data, indices = body.inputs
    batch = optional_int_attribute(body.node, "batch_dims") or 0
    dims, of_indices = body.dims(0), body.dims(1)
    depth = of_indices[-1]
    if not isinstance(depth, int):
        body.refuse("how many axes are indexed, the last dimension of the indices, is not known")
    end = batch + depth
    indexed, rest = dims[batch:end], dims[end:]
    wrapped = body.op("Where", body.op("Less", indices, body.integers([0])), body.vector(indexed), body.integers([0]))
    strides = [body.product(indexed[axis + 1 :]) for axis in range(depth)]
    scaled = body.op("Mul", body.op("Add", indices, wrapped), body.vector(strides))
    place = body.op("ReduceSum", scaled, body.integers([-1]), keepdims=0)
    if batch:
        place = body.op("Add", place, _starts(body, dims[:batch], body.product(indexed), len(of_indices) - 1))
    return body.op("Gather", body.reshape(data, [body.product(dims[:end]), *rest]), place, axis=0)


def _starts(body: Body, batch: list[Dim], step: Dim, rank: int) -> str:
    """Write where the elements of each batch begin, with axes of size 1 behind those of the batches."""
    count = body.product(batch)
    scalars = [body.op("Squeeze", body.vector([end]), body.integers([0])) for end in (0, count, 1)]
    numbers = body.op("Mul", body.op("Range", *scalars), body.vector([step]))
    return body.reshape(numbers, [*batch, *[1] * (rank - len(batch))])
