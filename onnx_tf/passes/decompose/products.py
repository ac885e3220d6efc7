"""Products: MatMul of batches by products of matrices, MatMulInteger by MatMul of floats, both exact."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnx_tf.passes.body_writing import Body, Dim

__all__ = ["batch_mat_mul", "mat_mul_integer"]

EXACT_TERMS = 256
"""So many products of numbers of 8 bits and a sign add up to less than 2**24, which float32 holds exactly."""


def batch_mat_mul(body: Body) -> str | None:
    """Write a product of batches as one of matrices for each, or as a single one where all share the second operand."""
    left, right = body.dims(0), body.dims(1)
    if max(len(left), len(right)) <= 2:
        is_computed = len(left) == len(right) == 2 and body.value(1).const_value is None
        return _dense(body, *body.inputs) if is_computed else None
    if len(right) <= 2:
        rows = body.reshape(body.inputs[0], [body.product(left[:-1]), left[-1]])
        return body.reshape(body.op("MatMul", rows, body.inputs[1]), [*left[:-1], *right[1:]])
    if len(left) == 1:
        product = _of_batches(body, [1, *left], right)
        return body.op("Squeeze", product, body.integers([-2]))
    return _of_batches(body, left, right)


def _of_batches(body: Body, left: list[Dim], right: list[Dim]) -> str:
    counts = [left[:-2], right[:-2]]
    if any(isinstance(dim, str) for dims in counts for dim in dims):
        body.refuse("the batches are not counted before it runs: state them, as with --batch-size or --input-shape")
    sizes = [tuple(int(dim) for dim in dims) for dims in counts]
    whole = np.broadcast_shapes(*sizes)
    places = [np.broadcast_to(np.arange(np.prod(s, dtype=int)).reshape(s), whole).ravel() for s in sizes]
    if not len(places[0]):
        body.refuse("there is no batch")
    count = [int(np.prod(size, dtype=int)) for size in sizes]
    first = _matrices(body, body.reshape(body.inputs[0], [count[0], *left[-2:]]), count[0])
    second = body.reshape(body.inputs[1], [count[1], *right[-2:]])
    turned = _matrices(body, body.op("Transpose", second, perm=[0, 2, 1]), count[1])
    turned = turned if count[1] > 1 else [_apart(body, turned[0])]
    products = [_product(body, first[i], turned[j]) for i, j in zip(*places, strict=True)]
    rows = [body.op("Unsqueeze", product, body.integers([0])) for product in products]
    joined = body.op("Concat", *rows, axis=0)
    return body.reshape(joined, [*whole, left[-2], right[-1]]) if len(whole) > 1 else joined


def _dense(body: Body, left: str, right: str) -> str:
    return _product(body, left, _apart(body, body.op("Transpose", right, perm=[1, 0])))


def _apart(body: Body, turned: str) -> str:
    """Write an operator that stays between a Transpose and a product, which LiteRT's converter would join."""
    return body.op("Max", turned, turned)


def _product(body: Body, left: str, turned: str) -> str:
    """Write a product as a dense layer, which LiteRT has: of MatMul its converter makes batches again."""
    return body.op("Gemm", left, turned, transB=1)


def _matrices(body: Body, stacked: str, count: int) -> list[str]:
    parts = body.ops("Split", count, stacked, body.integers([1] * count), axis=0) if count > 1 else [stacked]
    return [body.op("Squeeze", part, body.integers([0])) for part in parts]


def mat_mul_integer(body: Body) -> str:
    """Write a product of numbers without their zero points, in pieces whose sums float32 holds exactly."""
    left, right = (_centred(body, index) for index in (0, 1))
    size = body.dims(0)[-1]
    if not isinstance(size, int):
        body.refuse("the size of the sums is not known: state it, as with --input-shape")
    starts = range(0, size, EXACT_TERMS)
    lengths = [min(EXACT_TERMS, size - start) for start in starts]
    if len(lengths) <= 1:
        return _whole(body, body.op("MatMul", left, right))
    split = body.integers(lengths)
    across = len(body.dims(1)) - 2
    pairs = zip(
        body.ops("Split", len(lengths), left, split, axis=len(body.dims(0)) - 1),
        body.ops("Split", len(lengths), right, split, axis=max(across, 0)),
        strict=True,
    )
    return body.chain("Add", *(_whole(body, body.op("MatMul", *pair)) for pair in pairs))


def _centred(body: Body, index: int) -> str:
    numbers = body.op("Cast", body.inputs[index], to=ir.DataType.FLOAT.value)
    if len(body.inputs) <= index + 2 or not body.inputs[index + 2]:
        return numbers
    zero = body.op("Cast", body.inputs[index + 2], to=ir.DataType.FLOAT.value)
    if index == 0 and body.value(2).shape is not None and body.value(2).shape.rank() == 1:  # type: ignore[union-attr]
        zero = body.op("Unsqueeze", zero, body.integers([1]))  # of rows
    return body.op("Sub", numbers, zero)


def _whole(body: Body, numbers: str) -> str:
    return body.op("Cast", numbers, to=ir.DataType.INT32.value)
