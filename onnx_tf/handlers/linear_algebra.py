"""Products of matrices, and what else is defined on them."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import tensorflow as tf

from onnx_tf.handlers._tensors import (
    Dim,
    as_shape,
    broadcast_dim,
    computed_in,
    dims_of,
    product,
    rank_of,
    reshaped,
    shaped,
    widened,
)
from onnx_tf.registry import onnx_op

MODULAR = (tf.int8, tf.int16, tf.uint8, tf.uint16, tf.uint32, tf.uint64)
"""Integers without a product kernel; int64 wraps around to the same result."""


@onnx_op("MatMul")
def mat_mul(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    if a.dtype in MODULAR:
        return computed_in(tf.int64, mat_mul, a, b)
    if a.shape.rank is None or b.shape.rank is None:
        # Of matrices: this refuses vectors when it is run.
        return tf.raw_ops.BatchMatMulV2(x=a, y=b)
    if rank_of(a) == 1:
        return tf.squeeze(mat_mul(a[None, :], b), -2 if rank_of(b) > 1 else [])
    if rank_of(b) == 1:
        return tf.squeeze(mat_mul(a, b[:, None]), -1)
    if rank_of(b) == 2 and rank_of(a) > 2:
        # One large product is faster than one for each matrix of a batch.
        *outer, depth = dims_of(a if a.shape[-1] is not None else shaped(a, [*a.shape[:-1], b.shape[0]]))
        # What a dimension of an empty matrix is, -1 cannot tell.
        rows = reshaped(a, [-1 if isinstance(depth, int) and depth else product(outer), depth])
        return reshaped(matrix_product(rows, b), [*outer, dims_of(b)[-1]])
    return matrix_product(a, b) if rank_of(a) == rank_of(b) == 2 else tf.matmul(a, b)


@onnx_op("Gemm")
def gemm_1(
    a: tf.Tensor, b: tf.Tensor, c: tf.Tensor, *, alpha: float, beta: float, broadcast: int, transA: int, transB: int
) -> tf.Tensor:
    return _gemm(a, b, c, alpha, beta, transA, transB)


@onnx_op("Gemm", since=7)
def gemm_7(
    a: tf.Tensor, b: tf.Tensor, c: tf.Tensor | None = None, *, alpha: float, beta: float, transA: int, transB: int
) -> tf.Tensor:
    return _gemm(a, b, c, alpha, beta, transA, transB)


def _gemm(
    a: tf.Tensor, b: tf.Tensor, c: tf.Tensor | None, alpha: float, beta: float, transA: int, transB: int
) -> tf.Tensor:
    """Return alpha * a * b + beta * c of matrices, a and b transposed if asked for."""
    if a.dtype in MODULAR:
        return computed_in(tf.int64, lambda x, y, z: _gemm(x, y, z, alpha, beta, transA, transB), a, b, c)
    y = scaled(matrix_product(a, b, transpose_a=bool(transA), transpose_b=bool(transB)), alpha)
    if c is None or beta == 0:
        return y
    c = scaled(c, beta)
    columns = y.shape[-1]
    if columns is not None and c.shape.rank is not None and c.shape.as_list() in ([columns], [1, columns]):
        # One row must be a vector: oneDNN refuses the matrix that grappler gives to its fused product.
        return tf.nn.bias_add(y, tf.reshape(c, [columns]))
    return y + c


def matrix_product(a: tf.Tensor, b: tf.Tensor, *, transpose_a: bool = False, transpose_b: bool = False) -> tf.Tensor:
    """Return the product of two matrices, zeros where they are known to have nothing in common."""
    if 0 in a.shape or 0 in b.shape:
        # oneDNN has no product of nothing with a bias.
        return tf.zeros(as_shape([dims_of(a)[1 if transpose_a else 0], dims_of(b)[0 if transpose_b else 1]]), a.dtype)
    return tf.matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b)


def scaled(x: tf.Tensor, factor: float) -> tf.Tensor:
    """Return the tensor times a number, integers rounded toward zero."""
    if factor == 1:
        return x
    if x.dtype.is_integer:
        return computed_in(tf.float64, lambda wide: wide * factor, x)
    return x * tf.cast(factor, x.dtype)


@onnx_op("Einsum", since=12)
def einsum(*inputs: tf.Tensor, equation: str) -> tf.Tensor:
    if inputs[0].dtype in MODULAR:
        return tf.cast(einsum(*[tf.cast(x, tf.int64) for x in inputs], equation=equation), inputs[0].dtype)
    terms, result = einsum_terms(equation)
    axes = [axes_by_letter(term, x.shape.rank) for term, x in zip(terms, inputs, strict=False)]
    known = [named for named in axes if named is not None]
    operands = list(inputs)
    if len(terms) == len(known) == len(inputs):
        terms, operands = _broadcast_letters(terms, result, operands, known)
    return tf.einsum(f"{','.join(terms)}->{result}", *operands)


def einsum_terms(equation: str) -> tuple[list[str], str]:
    given, arrow, result = equation.replace(" ", "").partition("->")
    if not arrow:
        once = sorted(letter for letter in set(given) - set(",.") if given.count(letter) == 1)
        result = "".join(["..." if "..." in given else "", *once])
    return given.split(","), result


def axes_by_letter(term: str, rank: int | None) -> dict[str, list[int]] | None:
    """Return the axes that each letter of an operand names; ``None`` if they do not fit its rank."""
    before, dots, after = term.partition("...")
    named = len(before) + len(after)
    if rank is None or named > rank or (named < rank and not dots):
        return None
    axes: dict[str, list[int]] = {}
    for letter, axis in zip(before + after, [*range(len(before)), *range(rank - len(after), rank)], strict=True):
        axes.setdefault(letter, []).append(axis)
    return axes


def _broadcast_letters(
    terms: Sequence[str], result: str, inputs: Sequence[tf.Tensor], axes: Sequence[dict[str, list[int]]]
) -> tuple[list[str], list[tf.Tensor]]:
    """Return terms and operands in which each letter has one size: a letter of size 1 broadcasts as in numpy.

    Where an operand is known to have 1 it loses the letter; where it may have 1 it is broadcast, which copies nothing
    if there is nothing to do.
    """
    dims = [dims_of(x) for x in inputs]
    sizes: dict[str, list[Dim]] = {}
    for own, named in zip(dims, axes, strict=True):
        for letter, places in named.items():
            sizes.setdefault(letter, []).append(own[places[0]])
    common = {letter: functools.reduce(broadcast_dim, found) for letter, found in sizes.items()}
    several = {
        letter for letter, found in sizes.items() if len(found) - [_is_one(dim) for dim in found].count(True) > 1
    }
    results = []
    for term, x, own, named in zip(terms, inputs, dims, axes, strict=True):
        wide, lost = list(own), list[int]()
        for letter, places in named.items():
            if all(_is_one(own[axis]) for axis in places):
                if letter not in result or not _is_one(common[letter]):
                    lost += places
                    term = term.replace(letter, "")
            elif letter in several:
                wide = [d if i not in places or isinstance(d, int) else common[letter] for i, d in enumerate(wide)]
        if any(d is not w for d, w in zip(own, wide, strict=True)):
            x = tf.broadcast_to(x, as_shape(wide))
        results.append((term, tf.squeeze(x, lost) if lost else x))
    return [term for term, _ in results], [x for _, x in results]


def _is_one(dim: Dim) -> bool:
    return isinstance(dim, int) and dim == 1


@onnx_op("Det", since=11)
def det(x: tf.Tensor) -> tf.Tensor:
    return widened(tf.linalg.det, x)
